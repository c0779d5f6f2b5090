import type { Facts } from "../../catalog/read-facts.ts";
import type { Data } from "./data.ts";
import type { Filled } from "./fill.ts";
import type { RehearsedPlan, RehearsedStep } from "./rehearsal.ts";
import type { Rehearsable } from "./rehearse-plan.ts";

/** What a rehearsal knows of itself. */
interface Looked {
  readonly items: readonly Rehearsable[];
  readonly plans: readonly RehearsedPlan[];
  readonly filled: Filled;
  readonly data: Data;
  readonly first: Facts;
  readonly after: Facts;
}

/** What stays open, in words. */
export function notLookedAt(looked: Looked): readonly string[] {
  const { items, plans, filled, data, first, after } = looked;
  const steps = plans.flatMap(({ up, down }) => [...up.steps, ...(down?.steps ?? [])]);
  const unmeasured = [...new Set(steps.filter(isNotMeasured).map(({ id }) => id))];
  const empty = [...data].filter(([, { rows }]) => rows === 0).map(([table]) => table);
  const policies = ({ policies: list }: Facts) => JSON.stringify(list);
  return [
    ...items
      .slice(plans.length)
      .map(({ name }) => `"${name}": what came before it failed, so it did not run`),
    ...(unmeasured.length === 0
      ? []
      : [
          `locks of ${unmeasured.join(", ")}, which are shown as declared: outside of a transaction they can be read on a server only, and migrations of an empty database run together`,
        ]),
    ...(empty.length === 0
      ? []
      : [`readings of ${empty.join(", ")}: no row was there${because(filled, empty)}`]),
    ...(filled.model.definition.access.length === 0 && policies(first) !== policies(after)
      ? ["who sees what after policies changed: no definition says who asks"]
      : []),
    "waits: nobody else works in the database of a rehearsal",
  ];
}

function isNotMeasured({ measured, state, kind }: RehearsedStep): boolean {
  return !measured && state === "done" && (kind === "sql" || kind === "check");
}

function because({ world: { problems } }: Filled, empty: readonly string[]): string {
  const why = problems.filter((problem) =>
    empty.some((table) => problem.startsWith(`table ${table}: `)),
  );
  return why.length === 0 ? "" : ` (${why.join("; ")})`;
}
