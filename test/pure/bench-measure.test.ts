import { expect, it } from "vitest";
import { figure } from "../../bench/figure.ts";
import { measure, sample } from "../../bench/measure.ts";
import { renderTable } from "../../bench/table.ts";

it("runs both sides by turns, in an order that turns round, and leaves the warm-up out", async () => {
  const order: string[] = [];
  const sides = {
    ours: async () => order.push("ours"),
    theirs: async () => order.push("theirs"),
  };
  const { ours, theirs } = await measure(sides, { rounds: 2, warmUp: 1 });
  expect(order).toEqual(["theirs", "ours", "ours", "theirs", "theirs", "ours"]);
  expect([ours.rounds, theirs.rounds]).toEqual([2, 2]);
});

it("takes the median and the middle eight of ten, in whatever order the readings came", () => {
  expect(sample([11, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10])).toEqual({
    median: 6,
    p10: 2,
    p90: 10,
    rounds: 11,
  });
  expect(sample([4, 2]).median).toBe(3);
  expect(() => sample([])).toThrow("a sample needs a reading");
});

it("says how many times better ours is, and whether the target is met", () => {
  const ratio = (ours: number) =>
    figure({ what: "x", ours, theirs: 300, target: { of: "ratio", atLeast: 2 } });
  expect(ratio(150)).toMatchObject({ ratio: 2, met: true });
  expect(ratio(151)).toMatchObject({ met: false });
  const absolute = (ours: number) =>
    figure({ what: "x", ours, target: { of: "ours", atMost: 1000 } });
  expect(absolute(1000)).toMatchObject({ theirs: null, ratio: null, met: true });
  expect(absolute(1001)).toMatchObject({ met: false });
  expect(figure({ what: "x", ours: 1 })).toMatchObject({ target: null, met: null });
  expect(figure({ what: "x", ours: 0, theirs: 7 }).ratio).toBeNull();
});

it("prints a table, and a line for each target that is missed", () => {
  const figures = [
    figure({
      what: "reading",
      ours: sample([1200]),
      theirs: sample([3000]),
      target: { of: "ours", atMost: 1000 },
    }),
    figure({ what: "sent", ours: 1, theirs: 8001, unit: "statements" }),
  ];
  expect(renderTable(figures).split("\n")).toEqual([
    "                       ours              theirs        unit  ratio            target",
    "reading  1200 (1200 – 1200)  3000 (3000 – 3000)          ms  2.50×  ≤ 1000 ms MISSED",
    "sent                      1                8001  statements  8001×                 –",
    "TARGET MISSED: reading: ≤ 1000 ms",
  ]);
});
