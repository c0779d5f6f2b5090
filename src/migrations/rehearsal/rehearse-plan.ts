import type { Executor } from "../../executor/executor.ts";
import { isUnderpinError } from "../../errors.ts";
import type { Plan } from "../../plan/step.ts";
import { applyThroughGates } from "../../run/measure/through-gates.ts";
import type { RunOptions } from "../../run/options.ts";
import type { Report } from "../../run/report.ts";
import { undo } from "../../run/undo.ts";

/** A plan or migration, by what takes it up and down. */
export interface Rehearsable {
  readonly name: string;
  readonly planOf: (report: Report) => Promise<Plan>;
  readonly up: (db: Executor) => Promise<Report>;
  /** Undefined where nothing of it can be taken back; `why` says so for each step that cannot. */
  readonly down: ((db: Executor) => Promise<Report>) | undefined;
  readonly irreversible: readonly string[];
  /** Whether the way down leads back to the state before. */
  readonly wholeWay: boolean;
}

/** A plan of steps, through its gates and back. What lies before a step that cannot be taken back stays. */
export function rehearsablePlan(plan: Plan, options: RunOptions): Rehearsable {
  const last = plan.steps.findLastIndex(({ undo: { kind } }) => kind === "irreversible");
  const upTo = plan.steps[last + 1]?.id;
  return {
    name: plan.name,
    planOf: () => Promise.resolve(plan),
    up: (db) => applyThroughGates(db, plan, options),
    down:
      upTo === undefined
        ? undefined
        : async (db) => {
            const report = await undo(db, plan, last === -1 ? options : { ...options, upTo });
            // As asked, and for who looks at it the end of this way.
            return report.outcome === "partlyUndone" ? { ...report, outcome: "undone" } : report;
          },
    irreversible: plan.steps.flatMap(({ id, undo: how }) =>
      how.kind === "irreversible" ? [`step "${id}" cannot be taken back: ${how.reason}`] : [],
    ),
    wholeWay: last === -1,
  };
}

/** A refusal as the report of a run that did not begin: it is what the rehearsal is there to find. */
export function refusedReport(plan: string, error: unknown): Report {
  if (!isUnderpinError(error)) throw error;
  const { message, code, hint } = error;
  return {
    plan,
    hash: "",
    outcome: "failed",
    ranHere: false,
    steps: [],
    failure: { step: undefined, message, code, hint },
    next: hint,
  };
}
