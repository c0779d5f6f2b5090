import { isConnectionError, isUnderpinError } from "../errors.ts";
import type { Executor } from "../executor/executor.ts";
import { sleep } from "./backoff.ts";
import type { Observer } from "./events.ts";
import { acquireLease, beat, releaseLease, type Lease } from "./lease.ts";

/** How the lease of a plan name is sought. */
export interface HoldOptions {
  readonly executor: Executor;
  readonly schema: string;
  readonly name: string;
  readonly leaseMs: number;
  readonly whenBusy: "wait" | "return";
  readonly signal: AbortSignal | undefined;
  readonly emit: Observer;
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
  const { executor, schema, name, leaseMs, whenBusy, signal, emit } = options;
  for (let told: string | undefined; ; ) {
    const answer = await ready(told !== undefined);
    if (answer !== undefined) return answer;
    const acquired = await acquireLease(executor, schema, name, leaseMs);
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
      stopBeating();
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
function startBeating(executor: Executor, lease: Lease, leaseMs: number): () => void {
  let beating = false;
  const timer = setInterval(() => {
    if (beating) return;
    beating = true;
    beat(executor, lease, leaseMs)
      .catch(() => false)
      .finally(() => (beating = false));
  }, leaseMs / 3);
  timer.unref();
  return () => clearInterval(timer);
}
