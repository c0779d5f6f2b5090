import { isUnderpinError, toError } from "../../errors.ts";
import type { Queryable } from "../../executor/executor.ts";
import type { BackfillStep } from "../../plan/step.ts";
import { literal, qualified } from "../../sql/quote.ts";
import type { Key } from "../backfill/key-sql.ts";
import type { BackfillCost, BackfillEstimate } from "./estimate-types.ts";
import {
  readOthersWal,
  readRowsLeft,
  tryBatch,
  type TriedBatch,
  type Trying,
} from "./sample-batches.ts";

/** How many batches are tried, and for how long. */
export interface Limits {
  readonly batches: number;
  readonly maxMs: number;
}

/** Rows that are tried at most, of those that are left: each leaves a dead version until vacuum clears it. */
const MOST_TRIED = 0.1;
const LISTEN_MS = 100;

/** Tries batches spread over the keys of a backfill, each rolled back, and says what all of them will cost. */
export async function estimateBackfill(
  trying: Trying,
  step: BackfillStep,
  limits: Limits,
): Promise<BackfillEstimate> {
  const { id, title } = step;
  // PGlite is one session.
  const workers = trying.executor.driver === "pglite" ? 1 : (step.workers ?? 1);
  const base = { kind: "backfill", id, title, workers } as const;
  const untried = { sampledBatches: 0, sampledRows: 0, cost: undefined } as const;
  try {
    const left = await readRowsLeft(trying, step, limits.batches);
    if ("transform" in step) {
      const trouble = `its rows are computed by the handler ${JSON.stringify(step.transform.handler)}, which is not called to try`;
      return { ...base, ...untried, rows: left.rows, trouble };
    }
    const most = Math.max(1, Math.floor((left.rows * MOST_TRIED) / step.batchSize));
    const every = Math.max(1, left.keys.length / Math.min(most, limits.batches));
    const spread = left.keys.filter(
      (_, index) => Math.floor(index / every) > Math.floor((index - 1) / every),
    );
    const starts = left.rows === 0 ? [] : [null, ...spread.slice(1)];
    const { tried, trouble } = await tryAll(trying, step, starts, limits.maxMs);
    const sampledRows = sum(tried.map(({ rows }) => rows));
    const cost =
      sampledRows === 0
        ? undefined
        : costOf({ ...step, workers }, left.rows, tried, await readSizes(trying.executor, step));
    return { ...base, rows: left.rows, sampledBatches: tried.length, sampledRows, cost, trouble };
  } catch (error) {
    return { ...base, ...untried, rows: 0, trouble: said(error) };
  }
}

async function tryAll(
  trying: Trying,
  step: BackfillStep,
  starts: Starts,
  maxMs: number,
): Promise<{ readonly tried: readonly TriedBatch[]; readonly trouble: string | undefined }> {
  const tried: TriedBatch[] = [];
  const began = performance.now();
  const othersWal = await readOthersWal(trying.executor, LISTEN_MS);
  for (const start of starts) {
    if (performance.now() - began > maxMs) break;
    try {
      const batch = await tryBatch(trying, step, start);
      const walBytes = Math.max(0, batch.walBytes - othersWal * batch.elapsedMs);
      if (batch.rows > 0) tried.push({ ...batch, walBytes });
    } catch (error) {
      return {
        tried,
        trouble: `${start === null ? "" : `after the key (${start.join(", ")}): `}${said(error)}`,
      };
    }
  }
  return { tried, trouble: undefined };
}

/** Keys after which batches begin: null is the beginning. */
type Starts = readonly (Key | null)[];

interface Sizes {
  readonly rows: number;
  readonly tableBytes: number;
  readonly indexBytes: number;
  readonly fillfactor: number;
}

async function readSizes(db: Queryable, { table }: BackfillStep): Promise<Sizes> {
  const root = `${literal(qualified(table.schema, table.name))}::regclass`;
  const [row] = await db.query<{ rows: string; table: string; index: string; fill: string }>(
    `SELECT greatest(1, pg_catalog.sum(c.reltuples))::bigint::text AS rows,
  coalesce(pg_catalog.sum(pg_catalog.pg_relation_size(c.oid)), 0)::text AS "table",
  coalesce(pg_catalog.sum(pg_catalog.pg_indexes_size(c.oid)), 0)::text AS index,
  coalesce(pg_catalog.min((SELECT o.option_value::integer FROM pg_catalog.pg_options_to_table(c.reloptions) AS o WHERE o.option_name = 'fillfactor')), 100)::text AS fill
FROM pg_catalog.pg_class AS c
WHERE c.relkind <> 'p' AND c.oid IN (SELECT relid FROM pg_catalog.pg_partition_tree(${root}) UNION SELECT ${root})`,
  );
  return {
    rows: Number(row?.rows ?? 1),
    tableBytes: Number(row?.table ?? 0),
    indexBytes: Number(row?.index ?? 0),
    fillfactor: Number(row?.fill ?? 100),
  };
}

function costOf(
  step: BackfillStep,
  rows: number,
  tried: readonly TriedBatch[],
  sizes: Sizes,
): BackfillCost {
  const { workers = 1, pauseMs, batchSize } = step;
  const sampled = sum(tried.map((batch) => batch.rows));
  const perRow = tried.map((batch) => batch.elapsedMs / batch.rows).sort((a, b) => a - b);
  const restsMs = (rows / batchSize) * pauseMs;
  const lasts = (share: number, side: number) => (rows * at(perRow, share) + restsMs) / side;
  const updated = sum(tried.map((batch) => batch.updated));
  const hotShare = updated === 0 ? 0 : sum(tried.map(({ hot }) => hot)) / updated;
  const deadRows = Math.round((rows * updated) / sampled);
  // Without room in its page a new version goes to the end, and has an entry in every index.
  const moved = (deadRows * (1 - hotShare)) / Math.max(sizes.rows, rows);
  return {
    durationMs: {
      likely: lasts(0.5, workers),
      atLeast: lasts(0.1, workers),
      atMost: lasts(0.9, 1),
    },
    walBytes: Math.round((rows * sum(tried.map(({ walBytes }) => walBytes))) / sampled),
    deadRows,
    hotShare,
    fillfactor: sizes.fillfactor,
    growthBytes: Math.round(moved * (sizes.tableBytes + sizes.indexBytes)),
  };
}

function at(sorted: readonly number[], share: number): number {
  return sorted[Math.round((sorted.length - 1) * share)] ?? 0;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}

function said(error: unknown): string {
  return isUnderpinError(error) ? `${error.message}. ${error.hint}` : toError(error).message;
}
