import { sqlStateOf, toError, UnderpinError } from "../errors.ts";
import type { Session } from "../executor/executor.ts";
import type { Lock } from "../plan/step.ts";
import { describeBlocker, trackOldBlockers, type Blocker } from "./blockers.ts";
import { backoffMs, sleep } from "./backoff.ts";
import { checkCancelled, type RunContext } from "./context.ts";
import { StepFailed } from "./failure.ts";
import { readBlockers } from "./preflight.ts";

const LONGEST_REST_MS = 5_000;

/**
 * Waits, without queueing, until no old transaction would make a CONCURRENTLY form wait.
 *
 * These forms take no strong lock, but wait for every transaction that holds a snapshot older than theirs, prepared ones
 * included, also when it never touched the table. Vacuum and other CONCURRENTLY builds are not waited for.
 */
export async function waitForOldTransactions(
  context: RunContext,
  step: string,
  locks: readonly Lock[],
): Promise<void> {
  const { executor, settings, emit, signal } = context;
  const old = trackOldBlockers(settings.lockTimeoutMs);
  const beganMs = performance.now();
  for (let attempt = 1; ; attempt++) {
    checkCancelled(context);
    // They wait for every holder of any lock on the table, not only for those that conflict with their own.
    const anyHolder = locks.map((lock): Lock => ({ ...lock, mode: "accessExclusive" }));
    const held = await readBlockers(executor, anyHolder);
    const blockers = old([...held, ...(await readSnapshots(context))], performance.now());
    if (blockers.length === 0) return;
    if (performance.now() - beganMs > settings.outsideWaitMs) throw waitedTooLong(step, blockers);
    const restMs = backoffMs(attempt, settings.retryDelayMs, LONGEST_REST_MS);
    emit({ type: "blocked", step, blockers, restMs });
    await sleep(restMs, signal);
  }
}

async function readSnapshots({
  executor,
}: Pick<RunContext, "executor">): Promise<readonly Blocker[]> {
  const [row] = await executor.query<{ json: string }>(SNAPSHOTS_SQL);
  return JSON.parse(row?.json ?? "[]") as readonly Blocker[];
}

// VACUUM and index builds are not waited for, nor are replication slots: they hold back vacuum, not a build. A prepared
// transaction is waited for by its locks, which pg_locks has shown. What this login may not see is left to the watchdog.
const SNAPSHOTS_SQL = `
SELECT coalesce(pg_catalog.json_agg(b), '[]'::json)::text AS json FROM (
  SELECT a.pid, 'a snapshot' AS mode, 'the whole database' AS relation, a.usename AS role,
         a.application_name AS application, a.state, a.query,
         'snapshot ' || a.pid || ' ' || a.backend_xmin::text AS transaction,
         pg_catalog.round(1000 * extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start)) AS "transactionAgeMs"
  FROM pg_catalog.pg_stat_activity a
  WHERE a.datname = pg_catalog.current_database() AND a.pid <> pg_catalog.pg_backend_pid()
    AND a.backend_type IN ('client backend', 'walsender') AND a.backend_xmin IS NOT NULL
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_progress_create_index p WHERE p.pid = a.pid)
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_progress_vacuum p WHERE p.pid = a.pid)
) b`;

/** How often the watchdog looks, unless the lock timeout is shorter. */
const LOOK_MS = 1_000;

/**
 * Watches a statement from another connection, and cancels it when it has waited for others longer than allowed: where it
 * queues for a lock that makes readers or writers wait (the second half of DETACH CONCURRENTLY does), the lock timeout; else,
 * for old transactions, `outsideWaitMs`.
 *
 * On a pool of one there is no other connection: a look stands in the queue until the session is released. So nothing
 * here is awaited, and a look that comes too late does nothing.
 */
export async function watch<T>(
  context: RunContext,
  session: Session,
  step: string,
  work: () => Promise<T>,
): Promise<T> {
  const { connectPid } = session;
  if (connectPid === undefined) return work();
  const looking: Looking = { ended: new AbortController(), gaveUpOn: undefined, queued: false };
  look(context, connectPid, step, looking).catch((error: unknown) => {
    // The statement itself tells what became of it; that nobody watches it is worth a word only while it runs.
    if (!looking.ended.signal.aborted)
      context.emit({ type: "watchFailed", step, message: toError(error).message });
  });
  try {
    return await work();
  } catch (error) {
    if (sqlStateOf(error) !== "57014" || looking.gaveUpOn === undefined) throw error;
    // 55P03 is what a lock timeout of the server's own would have said: it is tried again.
    const cause = looking.queued
      ? Object.assign(new Error("lock timeout"), { code: "55P03" })
      : error;
    throw waitedTooLong(step, looking.gaveUpOn, cause);
  } finally {
    looking.ended.abort();
  }
}

interface Looking {
  readonly ended: AbortController;
  gaveUpOn: readonly Blocker[] | undefined;
  queued: boolean;
}

async function look(
  { executor, settings, emit }: RunContext,
  pid: number,
  step: string,
  looking: Looking,
): Promise<void> {
  const ended = looking.ended.signal;
  const restMs = Math.min(LOOK_MS, Math.max(20, settings.lockTimeoutMs / 4));
  for (let waitingSinceMs: number | undefined; ; ) {
    await sleep(restMs, ended);
    const [row] = await executor.query<{ json: string }>(WAITED_FOR_SQL, [pid]);
    const { blockers, queued } = JSON.parse(row?.json ?? "{}") as Waiting;
    if (ended.aborted) return;
    if (blockers.length === 0) {
      waitingSinceMs = undefined;
      continue;
    }
    waitingSinceMs ??= performance.now();
    emit({ type: "blocked", step, blockers, restMs });
    // One look may be late by a rest.
    const limitMs = queued ? settings.lockTimeoutMs - 2 * restMs : settings.outsideWaitMs;
    if (performance.now() - waitingSinceMs <= limitMs) continue;
    looking.gaveUpOn = blockers;
    looking.queued = queued;
    await executor.query("SELECT pg_catalog.pg_cancel_backend($1::int)", [pid]);
    return;
  }
}

interface Waiting {
  readonly blockers: readonly Blocker[];
  /** Whether it queues for a lock that makes others wait behind it. */
  readonly queued: boolean;
}

const WAITED_FOR_SQL = `
SELECT pg_catalog.json_build_object('queued', EXISTS (
  SELECT FROM pg_catalog.pg_locks l WHERE l.pid = $1::int AND NOT l.granted AND l.locktype = 'relation'
    AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')),
'blockers', coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
  'pid', a.pid, 'mode', 'what it waits for', 'relation', 'the whole database', 'role', a.usename,
  'application', a.application_name, 'state', a.state, 'query', a.query, 'transaction', a.pid::text,
  'transactionAgeMs', pg_catalog.round(1000 * extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start)))),
  '[]'::json))::text AS json
FROM pg_catalog.unnest(pg_catalog.pg_blocking_pids($1::int)) AS b (pid)
LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = b.pid`;

function waitedTooLong(step: string, blockers: readonly Blocker[], cause?: unknown): StepFailed {
  return new StepFailed(
    step,
    undefined,
    new UnderpinError({
      code: "blocked",
      message: `step "${step}" waited too long for old transactions:\n  ${blockers.map(describeBlocker).join("\n  ")}`,
      hint: "End those transactions, for example SELECT pg_terminate_backend(pid), or raise outsideWaitMs; then apply again.",
      cause,
    }),
    blockers,
  );
}
