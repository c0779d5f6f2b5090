import type { Queryable } from "../../executor/executor.ts";
import { groupBy } from "../audit/audited.ts";
import { told, type PlannedCell } from "./cell.ts";
import type { Mutation } from "./mutation.ts";
import type { CellPlan } from "./plan-cells.ts";
import { MEMBERSHIPS } from "./posture.ts";
import type { Cell, MutationResult } from "./proof.ts";
import { askAfter, type Changed } from "./runner.ts";

/** The cells as they were before anything was broken. */
export interface Baseline {
  readonly plan: CellPlan;
  readonly answers: readonly string[];
  readonly cells: readonly Cell[];
}

/** How many cells are asked after a mutation before the catalog is. */
const MOST = 5;

/** Breaks the protection in each way, and asks the cells that can show it until one does. */
export async function runMutations(
  db: Queryable,
  mutations: readonly Mutation[],
  { plan, answers, cells }: Baseline,
): Promise<readonly MutationResult[]> {
  const usable = plan.cells
    .map((cell, at) => ({ cell, at }))
    .filter(({ at }) => cells[at]?.status === "held" || cells[at]?.status === "vacuous");
  const byObject = groupBy(usable, ({ cell }) => cell.object);
  // A persona that is in another's role has the other's policies too: then nothing is made together.
  const areApart = plan.cells.every(
    ({ command }, at) => command !== MEMBERSHIPS || cells[at]?.status === "held",
  );
  const changes = mutations.map(({ sql, shows, of, first = [], most = MOST, together }) => {
    const near = of === undefined ? usable : (byObject.get(of) ?? []);
    const fitting = near.filter(({ cell }) => shows(cell));
    const catalog = fitting.filter(({ cell }) => cell.persona === "catalog");
    // What refuses or hides something is what a hole would show in.
    const rank = (cell: PlannedCell) => {
      const place = first.findIndex((fits) => fits(cell));
      return 2 * (place === -1 ? first.length : place) + (cell.denies ? 0 : 1);
    };
    const behaviour = fitting
      .filter(({ cell }) => cell.persona !== "catalog")
      .map(({ cell, at }) => ({ at, rank: rank(cell) }))
      .sort((a, b) => a.rank - b.rank)
      .slice(0, most);
    return {
      sql,
      questions: [...behaviour, ...catalog].map(({ at }) => at),
      own: behaviour.length,
      ...(together === undefined || !areApart ? {} : { together }),
    };
  });
  const results = await askAfter(
    db,
    changes,
    plan.cells.map(({ question }) => question),
    plan.askers,
    answers,
  );
  return mutations.map((mutation, index) => resultOf(mutation, results[index] ?? {}, plan));
}

function resultOf(
  { title, object, sql }: Mutation,
  { error, question, answer = "" }: Changed,
  plan: CellPlan,
): MutationResult {
  const common = { title, object, sql };
  if (error !== undefined) return { ...common, shownBy: null, status: "impossible", reason: error };
  const cell = question === undefined ? undefined : plan.cells[question];
  if (cell === undefined)
    return { ...common, shownBy: null, status: "survived", reason: "no cell answered otherwise" };
  const where = `${cell.persona}, ${cell.command} of ${cell.object}, ${cell.context}`;
  if (cell.persona !== "catalog")
    return {
      ...common,
      shownBy: "behaviour",
      status: "shown",
      reason: `${where}: ${told(answer)}`,
    };
  const fault = cell.judge(answer);
  return fault === null
    ? {
        ...common,
        shownBy: null,
        status: "survived",
        reason: `${where}: nothing against the declaration`,
      }
    : { ...common, shownBy: "catalog", status: "shown", reason: `${where}: ${fault}` };
}
