import type { Key } from "./key-sql.ts";

/** How long the ranges that are left take the workers that are there now, by the ranges that are done. */
export interface RemainingMs {
  readonly likely: number;
  /** If all of them were as quick as the quickest tenth of those that are done, and as slow as the slowest. */
  readonly atLeast: number;
  readonly atMost: number;
}

/** A row that could not be changed. */
export interface RowFailure {
  readonly key: Key;
  readonly sqlState: string | null;
  readonly message: string;
  readonly attempts: number;
}

/** How far a backfill has come, all workers on all hosts together. */
export interface BackfillProgress {
  readonly step: string;
  readonly rowsChanged: number;
  readonly rangesDone: number;
  readonly rangesTotal: number;
  readonly batches: number;
  readonly failedBatches: number;
  /** Rows that could not be changed; the first of them in `failures`. */
  readonly rowsSetAside: number;
  /** How many workers hold a range now. */
  readonly workers: number;
  /** Since it began, pauses included. */
  readonly rowsPerSecond: number;
  readonly slowestBatchMs: number;
  readonly averageBatchMs: number;
  /** How long the rest will take; undefined until a range is done. */
  readonly remainingMs: RemainingMs | undefined;
  /** Five of the rows that could not be changed, the oldest first. */
  readonly failures: readonly RowFailure[];
}
