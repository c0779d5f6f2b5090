import { plan } from "../../plan/plan.ts";
import { undoActions } from "../../plan/reverse.ts";
import type { Plan, Statement, Step, Undo } from "../../plan/step.ts";

/**
 * The plan that takes away what another adds, online in both directions: each step does what the other's undo does, and is undone by
 * the other's step.
 *
 * An index goes with its constraint: with `backOnly` what runs outside a transaction runs on the way back alone.
 *
 * So dropping a CHECK is undone by NOT VALID and VALIDATE, and dropping a unique constraint by building its index concurrently. A step of the other
 * whose undo is nothing has its statement run on the way back only.
 */
export function inverse(
  name: string,
  other: Plan,
  outside: "forward" | "backOnly" = "forward",
): Plan {
  const steps = undoActions(other.steps).flatMap(({ step, statement, transaction }): Step[] => {
    const undo = asUndo(step);
    const goesAlong = outside === "backOnly" && statement?.transaction === "outside";
    if (statement !== undefined && !goesAlong)
      return [
        {
          ...statement,
          ...({ transaction } as Pick<Statement, "transaction">),
          kind: "sql",
          id: step.id,
          title: `Take away: ${step.title}`,
          undo,
        } as Step,
      ];
    if (undo.kind === "nothing") return [];
    return [
      {
        kind: "check",
        id: step.id,
        title: `On the way back: ${step.title}`,
        sql: "SELECT WHERE false",
        expect: "noRows",
        transaction: transaction === "outside" ? "commitAfter" : transaction,
        undo,
      },
    ];
  });
  return plan(name, steps);
}

function asUndo(step: Step): Undo {
  if (step.kind !== "sql") return { kind: "nothing" };
  const { sql, locks, creates, rows } = step;
  const parts = {
    sql,
    locks,
    ...(creates === undefined ? {} : { creates }),
    ...(rows === undefined ? {} : { rows }),
  };
  return step.transaction === "outside"
    ? { kind: "statement", ...parts, transaction: "outside", probe: step.probe }
    : { kind: "statement", ...parts, transaction: step.transaction };
}
