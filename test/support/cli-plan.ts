import type { Plan, Step } from "../../src/plan/step.ts";

const orders = { schema: "public", name: "orders" } as const;
const steps: readonly Step[] = [
  {
    kind: "sql",
    id: "add",
    title: "Add a column",
    sql: `ALTER TABLE "public"."orders" ADD COLUMN "tenant" integer`,
    locks: [{ ...orders, mode: "accessExclusive" }],
    transaction: "commitAfter",
    phase: "expanded",
    undo: {
      kind: "statement",
      sql: `ALTER TABLE "public"."orders" DROP COLUMN "tenant"`,
      locks: [{ ...orders, mode: "accessExclusive" }],
      transaction: "inside",
    },
  },
  {
    kind: "call",
    id: "archive",
    title: "Archive",
    handler: "archive",
    version: 2,
    argument: { to: "cold" },
    undo: { kind: "nothing" },
  },
  {
    kind: "gate",
    id: "deployed",
    title: "Deployed",
    question: "Is it deployed?",
    undo: { kind: "nothing" },
  },
  {
    kind: "check",
    id: "still-there",
    title: "The rows are there",
    sql: `SELECT count(*) FROM "public"."orders"`,
    expect: { atLeast: 3 },
    transaction: "commitAfter",
    undo: { kind: "nothing" },
  },
];
/** A plan with every kind of step that stops, waits or calls; its name needs quoting in a shell. */
export const lifePlan: Plan = { format: 1, name: "it's a plan", steps };

/** What the plan needs to be there. */
export const LIFE_SETUP =
  "CREATE TABLE orders (id int PRIMARY KEY); INSERT INTO orders VALUES (1), (2), (3)";

/** A module that exports the plan, and the handler that it calls. */
export const lifeModule = `export default ${JSON.stringify(lifePlan)};
export const handlers = { archive: { version: 2, run: () => {} } };`;
