import { isConnectionError, isUnderpinError } from "../errors.ts";
import type { Executor } from "../executor/executor.ts";
import { sleep } from "./backoff.ts";
import type { RunContext } from "./context.ts";
import { acquireLease, beat, newOwner, releaseLease, type Lease } from "./lease.ts";
import { acrossConnections } from "./reconnect.ts";

/** How the lease of a plan name is sought. */
export interface HoldOptions extends Pick<RunContext, "executor" | "settings" | "signal" | "emit"> {
  readonly name: string;
}

/** How often one who waits looks whether the lease is free. */
const POLL_MS = 200;

/**
 * Runs `work` while holding the lease of a name.
 *
 * `ready` is asked before every try and may end the waiting: the run may be over by then. It is told whether somebody else held
 * the run meanwhile. When the lease is lost in the middle of the work, somebody else has it, and the waiting begins again.
 */
export async function holdLease<T>(
  options: HoldOptions,
  ready: (waited: boolean) => Promise<T | undefined>,
  busy: () => Promise<T>,
  work: (lease: Lease) => Promise<T>,
): Promise<T> {
  const { executor, settings, name, signal, emit } = options;
  const { runSchema, leaseMs, whenBusy } = settings;
  for (let told: string | undefined; ; ) {
    const waited = told !== undefined;
    const answer = await acrossConnections(options, () => ready(waited));
    if (answer !== undefined) return answer;
    const owner = newOwner();
    const acquired = await acrossConnections(options, () =>
      acquireLease(executor, runSchema, name, leaseMs, owner),
    );
    if (acquired.kind === "busy") {
      if (whenBusy === "return" || signal?.aborted === true) return busy();
      if (told !== acquired.owner) emit({ type: "busy", plan: name, owner: acquired.owner });
      told = acquired.owner;
      // An aborted rest ends early, and the next round returns.
      await sleep(POLL_MS * (0.5 + Math.random()), signal).catch(() => {});
      continue;
    }
    for (const terminatedPid of acquired.terminated)
      emit({ type: "takenOver", plan: name, terminatedPid });
    const stopBeating = startBeating(executor, acquired.lease, leaseMs);
    try {
      return await work(acquired.lease);
    } catch (error) {
      if (!isUnderpinError(error) || error.code !== "leaseLost") throw error;
      told = "another process";
    } finally {
      await stopBeating();
      await releaseLease(executor, acquired.lease).catch((error: unknown) => {
        // Without a connection it runs out by itself.
        if (!isConnectionError(error)) throw error;
      });
    }
  }
}

/**
 * Beats from now on, at most one beat under way.
 *
 * On a pool of one a beat stands in the queue while a step runs; then the step's own row lock, or its living backend, is what
 * keeps the lease. So no failure of a beat is an error: the fence decides.
 */
function startBeating(executor: Executor, lease: Lease, leaseMs: number): () => Promise<void> {
  let beating: Promise<void> | undefined;
  const timer = setInterval(() => {
    beating ??= beat(executor, lease, leaseMs).then(
      () => (beating = undefined),
      () => (beating = undefined),
    );
  }, leaseMs / 3);
  timer.unref();
  return async () => {
    clearInterval(timer);
    // One under way holds the row, and whoever comes next would find the lease taken.
    await beating;
  };
}
