import type { Queryable } from "../executor/executor.ts";
import type { BackfillStep } from "../plan/step.ts";
import { ident, literal, qualified } from "../sql/quote.ts";
import { sleep } from "./backoff.ts";
import { checkCancelled, marker, type RunContext } from "./context.ts";
import { StepFailed } from "./failure.ts";
import { fenceSql, refuseLostLease } from "./lease.ts";
import { refuseOverLockBudget } from "./preflight.ts";
import { retryOnLocks } from "./retry.ts";
import { showAllRows } from "./row-security.ts";
import { transactionSettingsSql } from "./settings.ts";

/** How a backfill ended: all rows are done, or the run was paused between two batches. */
export type BackfillOutcome = "done" | "paused";

/**
 * Changes the rows of a table in batches by ascending key, each batch one transaction together with how far it came.
 *
 * A batch is a keyset page, never an OFFSET: rows that are done leave the page, and an OFFSET over a shrinking set skips
 * rows. Its rows are locked first, in key order, so that a concurrent UPDATE is waited for and read again: the newer value
 * wins. Killed anywhere it goes on from the last committed batch.
 */
export async function runBackfill(
  context: RunContext,
  step: BackfillStep,
  isPaused: () => Promise<boolean>,
  progressed: () => void,
): Promise<BackfillOutcome> {
  const { executor, emit, signal } = context;
  const lock = { ...step.table, mode: "rowExclusive", partitions: true } as const;
  await refuseOverLockBudget(executor, [lock], 0, step.id);
  emit({ type: "stepStarted", step: step.id, title: step.title, sql: batchSql(step, true) });
  const rowsEstimated = await readEstimate(executor, step);
  for (;;) {
    checkCancelled(context);
    const batch = await runBatch(context, step);
    progressed();
    emit({ type: "progress", step: step.id, rowsChanged: batch.rowsChanged, rowsEstimated });
    if (batch.done) return "done";
    if (await isPaused()) return "paused";
    if (step.pauseMs > 0) await sleep(step.pauseMs, signal);
  }
}

/** Forgets how far an earlier try came; with the fence, in one statement. */
export async function forgetRanges(
  { executor, lease, runId }: RunContext,
  { id }: BackfillStep,
): Promise<void> {
  await executor.query(
    `WITH fence AS (${fenceSql(lease)})
     DELETE FROM ${ident(lease.schema)}.backfill_ranges USING fence
     WHERE run_id = $1::text::bigint AND step_id = $2::text`,
    [runId, id],
  );
}

interface Batch {
  readonly done: boolean;
  /** Rows changed by this step so far. */
  readonly rowsChanged: number;
}

type RangeRow = Readonly<Record<"done" | "rows_changed", string>> & {
  readonly reached: string | null;
};

/** A batch takes weak locks only; what it waits for is rows, and who holds rows of the table is a suspect. */
function runBatch(context: RunContext, step: BackfillStep): Promise<Batch> {
  const suspects = [{ ...step.table, mode: "accessExclusive", partitions: true }] as const;
  const sql = batchSql(step, true);
  return retryOnLocks(context, { step: step.id, sql, locks: [], suspects }, () =>
    context.executor.transaction((tx) => changeBatch(context, tx, step)),
  );
}

