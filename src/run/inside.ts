import { isRetryable, sqlStateOf, toError, UnderpinError } from "../errors.ts";
import type { Queryable } from "../executor/executor.ts";
import { blocksWrites } from "../plan/lock.ts";
import { ident, literal } from "../sql/quote.ts";
import { createsOf, locksOf, rowsOf, sqlOf, type Action } from "./action.ts";
import { backoffMs, sleep } from "./backoff.ts";
import { describeBlocker, trackOldBlockers, type Blocker } from "./blockers.ts";
import { runCheck } from "./check.ts";
import { checkCancelled, marker, type RunContext } from "./context.ts";
import type { RunEvent } from "./events.ts";
import { StepFailed } from "./failure.ts";
import { fenceSql, refuseLostLease } from "./lease.ts";
import { readBlockers, refuseOverLockBudget } from "./preflight.ts";
import { refuseHiddenRows } from "./row-security.ts";
import { transactionSettingsSql } from "./settings.ts";

/** The longest rest between two tries. */
const LONGEST_REST_MS = 15_000;

/** How often a statement may run into the hold limit before it is called too slow for a strong lock. */
const SLOW_TRIES = 5;

/**
 * Runs actions in one transaction with their journal rows: all of them happened, or none did.
 *
 * It looks for blockers before it queues, waits a bounded time, and on a lock timeout, deadlock or serialisation failure rolls
 * back, rests so that the queue behind it drains, and tries again within the budget.
 */
export async function runInside(context: RunContext, actions: readonly Action[]): Promise<void> {
  const { settings, emit, signal } = context;
  const locks = actions.flatMap(locksOf);
  const creates = actions.reduce((sum, action) => sum + createsOf(action), 0);
  const first = actions[0]?.step.id ?? "";
  const oldBlockers = trackOldBlockers(settings.lockTimeoutMs);
  const beganMs = performance.now();
  for (let attempt = 1, slow = 0; ; attempt++) {
    checkCancelled(context);
    const overBudget = performance.now() - beganMs > settings.lockBudgetMs;
    const restMs = backoffMs(attempt, settings.retryDelayMs, LONGEST_REST_MS);
    if (attempt === 1) await refuseOverLockBudget(context.executor, locks, creates, first);
    const blockers = oldBlockers(await readBlockers(context.executor, locks), performance.now());
    if (blockers.length > 0) {
      if (overBudget) throw blocked(actions, blockers);
      emit({ type: "blocked", step: first, blockers, restMs });
      await sleep(restMs, signal);
      continue;
    }
    const progress: Progress = { action: undefined, strongSinceMs: undefined };
    try {
      const done = await context.executor.transaction((tx) =>
        runActions(context, tx, actions, progress),
      );
      for (const event of done) emit(event);
      return;
    } catch (error) {
      const tooSlow = hitHoldLimit(error, progress, settings.lockTimeoutMs);
      if (tooSlow) slow++;
      if (!(isRetryable(error) || tooSlow)) throw error;
      if (slow >= SLOW_TRIES) throw tooLong(context, progress.action, error);
      if (overBudget) throw blocked(actions, await readBlockers(context.executor, locks), error);
      const reason = toError(error).message;
      emit({ type: "retrying", step: progress.action?.step.id ?? first, attempt, reason, restMs });
      await sleep(restMs, signal);
    }
  }
}

interface Progress {
  action: Action | undefined;
  /** When the first lock that makes writers wait was asked for. */
  strongSinceMs: number | undefined;
}

