import { isConnectionError } from "../../errors.ts";
import type { Queryable } from "../../executor/executor.ts";
import { hashPlan } from "../../plan/hash.ts";
import type { Plan } from "../../plan/step.ts";
import { fenceSql, refuseLostLease, type Lease } from "../../run/lease.ts";
import { transactionSettingsSql } from "../../run/settings.ts";
import { ident, literal } from "../../sql/quote.ts";
import { insertSql, ledgerRowOf, type NewLedgerRow } from "./ledger.ts";
import { changesSettings } from "./local-settings.ts";
import { planOfMigration } from "./plan-of.ts";
import type { Resolved } from "./resolve-migration.ts";
import type { RunnerContext } from "./runner-context.ts";
import { statementsOf } from "./sql-steps.ts";

/** How many relations one transaction may make: its locks share a table of 6,400 with all others. */
const MOST_CREATED = 400;
/** How long one message may be, in characters. */
const LONGEST_TEXT = 1_000_000;

/** A migration that can share a transaction with others. */
interface Shareable {
  readonly resolved: Resolved;
  readonly plan: Plan;
  readonly row: NewLedgerRow;
  readonly creates: number;
  readonly length: number;
}

/** Whether a database holds no table of anybody: then there is nobody whom a migration could make wait. */
export async function isEmptyDatabase(db: Queryable, runSchema: string): Promise<boolean> {
  const rows = await db.query(
    `SELECT 1 AS one FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'm', 'f') AND n.nspname !~ '^pg_'
       AND n.nspname NOT IN ('information_schema', 'drizzle', ${literal(runSchema)})
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
         WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
     LIMIT 1`,
  );
  return rows.length === 0;
}

/** The groups in which migrations are run on an empty database: each one transaction, or one migration that must be alone. */
export type Group =
  | { readonly kind: "shared"; readonly all: readonly Shareable[] }
  | { readonly kind: "alone"; readonly resolved: Resolved };

/** Puts neighbours together that can share a transaction. */
export function groupsOf(context: RunnerContext, pending: readonly Resolved[]): readonly Group[] {
  const groups: Group[] = [];
  let open: Shareable[] = [];
  const close = () => {
    if (open.length > 0) groups.push({ kind: "shared", all: open });
    open = [];
  };
  for (const resolved of pending) {
    const shareable = shareableOf(context, resolved);
    if (shareable === undefined) {
      close();
      groups.push({ kind: "alone", resolved });
      continue;
    }
    const sum = (of: "creates" | "length") =>
      open.reduce((all, one) => all + one[of], shareable[of]);
    if (sum("creates") > MOST_CREATED || sum("length") > LONGEST_TEXT) close();
    open.push(shareable);
  }
  close();
  return groups;
}

/** What is all SQL of one transaction, and changes no settings that the next one would meet. */
function shareableOf({ place, tenant }: RunnerContext, resolved: Resolved): Shareable | undefined {
  const { migration, body, down, text } = resolved;
  if (body.kind !== "sql" || statementsOf(text, migration.file).some(changesSettings))
    return undefined;
  const plan = planOfMigration(resolved, place, tenant);
  const inside = plan.steps.every((step, at) => {
    const isLast = at === plan.steps.length - 1;
    return step.kind === "sql" && (step.transaction === "inside" || isLast);
  });
  if (!inside) return undefined;
  const creates = plan.steps.reduce(
    (sum, step) => sum + (step.kind === "sql" ? (step.creates ?? 0) : 0),
    0,
  );
  return {
    resolved,
    plan,
    row: ledgerRowOf(migration, down, "applied"),
    creates,
    length: text.length,
  };
}

/**
 * Runs migrations in one transaction with their journal and their rows of the ledger, in three round trips: all of them happened, or
 * none did. Returns false when they could not be: then each is to be tried alone, and the one at fault tells what is wrong.
 */
export async function runAtOnce(
  context: RunnerContext,
  lease: Lease,
  all: readonly Shareable[],
): Promise<boolean> {
  const { executor, place, versionNum } = context;
  const settings = transactionSettingsSql(context, { statementMs: 0, blocking: false });
  const sql = all.flatMap(({ plan }) =>
    plan.steps.slice(0, -1).map((step) => (step.kind === "sql" ? step.sql : "")),
  );
  const text = [
    ...sql,
    journalSql(place.runSchema, all, versionNum),
    insertSql(
      place,
      all.map(({ row }) => row),
    ),
  ].join(";\n");
  try {
    await executor.transaction(async (tx) => {
      const [fence] = await tx.query<{ began: string }>(`${settings}; ${fenceSql(lease)}`);
      refuseLostLease(fence === undefined ? [] : [fence], lease);
      await tx.query(text);
    });
    return true;
  } catch (error) {
    if (isConnectionError(error) || isLost(error)) throw error;
    return false;
  }
}

function isLost(error: unknown): boolean {
  return (error as { code?: unknown }).code === "leaseLost";
}

/** Journals finished runs: what `createRun` and the steps would have written one by one. */
function journalSql(runSchema: string, all: readonly Shareable[], versionNum: number): string {
  const s = ident(runSchema);
  const given = all.map(({ plan }) => ({
    name: plan.name,
    hash: hashPlan(plan),
    plan,
    steps: plan.steps.map(({ id }, ordinal) => ({ id, ordinal })),
  }));
  const names = all.flatMap(({ plan }) => plan.voids ?? []).map((name) => literal(name));
  return `WITH given AS (
  SELECT * FROM pg_catalog.json_to_recordset(${literal(JSON.stringify(given))}::json)
    AS g (name text, hash text, plan jsonb, steps json)),
voided AS (
  UPDATE ${s}.runs SET state = 'undone', changed_at = pg_catalog.clock_timestamp()
  WHERE state = 'applied' AND name IN (${names.join(", ")})),
made AS (
  INSERT INTO ${s}.runs (name, hash, plan, state, server_version_num)
  SELECT name, hash, plan, 'applied', ${versionNum} FROM given RETURNING id, name)
INSERT INTO ${s}.steps (run_id, id, ordinal, state, attempts)
SELECT made.id, step.id, step.ordinal, 'applied', 1
FROM made JOIN given USING (name)
CROSS JOIN LATERAL pg_catalog.json_to_recordset(given.steps) AS step (id text, ordinal integer)`;
}
