import { isConnectionError, toError } from "../errors.ts";
import { backoffMs, sleep } from "./backoff.ts";
import type { RunContext } from "./context.ts";
import { isOfHost } from "./failure.ts";

const FIRST_REST_MS = 250;
const LONGEST_REST_MS = 5_000;

/** What reconnecting needs of a run. */
type Reconnecting = Pick<RunContext, "settings" | "signal" | "emit">;

/**
 * Does `work` again on a new connection when the connection was lost, until the budget for reconnecting is spent.
 *
 * A lost connection leaves open whether the last transaction was committed: so `work` must begin by reading where things are,
 * or be the same when it is done twice. It calls `progressed` when it got somewhere, and the budget begins anew.
 */
export async function acrossConnections<T>(
  { settings, signal, emit }: Reconnecting,
  work: (progressed: () => void) => Promise<T>,
): Promise<T> {
  let lostSinceMs: number | undefined;
  let attempt = 1;
  const progressed = () => {
    lostSinceMs = undefined;
    attempt = 1;
  };
  for (;;) {
    const triedMs = performance.now();
    try {
      return await work(progressed);
    } catch (error) {
      if (isOfHost(error) || !isConnectionError(error)) throw error;
      // A try that ran for a while had a connection: this is another loss.
      if (performance.now() - triedMs > LONGEST_REST_MS) progressed();
      lostSinceMs ??= performance.now();
      if (performance.now() - lostSinceMs > settings.reconnectBudgetMs) throw error;
      const restMs = backoffMs(attempt, FIRST_REST_MS, LONGEST_REST_MS);
      emit({ type: "reconnecting", attempt, reason: toError(error).message, restMs });
      await sleep(restMs, signal);
      attempt++;
    }
  }
}
