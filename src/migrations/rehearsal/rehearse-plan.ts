import type { Executor } from "../../executor/executor.ts";
import { isUnderpinError } from "../../errors.ts";
import type { Plan } from "../../plan/step.ts";
import { applyThroughGates } from "../../run/measure/through-gates.ts";
import type { RunOptions } from "../../run/options.ts";
import type { Report } from "../../run/report.ts";
import { undo } from "../../run/undo.ts";
import type { Walked } from "./rehearse-way.ts";

/** A plan or migration, by what takes it up and down. */
export interface Rehearsable {
  readonly name: string;
  /** Its SQL as it is written, or its plan. */
  readonly source: string | Plan;
  readonly up: (db: Executor) => Promise<Walked>;
  /** Undefined where nothing of it can be taken back. */
  readonly down: ((db: Executor) => Promise<Walked>) | undefined;
  /** What cannot be taken back, and why. */
  readonly irreversible: readonly string[];
  /** Whether the way down leads back to the state before. */
  readonly wholeWay: boolean;
}

/** A plan of steps, through its gates and back. What lies before a step that cannot be taken back stays. */
export function rehearsablePlan(plan: Plan, options: RunOptions): Rehearsable {
  const last = plan.steps.findLastIndex(({ undo: { kind } }) => kind === "irreversible");
  const upTo = plan.steps[last + 1]?.id;
  const walked = async (
    direction: Walked["direction"],
    run: () => Promise<Report>,
  ): Promise<Walked> => ({
    plan,
    direction,
    declares: true,
    report: await run().catch((error: unknown) => refusedReport(plan.name, error)),
  });
  return {
    name: plan.name,
    source: plan,
    up: (db) => walked("apply", () => applyThroughGates(db, plan, options)),
    down:
      upTo === undefined
        ? undefined
        : (db) =>
            walked("undo", async () => {
              const report = await undo(db, plan, last === -1 ? options : { ...options, upTo });
              // As far as was asked, which is the end of this way.
              return report.outcome === "partlyUndone" ? { ...report, outcome: "undone" } : report;
            }),
    irreversible: irreversibleSteps(plan),
    wholeWay: last === -1,
  };
}

/** The steps that cannot be taken back, each with its reason. */
export function irreversibleSteps({ steps }: Plan): readonly string[] {
  return steps.flatMap(({ id, undo: how }) =>
    how.kind === "irreversible" ? [`step "${id}" cannot be taken back: ${how.reason}`] : [],
  );
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
