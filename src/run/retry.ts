import { isRetryable, toError, UnderpinError } from "../errors.ts";
import type { Lock } from "../plan/step.ts";
import { backoffMs, sleep } from "./backoff.ts";
import { describeBlocker, trackOldBlockers, type Blocker } from "./blockers.ts";
import { checkCancelled, type WorkContext } from "./context.ts";
import { StepFailed } from "./failure.ts";
import { readBlockers } from "./preflight.ts";

/** The longest rest between two tries. */
const LONGEST_REST_MS = 15_000;

/** What is tried, and what is known of the locks that it needs. */
export interface Trial {
  readonly step: string;
  readonly sql: string | undefined;
  /** Looked at before each try: nobody queues behind an old transaction. */
  readonly locks: readonly Lock[];
  /** Whose holders are named when the budget is spent. */
  readonly suspects: readonly Lock[];
  /** What may succeed later besides a lock wait, a deadlock or a serialisation failure. */
  readonly mayPass?: (error: unknown) => boolean;
}

/**
 * Tries until it succeeds, fails for another reason than the moment, or the budget for locks is spent.
 *
 * It looks for old transactions before each try, and rests between tries so that the queue behind us drains.
 */
export async function retryOnLocks<T>(
  context: WorkContext,
  { step, sql, locks, suspects, mayPass = () => false }: Trial,
  attempt: () => Promise<T>,
): Promise<T> {
  const { executor, settings, emit, signal } = context;
  const oldBlockers = trackOldBlockers(settings.lockTimeoutMs);
  const beganMs = performance.now();
  for (let count = 1; ; count++) {
    checkCancelled(context);
    const overBudget = performance.now() - beganMs > settings.lockBudgetMs;
    const restMs = backoffMs(count, settings.retryDelayMs, LONGEST_REST_MS);
    const blockers = oldBlockers(await readBlockers(executor, locks), performance.now());
    if (blockers.length > 0) {
      if (overBudget) throw blocked(step, sql, blockers);
      emit({ type: "blocked", step, blockers, restMs });
      await sleep(restMs, signal);
      continue;
    }
    try {
      return await attempt();
    } catch (error) {
      if (!(isRetryable(error) || mayPass(error))) throw error;
      if (overBudget) throw blocked(step, sql, await readBlockers(executor, suspects), error);
      emit({ type: "retrying", step, attempt: count, reason: toError(error).message, restMs });
      await sleep(restMs, signal);
    }
  }
}

function blocked(
  step: string,
  sql: string | undefined,
  blockers: readonly Blocker[],
  cause?: unknown,
): StepFailed {
  const who = blockers.map(describeBlocker).join("\n  ");
  return new StepFailed(
    step,
    sql,
    new UnderpinError({
      code: "blocked",
      message: `no lock for step "${step}" within the budget${who === "" ? "" : `; in the way:\n  ${who}`}`,
      hint: "End those transactions, for example SELECT pg_terminate_backend(pid), or raise lockBudgetMs; then apply again.",
      cause,
    }),
    blockers,
  );
}
