import type { UndoAction } from "../plan/reverse.ts";
import type { CheckStep, Lock, RowAccess, SqlStep, Statement, Step } from "../plan/step.ts";

/** One thing to do in a transaction: a step's statement, its check, or its undo. */
export interface Action {
  readonly step: Step;
  /** Nothing to execute for an undo that is `nothing`: only the journal changes. */
  readonly work:
    | { readonly kind: "statement"; readonly statement: Statement }
    | { readonly kind: "check"; readonly check: CheckStep }
    | { readonly kind: "nothing" };
  readonly becomes: "applied" | "undone";
}

/** A step as an action forward. */
export function forwardAction(step: SqlStep | CheckStep): Action {
  return {
    step,
    work:
      step.kind === "sql" ? { kind: "statement", statement: step } : { kind: "check", check: step },
    becomes: "applied",
  };
}

/** An undo as an action. */
export function backwardAction({ step, statement }: UndoAction): Action {
  return {
    step,
    work: statement === undefined ? { kind: "nothing" } : { kind: "statement", statement },
    becomes: "undone",
  };
}

/** The text that an action executes. */
export function sqlOf({ work }: Action): string | undefined {
  switch (work.kind) {
    case "statement":
      return work.statement.sql;
    case "check":
      return work.check.sql;
    case "nothing":
      return undefined;
  }
}

/** The locks that an action declares. */
export function locksOf({ work }: Action): readonly Lock[] {
  return work.kind === "statement" ? work.statement.locks : [];
}

/** How many relations an action creates. */
export function createsOf({ work }: Action): number {
  return work.kind === "statement" ? (work.statement.creates ?? 0) : 0;
}

/** The rows that an action must see all of. */
export function rowsOf({ work }: Action): readonly RowAccess[] {
  switch (work.kind) {
    case "statement":
      return work.statement.rows ?? [];
    case "check":
      return work.check.rows ?? [];
    case "nothing":
      return [];
  }
}