/** Returns the events to tell once the commit has succeeded. */
async function runActions(
  context: RunContext,
  tx: Queryable,
  actions: readonly Action[],
  progress: Progress,
): Promise<readonly RunEvent[]> {
  const { lease, emit } = context;
  const settings = transactionSettingsSql(context, {
    statementMs: statementLimitMs(context, actions[0], progress),
    strong: actions.some(isStrong),
  });
  refuseLostLease(await tx.query(`${settings}; ${fenceSql(lease)}`), lease);
  const done: RunEvent[] = [];
  for (const [at, action] of actions.entries()) {
    checkCancelled(context);
    progress.action = action;
    const startedMs = performance.now();
    const sql = sqlOf(action);
    if (sql !== undefined) {
      emit({ type: "stepStarted", step: action.step.id, title: action.step.title, sql });
      await refuseHiddenRows(tx, rowsOf(action), action.step.id);
      if (isStrong(action)) progress.strongSinceMs ??= performance.now();
      await runOne(context, tx, action, sql);
    }
    await journal(context, tx, action, statementLimitMs(context, actions[at + 1], progress));
    done.push({
      type: action.becomes === "applied" ? "stepApplied" : "stepUndone",
      step: action.step.id,
      title: action.step.title,
      elapsedMs: performance.now() - startedMs,
    });
  }
  return done;
}

async function runOne(
  context: RunContext,
  tx: Queryable,
  action: Action,
  sql: string,
): Promise<void> {
  const { work } = action;
  try {
    if (work.kind === "check") await runCheck(tx, work.check, marker(context, action.step.id));
    else await tx.query(`${marker(context, action.step.id)}${sql}`);
  } catch (cause) {
    throw new StepFailed(action.step.id, sql, cause);
  }
}

/** Whether an action makes writers wait. */
function isStrong(action: Action): boolean {
  return locksOf(action).some(({ mode }) => blocksWrites(mode));
}

/** How long an action may take: no limit while nobody waits, then what is left of the hold limit. 0 is no limit. */
function statementLimitMs(
  { settings }: RunContext,
  action: Action | undefined,
  { strongSinceMs }: Progress,
): number {
  if (strongSinceMs === undefined)
    return action !== undefined && isStrong(action) ? settings.lockTimeoutMs : 0;
  return Math.max(1, Math.round(settings.lockTimeoutMs - (performance.now() - strongSinceMs)));
}

/** Journals the action, and in the same round trip sets the limit of the next one. */
async function journal(
  { lease, runId }: RunContext,
  tx: Queryable,
  { step, becomes }: Action,
  nextLimitMs: number,
): Promise<void> {
  // Literals, not parameters: a driver asks the server for the types of parameters first, a round trip of its own.
  await tx.query(
    `UPDATE ${ident(lease.schema)}.steps
     SET state = ${literal(becomes)}, error = NULL, backend_pid = NULL, backend_start = NULL,
         attempts = attempts + 1, changed_at = pg_catalog.clock_timestamp()
     WHERE run_id = ${Number(runId)} AND id = ${literal(step.id)}
     RETURNING pg_catalog.set_config('statement_timeout', ${literal(String(nextLimitMs))}, true)`,
  );
}

/** 57014 is any cancellation: it was our limit if the time is up. The message says so too, but in the server's language. */
function hitHoldLimit(error: unknown, { strongSinceMs }: Progress, limitMs: number): boolean {
  return (
    sqlStateOf(error) === "57014" &&
    strongSinceMs !== undefined &&
    performance.now() - strongSinceMs >= limitMs * 0.95
  );
}

function blocked(
  actions: readonly Action[],
  blockers: readonly Blocker[],
  cause?: unknown,
): StepFailed {
  const step = actions[0]?.step.id ?? "";
  const who = blockers.map(describeBlocker).join("\n  ");
  return new StepFailed(
    step,
    actions[0] && sqlOf(actions[0]),
    new UnderpinError({
      code: "blocked",
      message: `no lock for step "${step}" within the budget${who === "" ? "" : `; in the way:\n  ${who}`}`,
      hint: "End those transactions, for example SELECT pg_terminate_backend(pid), or raise lockBudgetMs; then apply again.",
      cause,
    }),
    blockers,
  );
}

function tooLong({ settings }: RunContext, action: Action | undefined, cause: unknown): StepFailed {
  const step = action?.step.id ?? "";
  return new StepFailed(
    step,
    action && sqlOf(action),
    new UnderpinError({
      code: "blocked",
      message: `step "${step}" needs more than ${settings.lockTimeoutMs} ms under a lock that makes writers wait`,
      hint: "Split it into online steps (see the recipes), or accept the wait with a higher lockTimeoutMs.",
      cause,
    }),
  );
}
