import { UnderpinError } from "../errors.ts";
import { malformedBackfill } from "./malformed-backfill.ts";
import type { Plan, Step } from "./step.ts";

/**
 * Puts steps and whole plans together, in order, under one name.
 *
 * The steps of a plan that is put in keep their ids behind the plan's name, `set-not-null-users-email/validate`, so
 * that the journal still finds them when the plan around them grows.
 *
 * @example
 * const emails = plan("emails", [
 *   setNotNull({ table: "users", column: "email" }),
 *   createIndex({ table: "users", parts: ["email"] }),
 * ]);
 * emails.steps[0]?.id; // "set-not-null-public-users-email/is-nullable"
 */
export function plan(name: string, parts: readonly (Step | Plan)[]): Plan {
  const steps = parts.flatMap((part): readonly Step[] =>
    "steps" in part
      ? part.steps.map((step) => ({ ...step, id: `${part.name}/${step.id}` }))
      : [part],
  );
  const made: Plan = { format: 1, name, steps };
  validatePlan(made);
  return made;
}

/** Refuses a plan that no journal could keep apart: no name, no steps, an id twice. */
export function validatePlan({ format, name, steps }: Plan): void {
  if ((format as unknown) !== 1)
    throw new UnderpinError({
      code: "invalidInput",
      message: `this is not a plan of format 1: format is ${JSON.stringify(format)}`,
      hint: "Make plans with plan(name, parts) or a recipe of this version of underpin.",
    });
  if (typeof name !== "string" || name.trim() === "")
    throw new UnderpinError({
      code: "invalidInput",
      message: "a plan needs a name",
      hint: 'The journal keeps runs apart by it: plan("add-tenant", [ … ]).',
    });
  const given: unknown = steps;
  if (!Array.isArray(given) || given.length === 0)
    throw new UnderpinError({
      code: "invalidInput",
      message: `plan "${name}" has no steps`,
      hint: "Hand over at least one step: plan(name, [step, …]).",
    });
  if (JSON.stringify(steps).includes("\\u0000"))
    throw new UnderpinError({
      code: "invalidInput",
      message: `plan "${name}" holds a NUL character`,
      hint: "PostgreSQL cannot store it: remove the character.",
    });
  const seen = new Set<string>();
  for (const step of steps) {
    const { id } = step;
    refuseMalformed(name, step);
    if (seen.has(id))
      throw new UnderpinError({
        code: "invalidInput",
        message: `plan "${name}" has two steps with the id "${id}"`,
        hint: "The journal resumes by step id: give one of them another id.",
      });
    seen.add(id);
  }
}

const KINDS: readonly unknown[] = ["sql", "check", "gate", "call", "backfill"];
const RULES: readonly unknown[] = ["inside", "outside", "commitAfter"];

/** What types tell in TypeScript, for a plan that comes from JSON or JavaScript. */
function refuseMalformed(planName: string, step: Step): void {
  const given: unknown = step;
  const { id, kind, undo, transaction, probe } = given as Record<string, unknown>;
  const wrong =
    typeof id !== "string" || id === ""
      ? "has no id"
      : !KINDS.includes(kind)
        ? `is of the unknown kind ${JSON.stringify(kind)}`
        : typeof undo !== "object" || undo === null
          ? "has no undo"
          : (kind === "sql" || kind === "check") && !RULES.includes(transaction)
            ? `has the unknown transaction rule ${JSON.stringify(transaction)}`
            : transaction === "outside" && (typeof probe !== "object" || probe === null)
              ? "runs outside a transaction and has no probe"
              : step.kind === "backfill"
                ? malformedBackfill(step)
                : undefined;
  if (wrong !== undefined)
    throw new UnderpinError({
      code: "invalidInput",
      message: `a step of plan "${planName}" (${String(id)}) ${wrong}`,
      hint: "See the type Step: its kinds are sql, check, gate, call and backfill; nothing was run.",
    });
}
