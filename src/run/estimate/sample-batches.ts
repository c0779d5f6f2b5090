import type { Executor, Queryable } from "../../executor/executor.ts";
import type { BackfillStep } from "../../plan/step.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";
import { changeSql, pageSql } from "../backfill/batch-sql.ts";
import { readSize } from "../backfill/cut-ranges.ts";
import { KEY_TEXTS, keySql, type Key } from "../backfill/key-sql.ts";
import { keyOf } from "../backfill/ranges.ts";
import { DEFAULT_RUN_OPTIONS } from "../options.ts";
import { showAllRows } from "../row-security.ts";
import { transactionSettingsSql } from "../settings.ts";

/** One batch that was tried and rolled back. */
export interface TriedBatch {
  readonly rows: number;
  readonly elapsedMs: number;
  readonly walBytes: number;
  readonly updated: number;
  readonly hot: number;
}

/** The rows that are left to do, and where some of them are. */
export interface RowsLeft {
  readonly rows: number;
  /** Keys spread over the rows that are left, ascending. */
  readonly keys: readonly Key[];
}

/** Blocks of the table that are looked at. */
const SAMPLED_BLOCKS = 1_000;

/** Thrown to roll back; never leaves this file. */
class RolledBack extends Error {
  readonly rolledBack = true;
}

/** What the trying of batches needs to know of the server. */
export interface Trying {
  readonly executor: Executor;
  readonly versionNum: number;
}

/** Counts the rows that are left to do in a sample of the table's blocks. */
export function readRowsLeft(
  trying: Trying,
  step: BackfillStep,
  batches: number,
): Promise<RowsLeft> {
  return inRolledBack(trying, step, async (tx) => {
    const { blocks } = await readSize(tx, step);
    const { own, asJson } = keySql(step);
    const percent = Math.min(100, (100 * SAMPLED_BLOCKS) / Math.max(1, blocks));
    const [row] = await tx.query<{ rows: string; keys: string }>(
      `WITH sampled AS MATERIALIZED (
  SELECT ${asJson("target")} AS k, pg_catalog.row_number() OVER (ORDER BY ${own}) - 1 AS at
  FROM ${qualified(step.table.schema, step.table.name)} AS target TABLESAMPLE SYSTEM (${percent}) REPEATABLE (1)
  WHERE (${step.where}\n)
), counted AS (SELECT pg_catalog.count(*) AS rows FROM sampled)
SELECT c.rows::text AS rows, (SELECT coalesce(pg_catalog.json_agg(s.k ORDER BY s.at), '[]'::json)::text
  FROM sampled AS s WHERE s.at % greatest(1, c.rows / ${Math.round(batches)}) = 0) AS keys
FROM counted AS c`,
    );
    const keys = JSON.parse(row?.keys ?? "[]") as readonly Key[];
    return {
      rows: Math.round((Number(row?.rows ?? 0) * 100) / percent),
      keys: keys.slice(0, batches),
    };
  });
}

/** Tries one batch that begins after a key, as the engine would send it, and rolls it back. */
export async function tryBatch(
  trying: Trying,
  step: BackfillStep,
  reached: Key | null,
): Promise<TriedBatch> {
  const beganMs = performance.now();
  let besideMs = 0;
  // What is only measured is no part of a batch.
  const beside = async <T>(work: Promise<T>): Promise<T> => {
    const fromMs = performance.now();
    const result = await work;
    besideMs += performance.now() - fromMs;
    return result;
  };
  const tried = await inRolledBack(trying, step, async (tx) => {
    const before = await beside(readCounters(tx, step));
    const [page] = await tx.query<{ last: string | null }>(
      pageSql(step, { reached, upper: null, size: step.batchSize }),
    );
    const last = keyOf(page?.last ?? null);
    if (last === null) return { rows: 0, walBytes: 0, updated: 0, hot: 0 };
    const [row] = await tx.query<{ changed: string }>(
      `${changeSql(step, { reached, last })} SELECT pg_catalog.count(*)::text AS changed FROM ${ident("underpin changed")}`,
    );
    const after = await beside(readCounters(tx, step));
    return {
      rows: Number(row?.changed ?? 0),
      walBytes: after.wal - before.wal,
      updated: after.updated - before.updated,
      hot: after.hot - before.hot,
    };
  });
  return { ...tried, elapsedMs: performance.now() - beganMs - besideMs };
}

/** How many bytes of WAL others write in a millisecond: what is written beside a batch is not the batch's. */
export async function readOthersWal(db: Queryable, restMs: number): Promise<number> {
  const began = performance.now();
  const before = await readWal(db);
  await new Promise((resolve) => setTimeout(resolve, restMs));
  return ((await readWal(db)) - before) / (performance.now() - began);
}

async function readWal(db: Queryable): Promise<number> {
  const [row] = await db.query<{ wal: string }>(
    "SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), '0/0')::text AS wal",
  );
  return Number(row?.wal ?? 0);
}

async function readCounters(tx: Queryable, { table }: BackfillStep) {
  const root = `${literal(qualified(table.schema, table.name))}::regclass`;
  const [row] = await tx.query<{ wal: string; updated: string; hot: string }>(
    `SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), '0/0')::text AS wal,
  coalesce(pg_catalog.sum(pg_catalog.pg_stat_get_xact_tuples_updated(t.relid)), 0)::text AS updated,
  coalesce(pg_catalog.sum(pg_catalog.pg_stat_get_xact_tuples_hot_updated(t.relid)), 0)::text AS hot
FROM (SELECT relid FROM pg_catalog.pg_partition_tree(${root}) UNION SELECT ${root}) AS t (relid)`,
  );
  return {
    wal: Number(row?.wal ?? 0),
    updated: Number(row?.updated ?? 0),
    hot: Number(row?.hot ?? 0),
  };
}

/** Runs `work` as a batch would be run, and rolls back what it did. */
async function inRolledBack<T>(
  { executor, versionNum }: Trying,
  step: BackfillStep,
  work: (tx: Queryable) => Promise<T>,
): Promise<T> {
  const context = { executor, versionNum, settings: DEFAULT_RUN_OPTIONS };
  const settings = transactionSettingsSql(context, { statementMs: 0, blocking: true });
  let result: { readonly of: T } | undefined;
  try {
    await executor.transaction(async (tx) => {
      await tx.query(`${settings}; ${KEY_TEXTS}`);
      const { table, rows = [] } = step;
      await showAllRows(
        tx,
        [{ ...table, access: "read" }, { ...table, access: "update" }, ...rows],
        step.id,
      );
      result = { of: await work(tx) };
      throw new RolledBack("it was only tried");
    });
  } catch (error) {
    if (!(error instanceof RolledBack)) throw error;
  }
  if (result === undefined) throw new Error("a transaction ended without its work");
  return result.of;
}
