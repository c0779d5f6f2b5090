import type { Queryable } from "../../executor/executor.ts";
import type { BackfillStep } from "../../plan/step.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";
import type { RunContext } from "../context.ts";
import { fenceSql, refuseLostLease } from "../lease.ts";
import { showAllRows } from "../row-security.ts";
import { transactionSettingsSql } from "../settings.ts";
import { KEY_TEXTS, keySql, type Key } from "./key-sql.ts";
import { rangesOf, type BackfillId } from "./ranges.ts";

/** Batches that one range should take: few enough that a lost worker's range is soon done, many enough that claims cost nothing. */
const BATCHES_PER_RANGE = 40;
const MOST_RANGES = 1_000;
/** Ranges for each worker, so that none is idle long at the end. */
const RANGES_PER_WORKER = 8;

/** Blocks of the table that are looked at: some ten thousand rows. */
const SAMPLED_BLOCKS = 400;
/** Fewer sampled rows to a range say little of where its edge should be. */
const ROWS_PER_RANGE = 10;

/**
 * Cuts the keys of a table into ranges of about as many rows each, once for a run.
 *
 * The edges are keys of a sample of the table's blocks: even where keys are sparse, skewed, random or of several columns, which
 * arithmetic on the smallest and the greatest is not. The first range has no lower edge and the last no upper one, so that a row which
 * comes later is in one of them too.
 */
export async function cutRanges(
  context: RunContext,
  step: BackfillStep,
  id: BackfillId,
): Promise<void> {
  const { executor, lease } = context;
  const { ranges, ours } = rangesOf(id);
  const there = await executor.query(`SELECT 1 FROM ${ranges} AS r WHERE ${ours("r")} LIMIT 1`);
  if (there.length > 0) return;
  await executor.transaction(async (tx) => {
    const settings = transactionSettingsSql(context, { statementMs: 0, blocking: true });
    refuseLostLease(await tx.query(`${settings}; ${KEY_TEXTS}; ${fenceSql(lease)}`), lease);
    await showAllRows(tx, [{ ...step.table, access: "read" }], step.id);
    const edges = await readEdges(tx, step);
    const rows = [...edges, null].map((upper, at) => ({
      ordinal: at,
      reached: edges[at - 1] ?? null,
      upper,
    }));
    await tx.query(
      `INSERT INTO ${ranges} (run_id, step_id, ordinal, reached, upper)
       SELECT ${literal(id.runId)}::bigint, ${literal(id.stepId)}, r.ordinal, nullif(r.reached, 'null'), nullif(r.upper, 'null')
       FROM pg_catalog.json_to_recordset(${literal(JSON.stringify(rows))}::json) AS r (ordinal integer, reached jsonb, upper jsonb)
       ON CONFLICT DO NOTHING`,
    );
  });
}

/** The table's size, as the catalog and its files say, partitions included. */
export interface Size {
  readonly rows: number;
  readonly blocks: number;
}

async function readEdges(tx: Queryable, step: BackfillStep): Promise<readonly Key[]> {
  const { rows, blocks } = await readSize(tx, step);
  const wanted = rangesWanted(rows, step);
  if (wanted < 2) return [];
  const { own, asJson } = keySql(step);
  const percent = Math.min(100, (100 * SAMPLED_BLOCKS) / Math.max(1, blocks));
  // Repeatable: of two processes that cut at once the second finds the same.
  const [row] = await tx.query<{ sample: string }>(
    `SELECT coalesce(pg_catalog.json_agg(s.k), '[]'::json)::text AS sample FROM (
       SELECT ${asJson("target")} AS k
       FROM ${qualified(step.table.schema, step.table.name)} AS target TABLESAMPLE SYSTEM (${percent}) REPEATABLE (1)
       ORDER BY ${own}) AS s`,
  );
  const sample = JSON.parse(row?.sample ?? "[]") as readonly Key[];
  const count = Math.min(wanted, Math.floor(sample.length / ROWS_PER_RANGE));
  const edges = Array.from(
    { length: Math.max(0, count - 1) },
    (_, at) => sample[Math.floor(((at + 1) * sample.length) / count)],
  );
  return edges.filter((edge) => edge !== undefined);
}

/** How many ranges a table of so many rows is worth. */
export function rangesWanted(
  rows: number,
  { batchSize, workers = 1 }: Pick<BackfillStep, "batchSize" | "workers">,
): number {
  const batches = rows / Math.max(1, batchSize);
  const byWork = Math.ceil(batches / BATCHES_PER_RANGE);
  const byWorkers = Math.min(workers * RANGES_PER_WORKER, Math.floor(batches));
  return Math.max(1, Math.min(MOST_RANGES, Math.max(byWork, byWorkers)));
}

/** How large a table is. */
export async function readSize(
  tx: Queryable,
  { table }: Pick<BackfillStep, "table">,
): Promise<Size> {
  const root = `${literal(qualified(table.schema, table.name))}::regclass`;
  // Never analysed, a table is as long as its file and its rows are as wide as rows usually are.
  const [row] = await tx.query<{ rows: string; blocks: string }>(
    `WITH leaf AS (
       SELECT c.reltuples, c.relpages, pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::bigint AS blocks
       FROM pg_catalog.pg_class AS c
       WHERE c.relkind <> 'p' AND c.oid IN (SELECT relid FROM pg_catalog.pg_partition_tree(${root}) UNION SELECT ${root}))
     SELECT coalesce(pg_catalog.sum(CASE WHEN relpages > 0 AND reltuples >= 0 THEN reltuples / relpages * blocks ELSE blocks * 60 END), 0)::bigint::text AS rows,
       coalesce(pg_catalog.sum(blocks), 0)::text AS blocks
     FROM leaf`,
  );
  return { rows: Number(row?.rows ?? 0), blocks: Number(row?.blocks ?? 0) };
}

/** How many rows a table is thought to hold; undefined where nobody ever analysed it. */
export async function readEstimate(
  db: Queryable,
  { table }: BackfillStep,
): Promise<number | undefined> {
  const root = `${literal(qualified(table.schema, table.name))}::regclass`;
  const [row] = await db.query<{ rows: string | null }>(
    `SELECT pg_catalog.sum(c.reltuples) FILTER (WHERE c.reltuples >= 0)::bigint::text AS rows
     FROM pg_catalog.pg_class c
     WHERE c.relkind <> 'p' AND c.oid IN (SELECT relid FROM pg_catalog.pg_partition_tree(${root}) UNION SELECT ${root})`,
  );
  return row?.rows == null ? undefined : Number(row.rows);
}

/** Forgets how far an earlier try came, and which rows it could not change; with the fence, in one statement. */
export async function forgetRanges(
  { executor, lease, runId }: RunContext,
  { id }: BackfillStep,
): Promise<void> {
  const of = `run_id = ${literal(runId)}::bigint AND step_id = ${literal(id)}`;
  await executor.query(
    `WITH fence AS (${fenceSql(lease)}), failures AS (
       DELETE FROM ${ident(lease.schema)}.backfill_failures USING fence WHERE ${of})
     DELETE FROM ${ident(lease.schema)}.backfill_ranges USING fence WHERE ${of}`,
  );
}
