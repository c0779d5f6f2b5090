import { describeBlocker } from "../run/blockers.ts";
import type { Observer, RunEvent } from "../run/events.ts";
import { count, duration } from "./figures.ts";
import { paint, type Terminal } from "./terminal.ts";

type Progress = Extract<RunEvent, { type: "progress" }>;

/** In a pipe a backfill says how far it is after half a second, and then ever less often: hours fill no log. */
const FIRST_LINE_MS = 500;
const LONGEST_SILENCE_MS = 30_000;

/** How often the bar is drawn again. */
const BAR_MS = 80;

const BAR_WIDTH = 24;

const ERASE_LINE = "\r\u001b[2K";

/**
 * Tells a run as it happens: one line a step; for a backfill a bar on a terminal, and now and then a line in a pipe.
 * `begins` says what begins: `begins`, or `is taken back`.
 */
export function progressTeller(terminal: Terminal, begins: string): Observer {
  let barShown = false;
  let backfill: { step: string; sinceMs: number; rowsBefore: number; toldMs: number } | undefined;
  const line = (text: string) => {
    if (barShown) terminal.raw(ERASE_LINE);
    barShown = false;
    terminal.out(text);
  };
  const progress = (event: Progress) => {
    const nowMs = performance.now();
    if (backfill?.step !== event.step) {
      // Rows of earlier tries count for the bar and not for the rate.
      backfill = {
        step: event.step,
        sinceMs: nowMs,
        rowsBefore: event.rowsChanged,
        toldMs: terminal.interactive ? 0 : nowMs,
      };
    }
    const elapsedMs = nowMs - backfill.sinceMs;
    const silenceMs = Math.min(LONGEST_SILENCE_MS, Math.max(FIRST_LINE_MS, elapsedMs / 2));
    if (nowMs - backfill.toldMs < (terminal.interactive ? BAR_MS : silenceMs)) return;
    backfill.toldMs = nowMs;
    const perSecond =
      elapsedMs < FIRST_LINE_MS
        ? 0
        : (1_000 * (event.rowsChanged - backfill.rowsBefore)) / elapsedMs;
    if (!terminal.interactive) return line(`  … ${event.step}: ${progressText(event, perSecond)}`);
    const text = `  ${bar(event)} ${progressText(event, perSecond)}`;
    terminal.raw(`${ERASE_LINE}${text.slice(0, terminal.columns - 1)}`);
    barShown = true;
  };
  return (event) => {
    if (event.type === "progress") return progress(event);
    const text = describe(event, terminal, begins);
    if (text !== undefined) line(text);
  };
}

function bar({ rowsChanged, rowsEstimated }: Progress): string {
  if (rowsEstimated === undefined || rowsEstimated <= 0) return "─".repeat(BAR_WIDTH);
  const full = Math.round(BAR_WIDTH * Math.min(1, rowsChanged / rowsEstimated));
  return `${"█".repeat(full)}${"░".repeat(BAR_WIDTH - full)}`;
}

/** `12,000 of about 20,000 rows, 41,000 rows/s, about 1 s left`. The planner's estimate is of the whole table. */
function progressText({ rowsChanged, rowsEstimated }: Progress, perSecond: number): string {
  const known = rowsEstimated !== undefined && rowsEstimated >= rowsChanged;
  const of = known ? ` of about ${count(rowsEstimated)}` : "";
  const rate = perSecond > 0 ? `, ${count(perSecond)} rows/s` : "";
  const left =
    known && perSecond > 0
      ? `, about ${duration((1_000 * (rowsEstimated - rowsChanged)) / perSecond)} left`
      : "";
  return `${count(rowsChanged)}${of} rows${rate}${left}`;
}

/** One line about an event, where it is worth one. */
function describe(event: RunEvent, terminal: Terminal, begins: string): string | undefined {
  const dim = (text: string) => paint(terminal, "dim", text);
  switch (event.type) {
    case "runStarted":
      return `${paint(terminal, "bold", event.plan)}: ${event.resumed ? "goes on" : begins}`;
    case "busy":
      return `  waiting: ${event.owner} runs "${event.plan}"`;
    case "takenOver":
      return `  taken over from a process that stopped (backend ${event.terminatedPid} ended)`;
    case "stepApplied":
      return `  ${paint(terminal, "green", "✓")} ${event.step} ${dim(`${event.title}, ${duration(event.elapsedMs)}`)}`;
    case "stepUndone":
      return `  ${paint(terminal, "green", "↶")} ${event.step} ${dim(`taken back: ${event.title}, ${duration(event.elapsedMs)}`)}`;
    case "stepRepaired":
      return `  ${paint(terminal, "yellow", "~")} ${event.step} clears what a broken try left: ${event.sql}`;
    case "blocked":
      return `  ${paint(terminal, "yellow", "…")} ${event.step} waits ${duration(event.restMs)} for ${event.blockers.map(describeBlocker).join("; ")}`;
    case "retrying":
      return `  ${paint(terminal, "yellow", "…")} ${event.step} tries again in ${duration(event.restMs)} (try ${event.attempt}): ${event.reason}`;
    case "reconnecting":
      return `  ${paint(terminal, "yellow", "…")} connection lost, tries again in ${duration(event.restMs)}: ${event.reason}`;
    case "rowSetAside":
      return `  ${paint(terminal, "red", "!")} ${event.step} sets aside the row ${event.key.join(", ")}: ${event.message}`;
    case "throttled":
      return event.reason === undefined
        ? `  ${paint(terminal, "green", "…")} ${event.step} goes faster again`
        : `  ${paint(terminal, "yellow", "…")} ${event.step} slows down: ${event.reason}`;
    case "pausing":
      return `  ${paint(terminal, "yellow", "‖")} pauses by itself: ${event.reason}`;
    case "gateWaiting":
      return `  ${paint(terminal, "cyan", "?")} ${event.step} ${event.question}`;
    case "stepFailed":
      return `  ${paint(terminal, "red", "✗")} ${event.step}`;
    case "watchFailed":
      return `  ${paint(terminal, "yellow", "…")} ${event.step} goes on unwatched: ${event.message}`;
    case "observerFailed":
      return `  ${paint(terminal, "yellow", "…")} ${event.message}`;
    // A line when a step is done says enough; how the run ended is in its report.
    case "stepStarted":
    case "progress":
    case "runEnded":
      return undefined;
  }
}
