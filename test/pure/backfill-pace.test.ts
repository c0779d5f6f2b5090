import { describe, expect, it } from "vitest";
import type { BackfillStep } from "../../src/plan/step.ts";
import { createPace } from "../../src/run/backfill/pace.ts";

const step: BackfillStep = {
  ...{ kind: "backfill", id: "fill", title: "Fill", table: { schema: "app", name: "t" } },
  ...{ key: [{ name: "id", type: "bigint" }], set: "v = 1", where: "true" },
  ...{ batchSize: 1_000, pauseMs: 0, targetMs: 500, undo: { kind: "nothing" } },
};

/** Works off so many rows, each of which takes so long, and tells the sizes of the batches. */
function sizes(microseconds: number, rows: number, pace = createPace(step)): readonly number[] {
  const taken: number[] = [];
  for (let left = rows; left > 0; left -= pace.size()) {
    taken.push(pace.size());
    pace.took(pace.size(), (pace.size() * microseconds) / 1_000);
  }
  return taken;
}

describe("the pace of a backfill", () => {
  it("doubles until batches take half of their time, and never has one that takes too long", () => {
    const taken = sizes(20, 1_000_000);
    expect(taken.slice(0, 6)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 16_800]);
    expect(taken.length).toBeLessThan(60);
    expect(Math.max(...taken)).toBeLessThanOrEqual(31_250);
  });

  it("has few batches where rows cost little", () => {
    expect(sizes(4, 1_000_000).length).toBeLessThan(30);
  });

  it("goes down at once where rows cost much, and then up by small steps only", () => {
    const pace = createPace(step);
    pace.took(1_000, 2_000);
    expect(pace.size()).toBe(500);
    pace.took(500, 1);
    expect(pace.size()).toBe(600);
  });

  it("does not double any more once the database suffered", () => {
    const pace = createPace(step);
    pace.suffers("replicas lag");
    pace.took(500, 1);
    expect(pace.size()).toBe(500);
    pace.suffers(undefined);
    pace.took(500, 1);
    expect(pace.size()).toBe(600);
  });

  it("learns nothing from a page that was not full, and keeps to its size without a time", () => {
    const pace = createPace(step);
    pace.took(10, 1);
    expect(pace.size()).toBe(1_000);
    const fixed = createPace({ ...step, targetMs: undefined } as Omit<
      BackfillStep,
      "targetMs"
    > as BackfillStep);
    expect(new Set(sizes(1, 20_000, fixed))).toEqual(new Set([1_000]));
  });
});
