import { UnderpinError } from "../errors.ts";
import { segment } from "./segment.ts";
import type { Plan, Statement, Step } from "./step.ts";

/** How one applied step is taken back: its statement, or nothing to do. */
export interface UndoAction {
  readonly kind: "sql";
  readonly step: Step;
  readonly statement: Statement | undefined;
  readonly transaction: Statement["transaction"];
}

/**
 * The undo of applied steps, last step first.
 *
 * What was applied in one transaction is taken back in one: the cuts between transactions are mirrored, so that no
 * reader sees half of a swap on the way back either.
 */
export function undoActions(applied: readonly Step[]): readonly UndoAction[] {
  return segment(applied)
    .toReversed()
    .flatMap(({ steps }) => {
      const backwards = steps.toReversed();
      const isStatement = (step: Step) => step.undo.kind === "statement";
      // Steps with nothing to do go first, so that the last action of a transaction is one that has a statement.
      const ordered = [
        ...backwards.filter((s) => !isStatement(s)),
        ...backwards.filter(isStatement),
      ];
      return ordered.map((step, index): UndoAction => {
        const statement = step.undo.kind === "statement" ? step.undo : undefined;
        const inside = statement === undefined || statement.transaction === "inside";
        const last = index === ordered.length - 1;
        return {
          kind: "sql",
          step,
          statement,
          transaction: inside ? (last ? "commitAfter" : "inside") : statement.transaction,
        };
      });
    });
}

/** Refuses, naming every reason at once, when one of the steps cannot be taken back. */
export function refuseIrreversible(planName: string, steps: readonly Step[]): void {
  const reasons = steps.flatMap(({ id, undo }) =>
    undo.kind === "irreversible" ? [`${id}: ${undo.reason}`] : [],
  );
  if (reasons.length > 0)
    throw new UnderpinError({
      code: "irreversible",
      message: `"${planName}" cannot be taken back:\n  ${reasons.join("\n  ")}`,
      hint: "Nothing was touched. Undo what came after: undo(db, plan, { upTo: stepId }) with a later step.",
    });
}

/**
 * The plan that takes `plan` back, as data for reading: print it with `explain`. To take a run back call `undo`, which
 * knows what was applied.
 */
export function reverse(plan: Plan): Plan {
  refuseIrreversible(plan.name, plan.steps);
  const steps = undoActions(plan.steps).flatMap(({ step, statement, transaction }): Step[] =>
    statement === undefined
      ? []
      : [
          {
            ...statement,
            ...({ transaction } as Pick<Statement, "transaction">),
            kind: "sql",
            id: step.id,
            title: `Take back: ${step.title}`,
            undo: { kind: "irreversible", reason: "it is itself an undo: apply the plan again" },
          } as Step,
        ],
  );
  return { format: 1, name: `undo-${plan.name}`, steps };
}
