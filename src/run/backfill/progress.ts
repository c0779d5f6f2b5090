import type { Queryable } from "../../executor/executor.ts";
import { ident, literal } from "../../sql/quote.ts";
import type { BackfillProgress } from "./backfill-progress.ts";
import { rangesOf, type BackfillId } from "./ranges.ts";

interface RawProgress extends Omit<BackfillProgress, "remainingMs" | "step"> {
  readonly elapsedMs: number;
  readonly rangeMs: readonly [number, number, number] | null;
}

/** Reads how far a backfill has come: one statement over its ranges, a thousand at most. */
export async function readProgress(db: Queryable, id: BackfillId): Promise<BackfillProgress> {
  const [row] = await db.query<{ json: string }>(
    `SELECT pg_catalog.to_json(p)::text AS json FROM (${progressSql(id)}) AS p`,
  );
  return progressOf(id.stepId, JSON.parse(row?.json ?? "{}") as RawProgress);
}

function progressSql(id: BackfillId): string {
  const { ranges, failures, ours } = rangesOf(id);
  const ms = (from: string, to: string) => `(1000 * extract(epoch FROM ${to} - ${from}))::float8`;
  return `SELECT coalesce(pg_catalog.sum(r.rows_changed), 0)::bigint AS "rowsChanged",
  pg_catalog.count(*) FILTER (WHERE r.done) AS "rangesDone", pg_catalog.count(*) AS "rangesTotal",
  coalesce(pg_catalog.sum(r.batches), 0)::bigint AS batches, coalesce(pg_catalog.sum(r.failed_batches), 0)::bigint AS "failedBatches",
  (SELECT pg_catalog.count(*) FROM ${failures} AS f WHERE ${ours("f")}) AS "rowsSetAside",
  pg_catalog.count(DISTINCT r.worker) FILTER (WHERE NOT r.done AND r.lease_until > pg_catalog.clock_timestamp()) AS workers,
  coalesce(pg_catalog.sum(r.rows_changed) / nullif(extract(epoch FROM pg_catalog.max(r.changed_at) - pg_catalog.min(r.began_at)), 0), 0)::float8 AS "rowsPerSecond",
  coalesce(pg_catalog.max(r.slowest_ms), 0) AS "slowestBatchMs",
  coalesce(pg_catalog.sum(r.busy_ms) / nullif(pg_catalog.sum(r.batches), 0), 0) AS "averageBatchMs",
  pg_catalog.percentile_cont(ARRAY[0.1, 0.5, 0.9]) WITHIN GROUP (ORDER BY ${ms("r.began_at", "r.ended_at")})
    FILTER (WHERE r.done AND r.ended_at IS NOT NULL AND r.began_at IS NOT NULL) AS "rangeMs",
  (SELECT coalesce(pg_catalog.json_agg(f ORDER BY f.at), '[]'::json) FROM (
     SELECT f.key, f.sql_state AS "sqlState", f.message, f.attempts, f.failed_at AS at FROM ${failures} AS f
     WHERE ${ours("f")} ORDER BY f.failed_at LIMIT 5) AS f) AS failures
FROM ${ranges} AS r WHERE ${ours("r")}`;
}

function progressOf(step: string, raw: RawProgress): BackfillProgress {
  const { rangeMs, rangesDone, rangesTotal, workers } = raw;
  const rounds = (rangesTotal - rangesDone) / Math.max(1, workers);
  const { rowsChanged, batches, failedBatches, rowsSetAside, rowsPerSecond } = raw;
  const { slowestBatchMs, averageBatchMs, failures } = raw;
  return {
    ...{ step, rowsChanged, rangesDone, rangesTotal, batches, failedBatches, rowsSetAside },
    ...{ workers, rowsPerSecond, slowestBatchMs, averageBatchMs },
    remainingMs:
      rangeMs === null
        ? undefined
        : {
            likely: rounds * rangeMs[1],
            atLeast: rounds * rangeMs[0],
            atMost: rounds * rangeMs[2],
          },
    failures: failures.map(({ key, sqlState, message, attempts }) => ({
      key,
      sqlState,
      message,
      attempts,
    })),
  };
}

/** The backfills of runs that have begun and are not over, by run. */
export async function readAllProgress(
  db: Queryable,
  schema: string,
  steps: readonly { readonly runId: string; readonly stepId: string }[],
): Promise<ReadonlyMap<string, readonly BackfillProgress[]>> {
  const byRun = new Map<string, BackfillProgress[]>();
  if (steps.length === 0) return byRun;
  const rows = await db.query<{ run: string; step: string; json: string }>(
    steps
      .map(
        ({ runId, stepId }) =>
          `SELECT ${literal(runId)} AS run, ${literal(stepId)} AS step, pg_catalog.to_json(p)::text AS json FROM (${progressSql({ schema, runId, stepId })}) AS p`,
      )
      .join("\nUNION ALL "),
  );
  for (const { run, step, json } of rows)
    byRun.set(run, [...(byRun.get(run) ?? []), progressOf(step, JSON.parse(json) as RawProgress)]);
  return byRun;
}

/** Gives the rows that could not be changed back to the workers: each a range of its own. Returns how many there are. */
export async function reopenFailures(
  db: Queryable,
  { schema, runId }: Pick<BackfillId, "schema" | "runId">,
): Promise<number> {
  const s = ident(schema);
  const [row] = await db.query<{ count: string }>(
    `WITH again AS (
       DELETE FROM ${s}.backfill_failures WHERE run_id = ${literal(runId)}::bigint RETURNING step_id, key, after
     ), opened AS (
       INSERT INTO ${s}.backfill_ranges (run_id, step_id, ordinal, reached, upper)
       SELECT ${literal(runId)}::bigint, a.step_id,
         (SELECT pg_catalog.max(r.ordinal) FROM ${s}.backfill_ranges AS r WHERE r.run_id = ${literal(runId)}::bigint AND r.step_id = a.step_id)
           + pg_catalog.row_number() OVER (PARTITION BY a.step_id ORDER BY a.key::text), a.after, a.key
       FROM again AS a RETURNING 1
     ), forgotten AS (
       UPDATE ${s}.backfill_ranges SET failed_batches = 0 WHERE run_id = ${literal(runId)}::bigint AND failed_batches > 0)
     SELECT pg_catalog.count(*)::text AS count FROM opened`,
  );
  return Number(row?.count ?? 0);
}
