import { beforeEach, describe, expect, it } from "vitest";
import { toExecutor } from "../../src/executor/connect.ts";
import { plan } from "../../src/plan/plan.ts";
import type { Lock, SqlStep } from "../../src/plan/step.ts";
import { createIndex } from "../../src/recipes/create-index.ts";
import { expectLocks } from "../../src/testing/expect-locks.ts";
import { expectReversible } from "../../src/testing/expect-reversible.ts";
import { onEngines, onServers } from "../support/server.ts";

const lock = (name: string, mode: Lock["mode"]): Lock => ({ schema: "app", name, mode });

const comment: SqlStep = {
  kind: "sql",
  id: "comment",
  title: "Comment",
  sql: "COMMENT ON TABLE app.a IS 'new'",
  locks: [lock("a", "shareUpdateExclusive")],
  transaction: "inside",
  undo: {
    kind: "statement",
    sql: "COMMENT ON TABLE app.a IS NULL",
    locks: [lock("a", "shareUpdateExclusive")],
    transaction: "inside",
  },
};

const fresh = `DROP SCHEMA IF EXISTS app, underpin CASCADE; CREATE SCHEMA app;
  CREATE TABLE app.a (id integer PRIMARY KEY); CREATE TABLE app.b (id integer PRIMARY KEY)`;

onEngines("expectLocks and expectReversible", (engine) => {
  beforeEach(() => toExecutor(engine.db()).query(fresh));

  it("are content with a step that says what it does", async () => {
    const measured = await expectLocks(plan("honest", [comment]), { on: engine.db() });
    expect(measured.map(({ direction, locks }) => [direction, locks.length])).toEqual([
      ["apply", 1],
      ["undo", 1],
    ]);
    await expectReversible(plan("honest again", [comment]), { on: engine.db() });
  });

  it.each<readonly [string, Partial<SqlStep>, RegExp]>([
    [
      "a weaker lock",
      { locks: [lock("a", "accessShare")] },
      /app\.a: declared accessShare, measured/,
    ],
    [
      "a stronger lock",
      { locks: [lock("a", "accessExclusive")] },
      /declared accessExclusive, measured share/,
    ],
    ["no lock", { locks: [] }, /app\.a: declared nothing, measured shareUpdateExclusive/],
    [
      "a lock on another table too",
      { locks: [...comment.locks, lock("b", "accessShare")] },
      /app\.b: declared accessShare, measured nothing/,
    ],
    ["relations that it does not create", { creates: 2 }, /declared 3 locks, measured 1/],
    [
      "none of the relations that it creates",
      { sql: "CREATE TABLE app.c (id integer)", locks: [], undo: { kind: "nothing" } },
      /declared 0 locks, measured 1/,
    ],
  ])("catch a step that declares %s", async (_, change, message) => {
    const lying = plan("lying", [{ ...comment, ...change } as SqlStep]);
    await expect(expectLocks(lying, { on: engine.db() })).rejects.toThrow(message);
  });

  it("catch an undo that declares the wrong lock", async () => {
    const undo = { ...comment.undo, locks: [] } as SqlStep["undo"];
    await expect(
      expectLocks(plan("lying", [{ ...comment, undo }]), { on: engine.db() }),
    ).rejects.toThrow(/undo comment: app\.a: declared nothing/);
  });

  it("catch an undo that leaves something behind", async () => {
    const careless = plan("careless", [{ ...comment, undo: { kind: "nothing" } }]);
    await expect(expectReversible(careless, { on: engine.db() })).rejects.toThrow(
      /its undo leaves another catalog:\s+.*comment/,
    );
  });

  it("catch a plan that changes nothing, whose undo would prove nothing", async () => {
    const idle = plan("idle", [
      { ...comment, sql: "SELECT 1", locks: [], undo: { kind: "nothing" } },
    ]);
    await expect(expectReversible(idle, { on: engine.db() })).rejects.toThrow(/changed nothing/);
  });
});

onServers("expectLocks", (server) => {
  describe("outside a transaction", () => {
    beforeEach(() => toExecutor(server.sql()).query(fresh));

    it("catches the wrong lock of a statement that has let go of it when it returns", async () => {
      const honest = createIndex({ schema: "app", table: "a", parts: ["id"] });
      const steps = honest.steps.map((step) =>
        "probe" in step ? { ...step, locks: [lock("a", "accessShare")] } : step,
      );
      await expect(expectLocks({ ...honest, steps }, { on: server.sql() })).rejects.toThrow(
        /apply create-index: app\.a: declared accessShare, measured shareUpdate/,
      );
    });
  });
});
