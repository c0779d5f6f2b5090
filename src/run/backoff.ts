import { setTimeout as delay } from "node:timers/promises";

/** Rests, and wakes at once with the signal's reason when it is aborted. */
export async function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  await delay(milliseconds, undefined, signal === undefined ? {} : { signal });
}

/**
 * How long to rest before try `attempt + 1`: exponential, with jitter, never less than half.
 *
 * The rest is what lets the queue behind a lock request drain; the jitter keeps two migrators from meeting again.
 */
export function backoffMs(attempt: number, firstMs: number, mostMs: number): number {
  const full = Math.min(mostMs, firstMs * 2 ** (attempt - 1));
  return full * (0.5 + Math.random() / 2);
}
