import { undoActions } from "../plan/reverse.ts";
import { segment } from "../plan/segment.ts";
import type { BackfillStep, CallStep, GateStep, Plan, Statement, Step } from "../plan/step.ts";
import { backwardAction, forwardAction, type Action } from "./action.ts";
import type { RunRecord, StepState } from "./journal.ts";

/** What is run, and journaled, as one: a transaction, or one step that stands alone. */
export type Unit =
  | { readonly kind: "inside"; readonly actions: readonly Action[] }
  | {
      readonly kind: "outside";
      readonly action: Action;
      readonly statement: Extract<Statement, { transaction: "outside" }>;
      readonly claimed: boolean;
    }
  | { readonly kind: "gate"; readonly step: GateStep; readonly confirmed: boolean }
  | { readonly kind: "call"; readonly step: CallStep }
  | {
      readonly kind: "backfill";
      readonly step: BackfillStep;
      /** It has not begun, or was taken back: how far an earlier try came does not count. */
      readonly fresh: boolean;
    };

/** What is left to do of a plan. */
export function forwardUnits(plan: Plan, run: RunRecord): readonly Unit[] {
  const stateOf = statesOf(run);
  const left = plan.steps.filter(({ id }) => !["applied", "skipped"].includes(stateOf(id)));
  return segment(left).map(({ steps }): Unit => {
    const step = steps[0] as Step;
    switch (step.kind) {
      case "gate":
        return { kind: "gate", step, confirmed: stateOf(step.id) === "confirmed" };
      case "call":
        return { kind: "call", step };
      case "backfill":
        return { kind: "backfill", step, fresh: ["pending", "undone"].includes(stateOf(step.id)) };
      case "sql":
      case "check":
        return statementUnit(
          steps.map((s) => forwardAction(s as typeof step)),
          stateOf,
        );
    }
  });
}

/** What is left to take back of a run, down to and including the step `upTo` where there is one. */
export function backwardUnits(plan: Plan, run: RunRecord, upTo?: string): readonly Unit[] {
  return segment(undoActions(stepsToUndo(plan, run, upTo))).map(({ steps }) =>
    statementUnit(steps.map(backwardAction), statesOf(run)),
  );
}

/** The steps that did something, or may have: a call or backfill that failed has done a part. */
export function stepsToUndo(plan: Plan, run: RunRecord, upTo?: string): readonly Step[] {
  const stateOf = statesOf(run);
  const from = upTo === undefined ? 0 : plan.steps.findIndex(({ id }) => id === upTo);
  return plan.steps.slice(from).filter(({ id, kind }) => {
    const state = stateOf(id);
    const partly = kind === "call" || kind === "backfill";
    // A gate that was confirmed and not passed yet asks again the next time.
    return (
      state === "applied" ||
      state === "claimed" ||
      state === "confirmed" ||
      (state === "failed" && partly)
    );
  });
}

function statementUnit(actions: readonly Action[], stateOf: (id: string) => StepState): Unit {
  const action = actions[0] as Action;
  const { work } = action;
  return work.kind === "statement" && work.statement.transaction === "outside"
    ? {
        kind: "outside",
        action,
        statement: work.statement,
        claimed: stateOf(action.step.id) === "claimed",
      }
    : { kind: "inside", actions };
}

/** Looks up the journaled state of a step. */
export function statesOf(run: RunRecord): (id: string) => StepState {
  const states = new Map(run.steps.map(({ id, state }) => [id, state]));
  return (id) => states.get(id) ?? "pending";
}

/** The id of the first step of a unit. */
export function firstStep(unit: Unit): string {
  switch (unit.kind) {
    case "inside":
      return unit.actions[0]?.step.id ?? "";
    case "outside":
      return unit.action.step.id;
    default:
      return unit.step.id;
  }
}
