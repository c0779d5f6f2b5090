import type { Findings } from "../../catalog/finding.ts";
import type { Failure, Outcome, Report } from "../../run/report.ts";

/** Why a migration stopped. */
export interface MigrationFailure extends Failure {
  readonly version: string;
}

/** What became of a call of the runner. A failed migration is a report, not an exception. */
export interface MigrationReport {
  readonly outcome: Outcome;
  /** Whether this call did any of the work. */
  readonly ranHere: boolean;
  /** What this call applied, in order. */
  readonly applied: readonly string[];
  /** What this call took back, in order. */
  readonly takenBack: readonly string[];
  /** What was asked for and is still to be done. */
  readonly left: readonly string[];
  /** What a person should know of the folder and the ledger. */
  readonly findings: Findings;
  readonly failure?: MigrationFailure;
  /** What to do next: a sentence with a command or code in it. */
  readonly next: string;
}

/** SQLSTATEs of an object that is there already: table, column, schema, function, constraint or role, type. */
const THERE_ALREADY = new Set(["42P07", "42701", "42P06", "42723", "42710"]);

/** The failure of one migration, out of the report of its run. */
export function failureOf(version: string, { failure, outcome }: Report): MigrationFailure {
  const found: Failure = failure ?? { step: undefined, message: `it ended as ${outcome}` };
  if (found.sqlState === undefined || !THERE_ALREADY.has(found.sqlState))
    return { ...found, version };
  return {
    ...found,
    version,
    hint: `If ${version} was applied by hand, write it down without running it: underpin repair --applied ${version}. Else drop what is in its way, or correct the file.`,
  };
}

/** What to do after migrations were applied, or not. */
export function nextOfMigrate(
  outcome: Outcome,
  version: string | undefined,
  applied: number,
): string {
  const at = version === undefined ? "" : ` at ${version}`;
  switch (outcome) {
    case "applied":
      return applied === 0
        ? "Nothing: all migrations are applied."
        : `Take the last one back with rollback(db, { folder, steps: 1 }); all of this call with steps: ${applied}.`;
    case "waiting":
      return `It waits at a gate${at}: confirm it as its run says (underpin runs), and migrate again.`;
    case "paused":
      return `It was paused${at}: resume its run (underpin runs), and migrate again.`;
    case "cancelled":
      return "It was stopped between two statements: migrate again, and it goes on from there.";
    case "busy":
      return 'Another process migrates: try again later, or wait for it with whenBusy: "wait".';
    default:
      return `Mend the cause${at} and migrate again: what was applied before stays applied, and it goes on from there.`;
  }
}

/** What to do after migrations were taken back, or not. */
export function nextOfRollback(outcome: Outcome, version: string | undefined): string {
  const at = version === undefined ? "" : ` at ${version}`;
  switch (outcome) {
    case "undone":
      return "Apply them again with migrate(db, { folder }).";
    case "busy":
      return 'Another process migrates: try again later, or wait for it with whenBusy: "wait".';
    case "cancelled":
      return "It was stopped between two statements: roll back again, and it goes on from there.";
    default:
      return `Mend the cause${at} and roll back again. Where the stored way back is wrong: correct the down file, underpin repair, and roll back.`;
  }
}
