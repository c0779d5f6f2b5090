import type { BackfillStep } from "../../plan/step.ts";

/** How large batches are, and how long to rest after each. All workers of a process keep one. */
export interface Pace {
  readonly size: () => number;
  readonly restMs: () => number;
  /** A batch of so many rows took so long. */
  readonly took: (rows: number, elapsedMs: number) => void;
  /** The database, or the host, suffers: half as much, and a rest as long as a batch; undefined when it is over. */
  readonly suffers: (reason: string | undefined) => void;
  readonly reason: () => string | undefined;
}

/** The most rows in a batch, in batches of the first size. */
const MOST_TIMES = 50;
/** A batch is too long when it takes a quarter more than it should. */
const TOO_LONG = 1.25;
/** As long as batches take less than this share of their time, the next has twice as many rows. */
const MUCH_TOO_SHORT = 0.5;
/** A batch that is cut to nothing teaches nothing. */
const LEAST_ROWS = 10;
const FIRST_REST_MS = 100;
const LONGEST_REST_MS = 5_000;

/**
 * Adapts the size of batches to a time: twice as many rows after each that took less than half of it, until one does not; from then on
 * a tenth of the first size more after each that was quick, half after one that was slow. Many small steps up and few large ones down
 * settle below the limit, whatever the rows are, and give way at once to trouble.
 */
export function createPace({ batchSize, pauseMs, targetMs }: BackfillStep): Pace {
  const least = Math.min(LEAST_ROWS, batchSize);
  let size = batchSize;
  let searching = true;
  let extraMs = 0;
  let reason: string | undefined;
  const clamp = (rows: number) =>
    Math.round(Math.min(batchSize * MOST_TIMES, Math.max(least, rows)));
  return {
    size: () => size,
    restMs: () => pauseMs + extraMs,
    reason: () => reason,
    took: (rows, elapsedMs) => {
      if (targetMs === undefined || reason !== undefined) return;
      searching &&= elapsedMs < targetMs * MUCH_TOO_SHORT;
      if (elapsedMs > targetMs * TOO_LONG) size = clamp(size / 2);
      // A page that was not full says nothing of a full one.
      else if (elapsedMs < targetMs && rows >= size)
        size = clamp(searching ? size * 2 : size + Math.max(batchSize / 10, size / 20));
    },
    suffers: (why) => {
      reason = why;
      if (why === undefined) {
        extraMs = extraMs < FIRST_REST_MS ? 0 : extraMs / 2;
        return;
      }
      searching = false;
      if (targetMs !== undefined) size = clamp(size / 2);
      extraMs = Math.min(LONGEST_REST_MS, Math.max(FIRST_REST_MS, extraMs * 2));
    },
  };
}
