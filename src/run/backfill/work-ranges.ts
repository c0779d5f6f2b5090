import {
  isConnectionError,
  isRetryable,
  isUnderpinError,
  sqlStateOf,
  toError,
} from "../../errors.ts";
import { ident, literal } from "../../sql/quote.ts";
import { backoffMs, sleep } from "../backoff.ts";
import { checkCancelled } from "../context.ts";
import { StepFailed } from "../failure.ts";
import { retryOnLocks } from "../retry.ts";
import { isBatchFailed, type BackfillWork, type BatchDone, type BatchFailed } from "./batch.ts";
import { changeBatch } from "./change-batch.ts";
import type { Pace } from "./pace.ts";
import {
  claimRange,
  isBatchStopped,
  mayChangeSql,
  rangesOf,
  refuseUnlessOurs,
  releaseRanges,
  type ClaimedRange,
  type MayChange,
} from "./ranges.ts";

/** How one worker ended. */
export type WorkerEnd =
  /** Every range is done. */
  | "done"
  | "paused"
  /** The step is over, or is being taken back. */
  | "ended";

/** One worker of a process. */
export interface Worker extends BackfillWork {
  readonly name: string;
  readonly pace: Pace;
  /** Called after each batch that was committed. */
  readonly progressed: (batch: BatchDone) => void | Promise<void>;
}

/** How often one who finds every range taken looks again: its owner may have died. */
const LOOK_AGAIN_MS = 250;
/** The rest before a batch is tried again; it doubles. */
const RETRY_MS = 100;
const LONGEST_RETRY_MS = 5_000;
/** So many batches at least, before their share of failures says anything. */
const ENOUGH_BATCHES = 20;
const DEFAULT_ATTEMPTS = 3;
const DEFAULT_FAILED_SHARE = 0.05;

/** Claims ranges and works them off until none is left, the run is paused, or the step is over. */
export async function workRanges(worker: Worker): Promise<WorkerEnd> {
  const { context, id, name } = worker;
  try {
    return await claimAndWork(worker);
  } finally {
    // A courtesy: leases run out by themselves, and what ended the work is what is told.
    await releaseRanges(context.executor, id, name).catch(() => undefined);
  }
}

async function claimAndWork(worker: Worker): Promise<WorkerEnd> {
  const { context, id, name } = worker;
  for (;;) {
    checkCancelled(context);
    const claimed = await claimRange(context.executor, id, name, context.settings.leaseMs);
    if (claimed.kind === "done") return "done";
    if (claimed.kind === "others") {
      const state = await readState(worker);
      if (state !== "running") return state;
      await sleep(LOOK_AGAIN_MS, context.signal);
      continue;
    }
    const end = await workRange(worker, claimed.range);
    if (end !== "done" && end !== "lost") return end;
  }
}

async function workRange(worker: Worker, claimed: ClaimedRange): Promise<WorkerEnd | "lost"> {
  const { context, step, pace } = worker;
  let range = claimed;
  let trouble: Trouble | undefined;
  try {
    for (;;) {
      checkCancelled(context);
      const beganMs = performance.now();
      try {
        const size = trouble?.size ?? pace.size();
        const batch = await tryBatch(worker, range, size);
        if (trouble === undefined) pace.took(batch.changed, performance.now() - beganMs);
        else trouble = easier(trouble, pace.size());
        await worker.progressed(batch);
        if (batch.done) return "done";
        range = { ...range, reached: batch.reached };
      } catch (error) {
        if (!isBatchFailed(error)) throw error;
        if (error.origin === "database" && !isOfRows(error.cause))
          throw new StepFailed(step.id, error.sql, error.cause);
        trouble = await harder(worker, range, trouble, error);
        if (trouble.size === 0) {
          await setAside(worker, range, error, trouble.attempts);
          range = { ...range, reached: error.last };
          trouble = { size: 1, attempts: 0, whole: true, aside: true };
        }
      }
      if (pace.restMs() > 0) await sleep(pace.restMs(), context.signal);
    }
  } catch (error) {
    if (isBatchStopped(error)) return error.why;
    throw error;
  }
}

/** A batch takes weak locks only; what it waits for is rows, and who holds rows of the table is a suspect. */
function tryBatch(worker: Worker, range: ClaimedRange, size: number): Promise<BatchDone> {
  const { context, step } = worker;
  const suspects = [{ ...step.table, mode: "accessExclusive", partitions: true }] as const;
  const trial = { step: step.id, sql: undefined, locks: [], suspects };
  return retryOnLocks(context, trial, () =>
    changeBatch(worker, range, size).catch((error: unknown): never => {
      // The moment is to blame, not the rows: it is tried again as a whole.
      if (isBatchFailed(error) && error.origin === "database" && isOfMoment(error.cause))
        throw error.cause;
      throw error;
    }),
  );
}

function isOfMoment(cause: unknown): boolean {
  return isRetryable(cause) || isConnectionError(cause);
}

/** Rows that cannot be changed are tried in ever smaller batches. */
interface Trouble {
  /** 0: the one row of the batch cannot be changed. */
  readonly size: number;
  /** Of this size. */
  readonly attempts: number;
  /** Whether the batch was counted as failed. */
  readonly whole: boolean;
  /** Whether a row of it was set aside already. */
  readonly aside: boolean;
}

/**
 * A batch is tried some times as it is, then in halves: the rows of a half that goes through are done, and the other half holds the
 * trouble. A single row has all its tries again, since what ailed it may have passed.
 */