async function changeBatch(context: RunContext, tx: Queryable, step: BackfillStep): Promise<Batch> {
  const { lease, runId } = context;
  const ranges = `${ident(lease.schema)}.backfill_ranges`;
  refuseLostLease(
    await tx.query(
      `${transactionSettingsSql(context, { statementMs: 0, blocking: true })}; ${fenceSql(lease)}`,
    ),
    lease,
  );
  const table = step.table;
  await showAllRows(
    tx,
    [
      { ...table, access: "read" },
      { ...table, access: "update" },
    ],
    step.id,
  );
  const [range] = await tx.query<RangeRow>(
    `INSERT INTO ${ranges} (run_id, step_id, ordinal) VALUES ($1::text::bigint, $2::text, 0)
     ON CONFLICT (run_id, step_id, ordinal) DO UPDATE SET changed_at = pg_catalog.clock_timestamp()
     RETURNING reached::text, done::text, rows_changed::text`,
    [runId, step.id],
  );
  // The last batch was committed by a process that was killed before it could say so.
  if (range?.done === "true") return { done: true, rowsChanged: Number(range.rows_changed) };
  const reached = range?.reached == null ? null : (JSON.parse(range.reached) as readonly string[]);
  const sql = batchSql(step, reached === null);
  const [batch] = await tx
    .query<{
      seen: string;
      changed: string;
      reached: string | null;
    }>(`${marker(context, step.id)}${sql}`, reached ?? undefined)
    .catch((cause: unknown): never => {
      throw new StepFailed(step.id, sql, cause);
    });
  const done = Number(batch?.seen ?? 0) < step.batchSize;
  const [total] = await tx.query<{ rows_changed: string }>(
    `UPDATE ${ranges} SET reached = coalesce($3::text::jsonb, reached), done = $4::text::boolean,
       rows_changed = rows_changed + $5::text::bigint, batches = batches + 1
     WHERE run_id = $1::text::bigint AND step_id = $2::text RETURNING rows_changed::text`,
    [runId, step.id, batch?.reached ?? null, String(done), batch?.changed ?? "0"],
  );
  return { done, rowsChanged: Number(total?.rows_changed ?? 0) };
}

/**
 * One batch; `fromStart` where no key was reached yet. Its parameters are the reached key as text.
 *
 * The key columns get names of their own in the batch, so that `set` may use the table's columns unqualified.
 */
function batchSql({ table, key, set, where, batchSize }: BackfillStep, fromStart: boolean): string {
  const relation = qualified(table.schema, table.name);
  const columns = key.map(({ name, type }, at) => ({
    own: `target.${ident(name)}`,
    batched: `batch.${ident(`underpin key ${at + 1}`)}`,
    alias: ident(`underpin key ${at + 1}`),
    reached: `CAST($${at + 1}::text AS ${type})`,
  }));
  const each = (pick: (column: (typeof columns)[number]) => string, separator = ", ") =>
    columns.map(pick).join(separator);
  const after = fromStart ? "" : `AND (${each((c) => c.own)}) > (${each((c) => c.reached)})`;
  return `WITH batch AS MATERIALIZED (
  SELECT ${each((c) => `${c.own} AS ${c.alias}`)} FROM ${relation} AS target
  WHERE (${where}) ${after}
  ORDER BY ${each((c) => c.own)} LIMIT ${batchSize} FOR NO KEY UPDATE
), changed AS (
  UPDATE ${relation} AS target SET ${set}
  FROM batch WHERE ${each((c) => `${c.own} = ${c.batched}`, " AND ")} RETURNING 1
)
SELECT (SELECT pg_catalog.count(*) FROM batch)::text AS seen,
       (SELECT pg_catalog.count(*) FROM changed)::text AS changed,
       (SELECT pg_catalog.json_build_array(${each((c) => `${c.batched}::text`)}) FROM batch
        ORDER BY ${each((c) => `${c.batched} DESC`)} LIMIT 1)::text AS reached`;
}

async function readEstimate(db: Queryable, { table }: BackfillStep): Promise<number | undefined> {
  const [row] = await db.query<{ rows: string | null }>(
    `SELECT pg_catalog.sum(c.reltuples) FILTER (WHERE c.reltuples >= 0)::bigint::text AS rows
     FROM pg_catalog.pg_class c
     WHERE c.relkind <> 'p' AND c.oid IN (
       SELECT relid FROM pg_catalog.pg_partition_tree(${literal(qualified(table.schema, table.name))}::regclass)
       UNION SELECT ${literal(qualified(table.schema, table.name))}::regclass)`,
  );
  return row?.rows == null ? undefined : Number(row.rows);
}
