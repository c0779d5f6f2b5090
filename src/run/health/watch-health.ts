import { setTimeout as rest } from "node:timers/promises";
import { toError, UnderpinError } from "../../errors.ts";
import { toExecutor, type DatabaseLike } from "../../executor/connect.ts";
import { pause } from "../control.ts";
import { edges, type AlertEdge } from "./alert-edges.ts";
import {
  assessHealth,
  medianProbe,
  WINDOW_MS,
  type AlertName,
  type Excess,
} from "./assess-health.ts";
import type { HealthSample } from "./health-sample.ts";
import { sampleHealth, type SampleOptions } from "./sample-health.ts";
import { toThresholds, type HealthThresholds } from "./thresholds.ts";

/** One figure that went above its threshold, or came back. */
export interface Alert extends AlertEdge {
  /** The run that was asked to pause because of it. */
  readonly pausedRun?: string;
  /** Why that run could not be asked. */
  readonly pauseFailure?: string;
}

/** How to watch. */
export interface WatchOptions extends SampleOptions {
  /** Rest between two samples. Waits for locks that are shorter may go unseen. @default 5_000 */
  readonly everyMs?: number;
  /** What the probe takes in good times. Left out: the median of its first five. */
  readonly probeBaselineMs?: number;
  /**
   * A run to pause when an alert is raised: by name for every alert but `noSample`, or for those that are listed. It stays paused
   * until somebody resumes it.
   */
  readonly pauseRun?: string | { readonly run: string; readonly on: readonly AlertName[] };
  /** Told every sample, for a screen or a log of your own. */
  readonly onSample?: (sample: HealthSample) => void;
  /** Stops the watch. */
  readonly signal?: AbortSignal;
  /** Keeps the process alive by itself. @default false */
  readonly keepAlive?: boolean;
}

