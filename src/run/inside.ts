import { sqlStateOf, UnderpinError } from "../errors.ts";
import type { Queryable } from "../executor/executor.ts";
import { blocksWrites, lockRank } from "../plan/lock.ts";
import { ident, literal } from "../sql/quote.ts";
import { createsOf, locksOf, rowsOf, sqlOf, type Action } from "./action.ts";
import { runCheck } from "./check.ts";
import { checkCancelled, marker, type RunContext } from "./context.ts";
import type { RunEvent } from "./events.ts";
import { StepFailed } from "./failure.ts";
import { fenceSql, refuseLostLease } from "./lease.ts";
import { refuseOverLockBudget } from "./preflight.ts";
import { retryOnLocks } from "./retry.ts";
import { showAllRows } from "./row-security.ts";
import { holdLimitMs, transactionSettingsSql } from "./settings.ts";

/** How often a statement may run into the hold limit before it is called too slow for a strong lock. */
const SLOW_TRIES = 5;

/**
 * Runs actions in one transaction with their journal rows: all of them happened, or none did.
 *
 * It looks for blockers before it queues, waits a bounded time, and on a lock timeout, deadlock or serialisation failure rolls
 * back, rests so that the queue behind it drains, and tries again within the budget.
 */
export async function runInside(context: RunContext, actions: readonly Action[]): Promise<void> {
  const { executor, settings, emit } = context;
  const locks = actions.flatMap(locksOf);
  const creates = actions.reduce((sum, action) => sum + createsOf(action), 0);
  const step = actions[0]?.step.id ?? "";
  await refuseOverLockBudget(executor, locks, creates, step);
  let progress: Progress = { action: undefined, strongSinceMs: undefined };
  let slow = 0;
  const mayPass = (error: unknown): boolean => {
    if (!hitHoldLimit(error, progress, holdLimitMs(settings))) return false;
    if (++slow >= SLOW_TRIES) throw tooLong(context, progress.action, error);
    return true;
  };
  const sql = actions[0] && sqlOf(actions[0]);
  const done = await retryOnLocks(context, { step, sql, locks, suspects: locks, mayPass }, () => {
    progress = { action: undefined, strongSinceMs: undefined };
    return executor.transaction((tx) => runActions(context, tx, actions, progress));
  });
  for (const event of done) emit(event);
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
    blocking: actions.some((action) =>
      locksOf(action).some(({ mode }) => lockRank(mode) >= lockRank("rowExclusive")),
    ),
  });
  const [fence] = await tx.query<{ began: string }>(`${settings}; ${fenceSql(lease)}`);
  refuseLostLease(fence === undefined ? [] : [fence], lease);
  const done: RunEvent[] = [];
  for (const [at, action] of actions.entries()) {
    checkCancelled(context);
    progress.action = action;
    const startedMs = performance.now();
    const sql = sqlOf(action);
    if (action.step.kind === "backfill") await waitForBatches(context, tx, action.step.id);
    if (sql !== undefined) {
      emit({ type: "stepStarted", step: action.step.id, title: action.step.title, sql });
      await showAllRows(tx, rowsOf(action), action.step.id);
      if (isStrong(action)) progress.strongSinceMs ??= performance.now();
      await runOne(context, tx, action, sql);
    }
    const nextLimitMs = statementLimitMs(context, actions[at + 1], progress);
    await journal(context, tx, action, fence?.began, nextLimitMs);
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

/**
 * Waits for the batches of helpers that began before the step was taken back, and keeps others from beginning: what they change
 * after the undo has looked would stay.
 */
async function waitForBatches({ lease, runId }: RunContext, tx: Queryable, stepId: string) {
  await tx.query(
    `SELECT FROM ${ident(lease.schema)}.steps AS s WHERE s.run_id = ${Number(runId)} AND s.id = ${literal(stepId)} FOR UPDATE`,
  );
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
    return action !== undefined && isStrong(action)
      ? Math.max(1, Math.round(holdLimitMs(settings)))
      : 0;
  return Math.max(1, Math.round(holdLimitMs(settings) - (performance.now() - strongSinceMs)));
}

/**
 * Journals the action, and in the same round trip sets the limit of the next one.
 *
 * The start of the transaction is compared: a statement that held a COMMIT has ended it, and what follows would be committed
 * piece by piece.
 */
async function journal(
  { lease, runId }: RunContext,
  tx: Queryable,
  { step, becomes }: Action,
  began: string | undefined,
  nextLimitMs: number,
): Promise<void> {
  // Literals, not parameters: a driver asks the server for the types of parameters first, a round trip of its own.
  const [row] = await tx.query<{ began: string }>(
    `WITH fence AS (${fenceSql(lease)})
     UPDATE ${ident(lease.schema)}.steps s
     SET state = ${literal(becomes)}, error = NULL, backend_pid = NULL, backend_start = NULL,
         attempts = s.attempts + 1, changed_at = pg_catalog.clock_timestamp()
     FROM fence WHERE s.run_id = ${Number(runId)} AND s.id = ${literal(step.id)}
     RETURNING fence.began, pg_catalog.set_config('statement_timeout', ${literal(String(nextLimitMs))}, true)`,
  );
  refuseLostLease(row === undefined ? [] : [row], lease);
  if (row?.began !== began)
    throw new UnderpinError({
      code: "inDoubt",
      message: `step "${step.id}" ended the transaction that it ran in`,
      hint: "Take COMMIT, ROLLBACK and BEGIN out of its SQL: the plan says where transactions end. What it did is committed.",
    });
}

/** 57014 is any cancellation: it was our limit if the time is up. The message says so too, but in the server's language. */
function hitHoldLimit(error: unknown, { strongSinceMs }: Progress, limitMs: number): boolean {
  return (
    sqlStateOf(error) === "57014" &&
    strongSinceMs !== undefined &&
    performance.now() - strongSinceMs >= limitMs * 0.95
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
