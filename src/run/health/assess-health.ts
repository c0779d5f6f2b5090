import type { HealthSample, LockWaiter } from "./health-sample.ts";
import { compareHealth, newWaits } from "./rates.ts";
import type { HealthThresholds } from "./thresholds.ts";

/** What an alert is about. */
export type AlertName =
  | "failedBatches"
  | "probeLatency"
  | "connections"
  | "lockWaits"
  | "host"
  | "longTransaction"
  | "replicaLag"
  | "slot"
  | "archive"
  | "deadRows"
  | "wal"
  /** The database did not answer. */
  | "noSample";

/** One figure above its threshold. */
export interface Excess {
  readonly name: AlertName;
  /** Which replica, slot, table or process of several; null where there is one of it. */
  readonly subject: string | null;
  /** In words, with who or what it is. */
  readonly what: string;
  readonly value: number;
  readonly limit: number;
}

/** How far back figures of the last minute go. */
export const WINDOW_MS = 60_000;

/** Of fewer batches no share is told: one of two is no half. */
const FEWEST_BATCHES = 20;

/** Probes of which the median is judged: a single slow one is chance. */
const PROBES = 3;

const FEWEST_DEAD_ROWS = 10_000;

/**
 * Which figures are above their thresholds: a pure function of the samples of the last minute, the oldest first.
 *
 * The probe's baseline is what it takes in good times; without one its time is not judged.
 */
export function assessHealth(
  samples: readonly HealthSample[],
  thresholds: HealthThresholds,
  probeBaselineMs?: number,
): readonly Excess[] {
  const first = samples[0];
  const last = samples.at(-1);
  if (first === undefined || last === undefined) return [];
  const above = (
    name: AlertName,
    value: number | null,
    limit: number | null,
    what: string,
    subject: string | null = null,
  ): readonly Excess[] =>
    value === null || limit === null || value <= limit
      ? []
      : [{ name, subject, what, value, limit }];
  const { connections, transactions, archiver } = last;
  const open = connections.max - connections.reserved;
  const rates = compareHealth(first, last);
  const waits = waitsOf(samples);
  const tried = batchesTried(rates);
  const probeMs = medianProbe(samples);
  const { probeSlowdown, probeFloorMs } = thresholds;
  return [
    ...above(
      "failedBatches",
      tried < FEWEST_BATCHES ? null : rates.failedBatchShare,
      thresholds.failedBatchShare,
      `${percent(rates.failedBatchShare ?? 0)} of the batches of the last minute failed`,
    ),
    ...above(
      "probeLatency",
      probeMs,
      probeBaselineMs === undefined || probeSlowdown === null
        ? null
        : Math.max(probeSlowdown * probeBaselineMs, probeFloorMs),
      `the probe takes ${round(probeMs ?? 0)} ms, in good times ${round(probeBaselineMs ?? 0)} ms`,
    ),
    ...above(
      "connections",
      open <= 0 ? null : connections.used / open,
      thresholds.connectionShare,
      `${connections.used} of ${open} connections are taken`,
    ),
    ...above(
      "lockWaits",
      waits.length,
      thresholds.lockWaitsPerMinute,
      `${waits.length} sessions began to wait for a lock in the last minute${worstBlocker(last)}`,
    ),
    ...above(
      "host",
      last.host === null ? null : Math.max(last.host.cpu ?? 0, last.host.memory ?? 0),
      thresholds.hostShare,
      `the machine uses ${hostText(last)}`,
    ),
    ...above(
      "longTransaction",
      transactions.longest?.ageMs ?? null,
      thresholds.longTransactionMs,
      longText(last),
      transactions.longest === null ? null : String(transactions.longest.pid),
    ),
    ...last.replicas.flatMap(({ name, lagMs, lagBytes }) => [
      ...above(
        "replicaLag",
        lagMs,
        thresholds.replicaLagMs,
        `replica ${name} is ${round((lagMs ?? 0) / 1_000)} s behind`,
        name,
      ),
      ...above(
        "replicaLag",
        lagBytes,
        thresholds.replicaLagBytes,
        `replica ${name} is ${megabytes(lagBytes ?? 0)} behind`,
        name,
      ),
    ]),
    ...last.slots.flatMap(({ name, active, retainedBytes }) =>
      above(
        "slot",
        retainedBytes,
        thresholds.slotBytes,
        `slot ${name} keeps ${megabytes(retainedBytes ?? 0)} of WAL${active ? "" : " for nobody: it is not in use"}`,
        name,
      ),
    ),
    ...above(
      "archive",
      archiver?.backlogSegments ?? null,
      thresholds.archiveBacklogSegments,
      `${archiver?.backlogSegments ?? 0} segments of WAL wait to be archived`,
    ),
    ...last.tables.flatMap(({ schema, name, deadRows, deadRatio }) =>
      above(
        "deadRows",
        deadRows < FEWEST_DEAD_ROWS ? null : deadRatio,
        thresholds.deadRatio,
        `${percent(deadRatio ?? 0)} of the rows of ${schema}.${name} are dead`,
        `${schema}.${name}`,
      ),
    ),
    ...above(
      "wal",
      rates.walBytesPerSecond,
      thresholds.walBytesPerSecond,
      `${megabytes(rates.walBytesPerSecond ?? 0)} of WAL are written a second`,
    ),
  ];
}

/** The median of what a few probes took: what the first ones take is the baseline where none is given. */
export function medianProbe(samples: readonly HealthSample[], count = PROBES): number | null {
  const times = samples.flatMap(({ probe }) => (probe === null ? [] : [probe.ms])).slice(-count);
  const sorted = times.toSorted((a, b) => a - b);
  return times.length < count ? null : (sorted[Math.floor(count / 2)] ?? null);
}

/** Every wait that was seen, once. Those that the oldest sample saw count where they had begun in the window. */
function waitsOf(samples: readonly HealthSample[]): readonly LockWaiter[] {
  return samples.flatMap((sample, at) => {
    const former = samples[at - 1];
    return former === undefined
      ? sample.locks.waiters.filter(({ waitedMs }) => (waitedMs ?? 0) < WINDOW_MS)
      : newWaits(former, sample);
  });
}

function batchesTried({
  seconds,
  batchesPerMinute,
  failedBatchesPerMinute,
}: ReturnType<typeof compareHealth>): number {
  return Math.round((((batchesPerMinute ?? 0) + (failedBatchesPerMinute ?? 0)) * seconds) / 60);
}

function worstBlocker({ locks }: HealthSample): string {
  const [worst] = locks.blockers;
  if (worst === undefined) return "";
  const who = worst.pid === null ? "a prepared transaction" : `pid ${worst.pid}`;
  return `; ${worst.waiting} now for ${who}${worst.query === null ? "" : `: ${oneLine(worst.query)}`}`;
}

function longText({ transactions: { longest } }: HealthSample): string {
  if (longest === null) return "";
  const { pid, role, state, ageMs, query } = longest;
  return `a transaction is open for ${round(ageMs / 1_000)} s: pid ${pid}${role === null ? "" : ` (${role})`}, ${state ?? "state unknown"}${query === null ? "" : `: ${oneLine(query)}`}`;
}

function hostText({ host }: HealthSample): string {
  return Object.entries(host ?? {})
    .map(([name, share]) => `${percent(Number(share))} of its ${name}`)
    .join(", ");
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ");
}

function percent(share: number): string {
  return `${round(100 * share)} %`;
}

function megabytes(bytes: number): string {
  return `${round(bytes / 1024 / 1024)} MB`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
