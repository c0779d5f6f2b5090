import type { ErrorCode } from "../errors.ts";
import type { Outcome } from "../run/report.ts";

/** What the process ends with: 0 done, 1 failed, 2 misuse, 3 findings, or stopped before its end by somebody's wish. */
export const EXIT = { done: 0, failed: 1, misuse: 2, findings: 3 } as const;

/** One of the exit codes. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/**
 * The exit code of a report's outcome. A gate that waits is where the plan itself says to stop: the call is done, and a
 * script may go on to the deployment that the gate asks for.
 */
export const OUTCOME_EXIT = {
  applied: EXIT.done,
  undone: EXIT.done,
  partlyUndone: EXIT.done,
  waiting: EXIT.done,
  failed: EXIT.failed,
  paused: EXIT.findings,
  cancelled: EXIT.findings,
  busy: EXIT.findings,
} as const satisfies Record<Outcome, ExitCode>;

/** What the caller can mend on the command line or in the file. */
const MISUSE: ReadonlySet<ErrorCode> = new Set([
  "invalidInput",
  "unsupportedDatabase",
  "planChanged",
  "unknownRun",
  "runState",
  "irreversible",
  "missingHandler",
  "migrationFolder",
  "migrationLedger",
]);

/** The exit code of a refusal. */
export function exitOf(code: ErrorCode): ExitCode {
  return MISUSE.has(code) ? EXIT.misuse : EXIT.failed;
}