async function harder(
  worker: Worker,
  range: ClaimedRange,
  trouble: Trouble | undefined,
  failed: BatchFailed,
): Promise<Trouble> {
  const { context, step } = worker;
  const most = step.maxAttempts ?? DEFAULT_ATTEMPTS;
  const attempts = (trouble?.attempts ?? 0) + 1;
  const size = Math.min(trouble?.size ?? Number.POSITIVE_INFINITY, failed.seen);
  const tries = trouble === undefined || !trouble.whole || size === 1 ? most : 1;
  const restMs = backoffMs(attempts, RETRY_MS, LONGEST_RETRY_MS);
  if (attempts < tries) {
    const reason = toError(failed.cause).message;
    context.emit({ type: "retrying", step: step.id, attempt: attempts, reason, restMs });
    await sleep(restMs, context.signal);
    return { size, attempts, whole: trouble?.whole ?? false, aside: trouble?.aside ?? false };
  }
  // Each row after the first too: where every one fails, trouble never ends, and is not one failed batch.
  if (trouble?.whole !== true || (size === 1 && trouble.aside)) await countFailed(worker, range);
  return {
    size: size === 1 ? 0 : Math.ceil(size / 2),
    attempts: size === 1 ? attempts : 0,
    whole: true,
    aside: trouble?.aside ?? false,
  };
}

/** After a batch that went through: twice as many rows, and the trouble is over when that is a whole batch. */
function easier({ size, aside }: Trouble, whole: number): Trouble | undefined {
  return size * 2 >= whole ? undefined : { size: size * 2, attempts: 0, whole: true, aside };
}

/** Whether what went wrong is in the rows: their values, a constraint, a trigger, the host's own handler. All else fails the run. */
function isOfRows(cause: unknown): boolean {
  const state = sqlStateOf(cause);
  if (state === undefined) return !isUnderpinError(cause) || cause.code === "checkFailed";
  return ["21", "22", "23", "44", "P0", "38", "39", "2F"].includes(state.slice(0, 2));
}

/** Writes down the row that cannot be changed, and passes it. */
async function setAside(
  worker: Worker,
  range: ClaimedRange,
  failed: BatchFailed,
  attempts: number,
): Promise<void> {
  const { context, step, id } = worker;
  const { ranges, failures, ours } = rangesOf(id);
  const message = toError(failed.cause).message;
  const key = literal(JSON.stringify(failed.last));
  const after =
    range.reached === null ? "NULL" : `${literal(JSON.stringify(range.reached))}::jsonb`;
  const state = sqlStateOf(failed.cause);
  await context.executor.transaction(async (tx) => {
    const [row] = await tx.query<MayChange>(mayChangeSql(id, range));
    refuseUnlessOurs(row);
    await tx.query(
      `INSERT INTO ${failures} (run_id, step_id, key, after, sql_state, message, attempts)
       VALUES (${literal(id.runId)}::bigint, ${literal(id.stepId)}, ${key}::jsonb, ${after}, ${state === undefined ? "NULL" : literal(state)}, ${literal(message.replaceAll("\0", ""))}, ${attempts})
       ON CONFLICT (run_id, step_id, key) DO UPDATE SET sql_state = excluded.sql_state, message = excluded.message,
         attempts = excluded.attempts, failed_at = pg_catalog.clock_timestamp()`,
    );
    await tx.query(
      `UPDATE ${ranges} AS r SET reached = ${key}::jsonb WHERE ${ours("r")} AND r.ordinal = ${range.ordinal}`,
    );
  });
  context.emit({
    type: "rowSetAside",
    step: step.id,
    key: failed.last,
    message,
    sqlState: state,
  });
}

/** Counts a failed batch, and has the run paused when too many of all are. */
async function countFailed({ context, step, id }: Worker, range: ClaimedRange): Promise<void> {
  const { ranges, ours } = rangesOf(id);
  // In a range of its own nobody is in the way: that of another worker is locked for as long as its batch takes.
  const [row] = await context.executor.query<{ failed: string; batches: string }>(
    `WITH counted AS (
       UPDATE ${ranges} AS r SET failed_batches = r.failed_batches + 1
       WHERE ${ours("r")} AND r.ordinal = ${range.ordinal})
     SELECT (pg_catalog.sum(r.failed_batches) + 1)::text AS failed, pg_catalog.sum(r.batches)::text AS batches
     FROM ${ranges} AS r WHERE ${ours("r")}`,
  );
  const failed = Number(row?.failed);
  const all = failed + Number(row?.batches);
  const most = step.maxFailedShare ?? DEFAULT_FAILED_SHARE;
  if (all < ENOUGH_BATCHES || failed / all <= most) return;
  const reason = `${failed} of ${all} batches of "${step.id}" failed, more than ${100 * most} %`;
  await context.executor.query(
    `UPDATE ${ident(id.schema)}.runs SET pause_requested = true, pause_reason = ${literal(reason)}
     WHERE id = ${literal(id.runId)}::bigint AND state = 'running'`,
  );
  context.emit({ type: "pausing", plan: context.planName, reason });
}

async function readState({ context, id }: Worker): Promise<"running" | "paused" | "ended"> {
  const schema = ident(id.schema);
  const [row] = await context.executor.query<{ running: string; paused: string }>(
    `SELECT (s.state = 'claimed' AND u.state = 'running')::text AS running, u.pause_requested::text AS paused
     FROM ${schema}.steps AS s JOIN ${schema}.runs AS u ON u.id = s.run_id
     WHERE s.run_id = ${literal(id.runId)}::bigint AND s.id = ${literal(id.stepId)}`,
  );
  if (row?.running !== "true") return "ended";
  return row.paused === "true" ? "paused" : "running";
}
