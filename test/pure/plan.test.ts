import { describe, expect, it } from "vitest";
import { explain } from "../../src/plan/explain.ts";
import { hashPlan } from "../../src/plan/hash.ts";
import { blocksWrites, CONFLICTS, LOCK_MODES } from "../../src/plan/lock.ts";
import { plan } from "../../src/plan/plan.ts";
import { reverse } from "../../src/plan/reverse.ts";
import { segment } from "../../src/plan/segment.ts";
import type { SqlStep, Step } from "../../src/plan/step.ts";
import { createIndex } from "../../src/recipes/create-index.ts";
import { setNotNull } from "../../src/recipes/set-not-null.ts";
import { describeChange } from "../../src/run/difference.ts";
import { isForServer } from "../../src/run/journal.ts";

const sql = (id: string, transaction: "inside" | "commitAfter" = "inside"): SqlStep => ({
  kind: "sql",
  id,
  title: id,
  sql: `SELECT '${id}'`,
  locks: [],
  transaction,
  undo: { kind: "statement", sql: `SELECT 'undo ${id}'`, locks: [], transaction: "inside" },
});

const gate: Step = {
  kind: "gate",
  id: "gate",
  title: "wait",
  question: "done?",
  undo: { kind: "nothing" },
};

describe("putting a plan together", () => {
  it("keeps the steps of a plan that is put in behind its name", () => {
    const outer = plan("outer", [sql("a"), plan("inner", [sql("a")])]);
    expect(outer.steps.map(({ id }) => id)).toEqual(["a", "inner/a"]);
  });

  it("refuses an id that stands twice", () => {
    expect(() => plan("p", [sql("a"), sql("a")])).toThrow(/two steps with the id "a"/);
  });

  it("refuses a plan without a name or steps", () => {
    expect(() => plan(" ", [sql("a")])).toThrow(/needs a name/);
    expect(() => plan("p", [])).toThrow(/has no steps/);
  });
});

describe("a plan from JSON", () => {
  it.each([
    ["an unknown kind", { kind: "magic" }, /of the unknown kind "magic"/],
    ["no undo", { undo: undefined }, /has no undo/],
    ["an unknown transaction rule", { transaction: "maybe" }, /unknown transaction rule "maybe"/],
    ["no probe outside a transaction", { transaction: "outside" }, /has no probe/],
    ["no id", { id: "" }, /has no id/],
    ["a NUL character", { sql: "SELECT '\0'" }, /holds a NUL character/],
  ])("is refused whole for a step with %s", (_, change, message) => {
    expect(() => plan("p", [sql("a"), { ...sql("b"), ...change } as Step])).toThrow(message);
  });
});

describe("segmenting", () => {
  it("cuts after commitAfter and around what stands alone, and keeps the order", () => {
    const steps = [sql("a"), sql("b", "commitAfter"), sql("c"), gate, sql("d")];
    expect(segment(steps).map(({ steps: s }) => s.map(({ id }) => id))).toEqual([
      ["a", "b"],
      ["c"],
      ["gate"],
      ["d"],
    ]);
    expect(segment(steps).map(({ transaction }) => transaction)).toEqual([true, true, false, true]);
  });
});

describe("the way back", () => {
  it("goes through the steps last first and mirrors the cuts between transactions", () => {
    const there = plan("p", [sql("a"), sql("b", "commitAfter"), sql("c"), sql("d")]);
    const back = reverse(there);
    expect(segment(back.steps).map(({ steps }) => steps.map(({ id }) => id))).toEqual([
      ["d", "c"],
      ["b", "a"],
    ]);
    expect(back.steps[0]).toMatchObject({ sql: "SELECT 'undo d'" });
  });

  it("refuses before anything else when a step cannot be taken back, with every reason", () => {
    const lost = (id: string): Step => ({
      ...sql(id),
      undo: { kind: "irreversible", reason: `${id} is gone` },
    });
    expect(() => reverse(plan("p", [lost("a"), sql("b"), lost("c")]))).toThrow(
      /a: a is gone\n {2}c: c is gone/,
    );
  });
});

describe("the hash of a plan", () => {
  const one = plan("p", [sql("a")]);

  it("does not change on the way through JSON or with the order of keys", () => {
    const shuffled = JSON.parse(
      JSON.stringify({ steps: one.steps, name: one.name, format: 1 }),
    ) as typeof one;
    expect(hashPlan(shuffled)).toBe(hashPlan(one));
  });

  it("changes with what the plan does, not with the words about it", () => {
    const words = plan("p", [{ ...sql("a"), title: "in other words" }]);
    const other = plan("p", [{ ...sql("a"), sql: "SELECT 2" }]);
    expect(hashPlan(words)).toBe(hashPlan(one));
    expect(hashPlan(other)).not.toBe(hashPlan(one));
  });

  it("counts the words inside the argument of a call as content", () => {
    const told = (title: string) =>
      plan("p", [
        {
          kind: "call",
          id: "tell",
          title: "Tell",
          handler: "tell",
          version: 1,
          argument: { title, question: "same" },
          undo: { kind: "nothing" },
        },
      ]);
    expect(hashPlan(told("A"))).not.toBe(hashPlan(told("B")));
  });

  it("names what is different, step by step", () => {
    const other = plan("p", [{ ...sql("a"), sql: "SELECT 2" }, sql("b")]);
    expect(describeChange(one, other)).toBe(
      ["  ~ a.sql:", "      before: SELECT 'a'", "      now:    SELECT 2", "  + b: b"].join("\n"),
    );
  });
});

describe("steps for some servers only", () => {
  it("are chosen by the major version", () => {
    const step = (server: `>=${number}` | `<${number}`): Step => ({
      ...sql("a"),
      when: { server },
    });
    expect(isForServer(step(">=18"), 180_004)).toBe(true);
    expect(isForServer(step(">=18"), 170_009)).toBe(false);
    expect(isForServer(step("<18"), 150_018)).toBe(true);
    expect(isForServer(sql("a"), 150_018)).toBe(true);
  });
});

describe("lock modes", () => {
  it("conflict both ways, as in the table of the PostgreSQL manual", () => {
    for (const a of LOCK_MODES)
      for (const b of LOCK_MODES)
        expect(CONFLICTS[a].includes(b), `${a} and ${b}`).toBe(CONFLICTS[b].includes(a));
  });

  it("make writes wait from SHARE on", () => {
    expect(LOCK_MODES.filter(blocksWrites)).toEqual([
      "share",
      "shareRowExclusive",
      "exclusive",
      "accessExclusive",
    ]);
  });
});

describe("explaining a plan", () => {
  const both = plan("both", [
    setNotNull({ schema: "app", table: "users", column: "email" }),
    gate,
    createIndex({ schema: "app", table: "users", parts: ["email"], unique: true }),
  ]);

  it("prints as text where transactions begin and end, the locks and the undo", () => {
    expect(explain(both)).toMatchSnapshot();
  });

  it("prints as markdown", () => {
    expect(explain(both, { format: "markdown" })).toMatchSnapshot();
  });

  it("prints as an SQL script", () => {
    expect(explain(both, { format: "sql" })).toMatchSnapshot();
  });

  it("prints as JSON that is the plan again", () => {
    const { hash, ...again } = JSON.parse(explain(both, { format: "json" })) as {
      hash: string;
    } & typeof both;
    expect(again).toEqual(both);
    expect(hash).toBe(hashPlan(both));
  });
});
