import { expect, it } from "vitest";
import { plan } from "../../src/plan/plan.ts";
import type { Step } from "../../src/plan/step.ts";
import { createTestDatabase } from "../../src/testing/create-test-database.ts";
import { expectLocks } from "../../src/testing/expect-locks.ts";
import { expectReversible } from "../../src/testing/expect-reversible.ts";

const gate = (id: string): Step => ({
  kind: "gate",
  id,
  title: "Wait for the deployment",
  question: "Is it deployed?",
  undo: { kind: "nothing" },
});

const locks = [{ schema: "public", name: "a", mode: "accessExclusive" }] as const;
const column: Step = {
  kind: "sql",
  id: "column",
  title: "Add a column",
  sql: "ALTER TABLE public.a ADD COLUMN n integer",
  locks,
  transaction: "inside",
  undo: {
    kind: "statement",
    sql: "ALTER TABLE public.a DROP COLUMN n",
    locks,
    transaction: "inside",
  },
};

it("expectLocks and expectReversible go through the gates of a plan", async () => {
  const database = await createTestDatabase({ setup: "CREATE TABLE a (id integer)" });
  const gated = plan("gated", [gate("before"), column, gate("after")]);
  expect(await expectLocks(gated, { on: database.db })).toHaveLength(2);
  await expectReversible(gated, { on: database.db });
  await database.close();
});
