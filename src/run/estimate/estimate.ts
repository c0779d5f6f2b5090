import { UnderpinError } from "../../errors.ts";
import { toExecutor, type DatabaseLike } from "../../executor/connect.ts";
import type { Queryable } from "../../executor/executor.ts";
import { blocksWrites } from "../../plan/lock.ts";
import type { Lock, Plan, Step } from "../../plan/step.ts";
import { literal, qualified } from "../../sql/quote.ts";
import { isForServer } from "../journal.ts";
import { estimateBackfill, type Limits } from "./estimate-backfill.ts";
import type { Estimate, LockedTable, SlotThere, StepEstimate } from "./estimate-types.ts";
import type { Trying } from "./sample-batches.ts";
import { scansOf } from "./statement-scans.ts";

/** How much is tried. */
export interface EstimateOptions {
  /** Batches of each backfill, at most; fewer where they would be more than a tenth of the rows. @default 100 */
  readonly batches?: number;
  /** How long to try batches of each backfill. @default 10_000 */
  readonly maxMs?: number;
}

/**
 * Says what a plan will cost before it is run: how long its backfills last, how much WAL they write, how far tables grow, which locks
 * statements take on how large a table, and who keeps that WAL.
 *
 * Batches of each backfill are tried, spread over its keys, and rolled back: no row and nothing of the catalog is changed. What rollback
 * does not take back stays: dead versions of a tenth of the rows at most, until vacuum clears them, the values of sequences, and what
 * triggers did outside of the database. A backfill of what an earlier step makes cannot be tried yet, and says so.
 *
 * @example
 * import { estimate, estimateText } from "underpin";
 * import { backfill } from "underpin/migrations";
 *
 * const key = [{ name: "id", type: "bigint" }];
 * const plan = backfill({ table: "users", key, set: "email = lower(email)", where: "email <> lower(email)" });
 * const expected = await estimate(db, plan);
 * console.log(estimateText(expected));
 * expected.steps.length; // 2
 */
export async function estimate(
  db: DatabaseLike,
  plan: Plan,
  { batches = 100, maxMs = 10_000 }: EstimateOptions = {},
): Promise<Estimate> {
  refuseBad({ batches, maxMs });
  const executor = toExecutor(db);
  const [row] = await executor.query<{ version: string }>(
    "SELECT pg_catalog.current_setting('server_version_num') AS version",
  );
  const trying: Trying = { executor, versionNum: Number(row?.version ?? 0) };
  const steps: StepEstimate[] = [];
  for (const step of plan.steps)
    if (isForServer(step, trying.versionNum))
      steps.push(await estimateStep(trying, step, { batches, maxMs }));
  const costs = steps.flatMap((step) => ("cost" in step && step.cost ? [step.cost] : []));
  return {
    plan: plan.name,
    steps,
    walBytes: costs.reduce((sum, { walBytes }) => sum + walBytes, 0),
    growthBytes: costs.reduce((sum, { growthBytes }) => sum + growthBytes, 0),
    ...(await readKeepers(executor)),
  };
}

async function estimateStep(trying: Trying, step: Step, limits: Limits): Promise<StepEstimate> {
  const { id, title } = step;
  if (step.kind === "backfill") return estimateBackfill(trying, step, limits);
  if (step.kind === "gate" || step.kind === "call") return { kind: step.kind, id, title };
  const locks = step.kind === "sql" ? await readLocked(trying.executor, step.locks) : [];
  return { kind: step.kind, id, title, locks, scans: await scansOf(trying.executor, step) };
}

async function readLocked(db: Queryable, locks: readonly Lock[]): Promise<readonly LockedTable[]> {
  if (locks.length === 0) return [];
  const names = locks.map(({ schema, name }) => qualified(schema, name));
  const rows = await db.query<{ rows: string; bytes: string }>(
    `SELECT coalesce(s.rows, 0)::bigint::text AS rows, coalesce(s.bytes, 0)::text AS bytes
FROM pg_catalog.json_array_elements_text(${literal(JSON.stringify(names))}::json) WITH ORDINALITY AS n (name, at)
LEFT JOIN LATERAL (
  SELECT pg_catalog.sum(greatest(0, c.reltuples)) AS rows, pg_catalog.sum(pg_catalog.pg_relation_size(c.oid)) AS bytes
  FROM pg_catalog.pg_class AS c
  WHERE c.oid IN (SELECT relid FROM pg_catalog.pg_partition_tree(pg_catalog.to_regclass(n.name)) UNION SELECT pg_catalog.to_regclass(n.name))
    AND c.relkind NOT IN ('p', 'I')) AS s ON true
ORDER BY n.at`,
  );
  return locks.map(({ schema, name, mode }, at) => ({
    ...{ schema, name, mode, blocksWrites: blocksWrites(mode) },
    rows: Number(rows[at]?.rows ?? 0),
    bytes: Number(rows[at]?.bytes ?? 0),
  }));
}

/** Who keeps WAL or dead rows for somebody else. What this login may not see is not there for it. */
async function readKeepers(db: Queryable): Promise<Pick<Estimate, "slots" | "feedback">> {
  const [row] = await db.query<{ slots: string; feedback: string }>(
    `SELECT (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
    'name', s.slot_name, 'active', s.active, 'walStatus', s.wal_status) ORDER BY s.slot_name), '[]'::json)::text
  FROM pg_catalog.pg_replication_slots AS s) AS slots,
  (SELECT coalesce(pg_catalog.json_agg(r.application_name ORDER BY r.application_name), '[]'::json)::text
  FROM pg_catalog.pg_stat_replication AS r WHERE r.backend_xmin IS NOT NULL) AS feedback`,
  );
  return {
    slots: JSON.parse(row?.slots ?? "[]") as readonly SlotThere[],
    feedback: JSON.parse(row?.feedback ?? "[]") as readonly string[],
  };
}

function refuseBad(options: Required<EstimateOptions>): void {
  for (const [name, value] of Object.entries(options))
    if (!Number.isInteger(value) || value < 1)
      throw new UnderpinError({
        code: "invalidInput",
        message: `${name} of an estimate is ${value}`,
        hint: "Give a whole number of 1 or more.",
      });
}
