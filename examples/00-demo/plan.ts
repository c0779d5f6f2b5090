import { plan, type Step } from "underpin";
import { createIndex, setNotNull } from "underpin/migrations";

const orders = { schema: "public", name: "orders" } as const;

const addColumn: Step = {
  kind: "sql",
  id: "add-tenant",
  title: "Add tenant_id, with a default for new rows",
  // With its default from the start it would be filled for old rows too: here they are to be filled in batches.
  sql: `ALTER TABLE "public"."orders" ADD COLUMN "tenant_id" integer`,
  locks: [{ ...orders, mode: "accessExclusive" }],
  transaction: "inside",
  undo: {
    kind: "statement",
    sql: `ALTER TABLE "public"."orders" DROP COLUMN "tenant_id"`,
    locks: [{ ...orders, mode: "accessExclusive" }],
    transaction: "inside",
    residue: "a column slot",
  },
};

const setDefault: Step = {
  kind: "sql",
  id: "default-tenant",
  title: "New rows belong to tenant 1",
  sql: `ALTER TABLE "public"."orders" ALTER COLUMN "tenant_id" SET DEFAULT 1`,
  locks: [{ ...orders, mode: "accessExclusive" }],
  transaction: "commitAfter",
  phase: "expanded",
  undo: {
    kind: "statement",
    sql: `ALTER TABLE "public"."orders" ALTER COLUMN "tenant_id" DROP DEFAULT`,
    locks: [{ ...orders, mode: "accessExclusive" }],
    transaction: "inside",
  },
};

const fill: Step = {
  kind: "backfill",
  id: "fill-tenant",
  title: "Give every old row its tenant, 500 rows at a time",
  table: orders,
  key: [{ name: "id", type: "bigint" }],
  set: "tenant_id = 1 + target.customer_id % 3",
  where: "target.tenant_id IS NULL",
  batchSize: 500,
  pauseMs: 40,
  undo: { kind: "nothing" },
};

const noneLeft: Step = {
  kind: "check",
  id: "none-left",
  title: "No row is without a tenant",
  sql: `SELECT id FROM "public"."orders" WHERE tenant_id IS NULL LIMIT 5`,
  expect: "noRows",
  rows: [{ ...orders, access: "read" }],
  transaction: "commitAfter",
  undo: { kind: "nothing" },
};

const deployed: Step = {
  kind: "gate",
  id: "app-deployed",
  title: "The application writes tenant_id",
  question: "Is the release that writes tenant_id deployed everywhere?",
  undo: { kind: "nothing" },
};

export default plan("tenant", [
  addColumn,
  setDefault,
  fill,
  noneLeft,
  deployed,
  setNotNull({ table: "orders", column: "tenant_id" }),
  createIndex({ table: "orders", parts: ["tenant_id", "created_at"] }),
]);