/** A watch that is going on. */
export interface HealthWatch {
  /** Ends it; resolves when its last look is over, or did not come back within twice `timeoutMs`. */
  readonly stop: () => Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Probes of which the median is the baseline. */
const BASELINE_PROBES = 5;

/**
 * Looks at a database again and again, and tells of each figure once when it goes above its threshold, and once when it is
 * back. A database that does not answer is an alert too, `noSample`: the watch goes on, and answers when it does.
 *
 * An alert can pause a run by itself. What it tells is told; a callback that throws changes nothing.
 *
 * @example
 * const watch = watchHealth(db, { lockWaitsPerMinute: 5 }, ({ state, what, since }) => {
 *   console.log(`${state}: ${what}, since ${since}`);
 * });
 * await watch.stop();
 */
export function watchHealth(
  db: DatabaseLike,
  thresholds: Partial<HealthThresholds>,
  onAlert: (alert: Alert) => void,
  options: WatchOptions = {},
): HealthWatch {
  // Refused here and not in the first look: who calls wrongly is told so.
  toExecutor(db);
  const limits = toThresholds(thresholds);
  const everyMs = durationOf("everyMs", options.everyMs ?? 5_000);
  const timeoutMs = durationOf("timeoutMs", options.timeoutMs ?? 5_000);
  const stopped = new AbortController();
  const stop = () => stopped.abort();
  if (options.signal?.aborted === true) stop();
  options.signal?.addEventListener("abort", stop, { once: true });
  const { signal: stopping } = stopped;
  const ended = watch({
    db,
    limits,
    everyMs,
    timeoutMs,
    onAlert,
    options,
    stopped: stopping,
  }).finally(() => options.signal?.removeEventListener("abort", stop));
  const end = async () => {
    stop();
    await ended;
  };
  return { stop: end, [Symbol.asyncDispose]: end };
}

interface Watching {
  readonly db: DatabaseLike;
  readonly limits: HealthThresholds;
  readonly everyMs: number;
  readonly timeoutMs: number;
  readonly onAlert: (alert: Alert) => void;
  readonly options: WatchOptions;
  readonly stopped: AbortSignal;
}

async function watch(watching: Watching): Promise<void> {
  const { limits, everyMs, options, stopped } = watching;
  const tell = edges();
  let samples: readonly HealthSample[] = [];
  let probes: readonly HealthSample[] = [];
  const judge = async (seen: Look) => {
    if ("error" in seen) return report(watching, tell.missing(noSample(seen.error)));
    const { sample } = seen;
    safely(() => options.onSample?.(sample));
    samples = [...samples.filter(({ clockMs }) => sample.clockMs - clockMs <= WINDOW_MS), sample];
    if (probes.length < BASELINE_PROBES && sample.probe !== null) probes = [...probes, sample];
    const baselineMs = options.probeBaselineMs ?? medianProbe(probes, BASELINE_PROBES) ?? undefined;
    await report(watching, tell.seen(assessHealth(samples, limits, baselineMs), sample.clock));
  };
  while (!stopped.aborted) {
    await look(watching, judge);
    await rest(everyMs, undefined, { ref: options.keepAlive ?? false, signal: stopped }).catch(
      () => {},
    );
  }
}

type Look = { readonly sample: HealthSample } | { readonly error: string };

/** One look at a time, however long it takes: a statement has its limit, the wait for a connection has none. */
async function look(
  { db, timeoutMs, options, stopped }: Watching,
  judge: (seen: Look) => Promise<void>,
): Promise<void> {
  const looked = sampleHealth(db, { ...options, timeoutMs }).then(
    (sample): Look => ({ sample }),
    (error: unknown): Look => ({ error: toError(error).message }),
  );
  const patienceMs = 2 * timeoutMs;
  const inTime = new AbortController();
  const late = rest(patienceMs, undefined, {
    ref: options.keepAlive ?? false,
    signal: inTime.signal,
  }).catch(() => undefined);
  const seen = await Promise.race([looked, late]);
  inTime.abort();
  if (seen !== undefined) return judge(seen);
  await judge({ error: `no answer within ${patienceMs} ms` });
  const after = await Promise.race([looked, aborted(stopped)]);
  if (after !== undefined) await judge(after);
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
}

function noSample(error: string): Excess {
  return {
    name: "noSample",
    subject: null,
    what: `the database cannot be looked at: ${error}`,
    value: 1,
    limit: 0,
  };
}

/** Tells the changes, after the run that a new one is to pause was asked. */
async function report(watching: Watching, changes: readonly AlertEdge[]): Promise<void> {
  const { db, onAlert, options } = watching;
  const isReason = reasonToPause(options);
  const run = typeof options.pauseRun === "object" ? options.pauseRun.run : options.pauseRun;
  const pausing =
    run === undefined || !changes.some(isReason)
      ? {}
      : await pause(db, run, options).then(
          () => ({ pausedRun: run }),
          (error: unknown) => ({ pauseFailure: toError(error).message }),
        );
  for (const change of changes)
    safely(() => onAlert(isReason(change) ? { ...change, ...pausing } : change));
}

function reasonToPause({ pauseRun }: WatchOptions): (change: AlertEdge) => boolean {
  if (pauseRun === undefined) return () => false;
  const on = typeof pauseRun === "object" ? pauseRun.on : undefined;
  return ({ state, name }) =>
    state === "raised" && (on === undefined ? name !== "noSample" : on.includes(name));
}

/** A watch never fails by being listened to. */
function safely(callback: () => unknown): void {
  try {
    // An async function is a fine callback too; nobody waits for it.
    Promise.resolve(callback()).catch(() => {});
  } catch {
    // The same as above, said at once.
  }
}

function durationOf(name: string, ms: number): number {
  if (Number.isFinite(ms) && ms > 0 && ms <= 2_147_483_647) return ms;
  throw new UnderpinError({
    code: "invalidInput",
    message: `${name} is ${ms}: it must be a number of milliseconds above 0`,
    hint: "Leave it out for 5 seconds.",
  });
}
