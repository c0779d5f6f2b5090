import { setImmediate } from "node:timers/promises";
import type { Hook, Moment } from "./boundaries.ts";

/**
 * Calls come in streams of their own: those of the run, whose order is always the same, and those that a clock starts. So a
 * point is the same moment in every process.
 */
export type Stream = "run" | "heartbeat" | "pause" | "watchdog" | "progress";

/** One moment of one call: the `number`-th of its stream. */
export interface KillPoint {
  readonly stream: Stream;
  readonly number: number;
}

/** A point with what is done there. */
export interface NamedPoint extends KillPoint {
  readonly moment: Moment;
  /** The call, for a person. */
  readonly name: string;
  /** Whether the call only reads. */
  readonly reads: boolean;
}

/** Counts every moment and calls `reached` at each; at a point in flight the call has been written to the socket. */
export function countPoints(
  isWanted: (point: NamedPoint) => boolean,
  reached: (point: NamedPoint) => void,
): Hook {
  const counts = new Map<Stream, number>();
  return (moment, { text }) => {
    const stream = streamOf(text);
    const number = (counts.get(stream) ?? 0) + 1;
    counts.set(stream, number);
    const point = { stream, number, moment, name: nameOf(moment, text), reads: isRead(text) };
    if (!isWanted(point)) return undefined;
    if (moment !== "in flight") return reached(point);
    // Drivers gather what they write until the next turn of the event loop.
    return setImmediate()
      .then(() => setImmediate())
      .then(() => reached(point));
  };
}

function streamOf(text: string): Stream {
  if (/FOR NO KEY UPDATE SKIP LOCKED\)/.test(text)) return "heartbeat";
  if (/AND pause_requested$/.test(text)) return "pause";
  if (/pg_blocking_pids|pg_cancel_backend/.test(text)) return "watchdog";
  if (text.includes('AS "rangesDone"')) return "progress";
  return "run";
}

function isRead(text: string): boolean {
  return /^(\/\*.*?\*\/\s*)?(SELECT|WITH)\b/.test(text) && !/\b(INSERT|UPDATE|DELETE)\b/.test(text);
}

function nameOf(moment: Moment, text: string): string {
  // The token depends on how often the run was taken over.
  const same = text.replace(/token = \d+/g, "token = …");
  return `${moment}: ${same.replace(/\s+/g, " ").trim().slice(0, 100)}`;
}
