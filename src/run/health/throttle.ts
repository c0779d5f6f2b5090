import { compareHealth } from "./rates.ts";
import type { HealthSample, LockWaiter, TableHealth } from "./health-sample.ts";

/** Above which figures a backfill slows down. Null is no limit. */
export interface ThrottleLimits {
  /** Sessions that may wait behind us for longer than `waitedMs`. */
  readonly waitersBehindUs: number | null;
  /** A wait shorter than this is an ordinary one. */
  readonly waitedMs: number;
  readonly replicaLagBytes: number | null;
  readonly replicaLagMs: number | null;
  /** Needs a former sample. */
  readonly walBytesPerSecond: number | null;
  /** Segments of WAL that wait to be archived. */
  readonly archiveBacklogSegments: number | null;
  /** Dead rows of all rows of one table, 0 to 1. */
  readonly deadRatio: number | null;
  /** A table with fewer dead rows than this is left alone by `deadRatio`. */
  readonly deadRows: number;
  /** Whether a vacuum of one of the tables is a reason. */
  readonly runningVacuum: boolean;
}

/**
 * The defaults of {@link ThrottleLimits}.
 *
 * An update of every row leaves one dead row for each live one, a share of a half: what is above it, vacuum does not keep up
 * with. How much WAL a server and its standbys can bear only its owner knows: no limit.
 */
export const DEFAULT_THROTTLE_LIMITS: ThrottleLimits = {
  waitersBehindUs: 0,
  waitedMs: 100,
  replicaLagBytes: 256 * 1024 * 1024,
  replicaLagMs: 10_000,
  walBytesPerSecond: null,
  archiveBacklogSegments: 42,
  deadRatio: 0.5,
  deadRows: 10_000,
  runningVacuum: true,
};

/**
 * Why to slow down, in words, or undefined where nothing speaks against full speed: a pure function of two samples.
 *
 * The tables are those of the sample; the former sample is needed for rates only. What a login may not read is no reason.
 *
 * @example
 * const sample = await sampleHealth(db, { tables: [{ table: "users" }] });
 * console.log(throttleReason(undefined, sample) ?? "full speed");
 */
export function throttleReason(
  before: HealthSample | undefined,
  after: HealthSample,
  limits: Partial<ThrottleLimits> = {},
): string | undefined {
  const all: ThrottleLimits = { ...DEFAULT_THROTTLE_LIMITS, ...limits };
  return (
    waiters(after, all) ??
    replicas(after, all) ??
    archive(after, all) ??
    wal(before, after, all) ??
    vacuums(after, all) ??
    deadRows(after, all)
  );
}

function waiters({ locks }: HealthSample, limits: ThrottleLimits): string | undefined {
  const { waitersBehindUs, waitedMs } = limits;
  const behind = locks.waiters.filter(
    (waiter) => waiter.behindUs && (waiter.waitedMs ?? 0) > waitedMs,
  );
  const [longest] = behind;
  if (waitersBehindUs === null || longest === undefined || behind.length <= waitersBehindUs)
    return undefined;
  return `${sessions(behind.length)} behind us, the longest ${describeWaiter(longest)}`;
}

function sessions(count: number): string {
  return count === 1 ? "1 session waits" : `${count} sessions wait`;
}

function describeWaiter({ pid, waitedMs, mode, relation }: LockWaiter): string {
  const on = relation === null ? "" : ` on ${relation}`;
  return `(pid ${pid}) for ${Math.round(waitedMs ?? 0)} ms: ${mode}${on}`;
}

function replicas({ replicas }: HealthSample, limits: ThrottleLimits): string | undefined {
  const { replicaLagBytes, replicaLagMs } = limits;
  for (const { name, lagBytes, lagMs } of replicas) {
    if (replicaLagBytes !== null && (lagBytes ?? 0) > replicaLagBytes)
      return `replica ${name} is ${megabytes(lagBytes ?? 0)} behind`;
    if (replicaLagMs !== null && (lagMs ?? 0) > replicaLagMs)
      return `replica ${name} is ${Math.round((lagMs ?? 0) / 1_000)} s behind`;
  }
  return undefined;
}

function archive({ archiver }: HealthSample, limits: ThrottleLimits): string | undefined {
  const { archiveBacklogSegments: limit } = limits;
  const backlog = archiver?.backlogSegments ?? 0;
  return limit === null || backlog <= limit
    ? undefined
    : `${backlog} segments of WAL wait to be archived`;
}

function wal(
  before: HealthSample | undefined,
  after: HealthSample,
  { walBytesPerSecond: limit }: ThrottleLimits,
): string | undefined {
  if (before === undefined || limit === null) return undefined;
  const rate = compareHealth(before, after).walBytesPerSecond ?? 0;
  return rate <= limit ? undefined : `WAL is written at ${megabytes(rate)} a second`;
}

function vacuums({ vacuums, tables }: HealthSample, limits: ThrottleLimits): string | undefined {
  if (!limits.runningVacuum) return undefined;
  const found = vacuums.find(
    ({ schema, name, root, phase }) =>
      // An analyse is short, and what it reads is not what we write.
      phase !== "analyze" &&
      tables.some((table) => isTable(table, { schema, name }) || (root && isTable(table, root))),
  );
  if (found === undefined) return undefined;
  const { schema, name, automatic, phase } = found;
  return `${automatic ? "autovacuum" : "a vacuum"} is at work on ${schema}.${name}${phase === null ? "" : ` (${phase})`}`;
}

function isTable(
  table: TableHealth,
  { schema, name }: { readonly schema: string; readonly name: string },
): boolean {
  return table.schema === schema && table.name === name;
}

function deadRows({ tables }: HealthSample, limits: ThrottleLimits): string | undefined {
  const { deadRatio: limit, deadRows: fewest } = limits;
  if (limit === null) return undefined;
  const found = tables.find(
    ({ deadRatio, deadRows }) => (deadRatio ?? 0) > limit && deadRows >= fewest,
  );
  if (found === undefined) return undefined;
  const percent = Math.round(100 * (found.deadRatio ?? 0));
  return `${percent} % of the rows of ${found.schema}.${found.name} are dead`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(bytes < 10 * 1024 * 1024 ? 1 : 0)} MB`;
}
