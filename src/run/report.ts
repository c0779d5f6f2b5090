import type { ErrorCode } from "../errors.ts";
import type { Blocker } from "./blockers.ts";

/** What became of a run. A failed run is a report, not an exception. */
export interface Report {
  readonly plan: string;
  readonly hash: string;
  readonly outcome: Outcome;
  /** Whether this call did the work; false where the run was done before, or by another process. */
  readonly ranHere: boolean;
  readonly steps: readonly StepReport[];
  /** Why it stopped, where it did not finish. */
  readonly failure?: Failure;
  /** What to do next: a sentence with a command or code in it. */
  readonly next: string;
}

/** How a run ended, for now. */
export type Outcome =
  /** Every step is applied. */
  | "applied"
  /** Every step is taken back. */
  | "undone"
  /** A part was taken back, as asked with `upTo`. */
  | "partlyUndone"
  /** A gate waits for `confirm`. */
  | "waiting"
  /** `pause` was called. */
  | "paused"
  /** The signal was aborted. */
  | "cancelled"
  /** A step failed; what was applied before stays applied. */
  | "failed"
  /** Another process holds the run, and the caller asked not to wait. */
  | "busy";

/** What became of one step. */
export interface StepReport {
  readonly id: string;
  readonly title: string;
  readonly state:
    | "applied"
    | "unapplied"
    /** Not for this server version. */
    | "skipped"
    /** The connection was lost before the answer came: the next run asks the catalog. */
    | "inDoubt";
  readonly attempts: number;
}

/** Why a run stopped. */
export interface Failure {
  readonly step: string | undefined;
  readonly message: string;
  /** What kind of refusal it was, where underpin itself refused. */
  readonly code?: ErrorCode;
  readonly hint?: string;
  readonly sqlState?: string;
  /** The statement that failed. */
  readonly sql?: string;
  /** Who held the locks that the step waited for. */
  readonly blockers?: readonly Blocker[];
}
