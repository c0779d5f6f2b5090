import type { BackfillHealth, HealthSample, LockWaiter, TableHealth } from "./health-sample.ts";

/** What happened between two samples. A rate is null where it cannot be told: no time passed, or a counter was reset. */
export interface HealthRates {
  readonly seconds: number;
  readonly walBytesPerSecond: number | null;
  readonly checkpointsRequestedPerMinute: number | null;
  readonly archiveFailuresPerMinute: number | null;
  /** Waits that the second sample sees and the first did not. PostgreSQL counts none, so that a wait that began and ended between two samples is missed: sample often. */
  readonly lockWaitsPerMinute: number | null;
  readonly deadlocksPerMinute: number | null;
  readonly batchesPerMinute: number | null;
  readonly failedBatchesPerMinute: number | null;
  /** Failed batches of all batches that were tried between, 0 to 1; null where none was. */
  readonly failedBatchShare: number | null;
  readonly tables: readonly TableRates[];
  readonly backfills: readonly BackfillRates[];
}

/** What happened to a table between two samples. */
export interface TableRates {
  readonly schema: string;
  readonly name: string;
  /** Below zero after a vacuum. */
  readonly deadRowsPerSecond: number | null;
}

/** How fast a backfill was between two samples. */
export interface BackfillRates {
  readonly run: string;
  readonly step: string;
  readonly rowsPerSecond: number | null;
}

/**
 * What happened between two samples of one database: a pure function.
 *
 * Counters of PostgreSQL start again at a reset of the statistics and after a crash: a counter that went back has no rate.
 */
export function compareHealth(before: HealthSample, after: HealthSample): HealthRates {
  const seconds = (after.clockMs - before.clockMs) / 1_000;
  const perSecond = (from: number | null | undefined, to: number | null | undefined) => {
    const grown = growth(from, to);
    return grown === null || seconds <= 0 ? null : grown / seconds;
  };
  const perMinute = (from: number | null | undefined, to: number | null | undefined) => {
    const rate = perSecond(from, to);
    return rate === null ? null : rate * 60;
  };
  const batches = sumGrowth(before, after, ({ batches }) => batches);
  const failed = sumGrowth(before, after, ({ failedBatches }) => failedBatches);
  return {
    seconds,
    walBytesPerSecond: perSecond(before.wal.position, after.wal.position),
    checkpointsRequestedPerMinute: perMinute(
      before.wal.checkpointsRequested,
      after.wal.checkpointsRequested,
    ),
    archiveFailuresPerMinute: perMinute(before.archiver?.failed, after.archiver?.failed),
    lockWaitsPerMinute: perMinute(0, newWaits(before, after).length),
    deadlocksPerMinute: perMinute(before.locks.deadlocks, after.locks.deadlocks),
    batchesPerMinute: perMinute(0, batches),
    failedBatchesPerMinute: perMinute(0, failed),
    failedBatchShare: batches + failed === 0 ? null : failed / (batches + failed),
    tables: after.tables.map((table) => ({
      schema: table.schema,
      name: table.name,
      deadRowsPerSecond: deadRowsPerSecond(
        before.tables.find(({ schema, name }) => schema === table.schema && name === table.name),
        table,
        seconds,
      ),
    })),
    backfills: after.backfills.map((backfill) => ({
      run: backfill.run,
      step: backfill.step,
      rowsPerSecond: perSecond(sameBackfill(before, backfill)?.rowsChanged, backfill.rowsChanged),
    })),
  };
}

/** The waits of the second sample that had not begun at the first. */
export function newWaits(before: HealthSample, after: HealthSample): readonly LockWaiter[] {
  return after.locks.waiters.filter(
    ({ pid, since }) =>
      !before.locks.waiters.some(
        // A wait so young that PostgreSQL had not written down its beginning is the same wait.
        (other) => other.pid === pid && (other.since === null || other.since === since),
      ),
  );
}

/** How far a counter came; null where it is unknown or was set back. */
function growth(from: number | null | undefined, to: number | null | undefined): number | null {
  return from == null || to == null || to < from ? null : to - from;
}

/** A backfill that the first sample does not know has begun since. */
function sumGrowth(
  before: HealthSample,
  after: HealthSample,
  pick: (backfill: BackfillHealth) => number,
): number {
  return after.backfills.reduce((sum, backfill) => {
    const former = sameBackfill(before, backfill);
    return sum + (growth(former === undefined ? 0 : pick(former), pick(backfill)) ?? 0);
  }, 0);
}

function sameBackfill(
  { backfills }: HealthSample,
  { run, step }: BackfillHealth,
): BackfillHealth | undefined {
  return backfills.find((other) => other.run === run && other.step === step);
}

function deadRowsPerSecond(
  before: TableHealth | undefined,
  after: TableHealth,
  seconds: number,
): number | null {
  return before === undefined || seconds <= 0 ? null : (after.deadRows - before.deadRows) / seconds;
}
