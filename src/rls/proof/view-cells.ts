import type { AccessData } from "../../definition/access.ts";
import { oneOf, told, type PlannedCell } from "./cell.ts";
import { classOf, reaches, type Known } from "./expected.ts";
import type { ProofModel, ProvenView } from "./model.ts";
import type { Question } from "./runner.ts";
import { keepOnly, selectView } from "./statements.ts";
import { rowsOf, type World } from "./world.ts";

/** What is known where the cells of one persona's views are made. */
export interface ViewSources {
  readonly model: ProofModel;
  readonly world: World;
  readonly access: AccessData;
  readonly known: Known;
  readonly as: number;
  /** The place of the asker that has this context and sees every row. */
  readonly truth: number;
}

/** The question what a view shows in a world of only those rows that the persona may read. */
export function viewTruth(sources: ViewSources, view: ProvenView): Question {
  return {
    sql: selectView(view),
    // What a guard shows is its own matter: it must not change when the rows of other tenants are gone.
    as: view.isGuard || !view.readsTables ? sources.as : sources.truth,
    kind: "rows",
    before: withoutTheRest(sources, view).join(";\n"),
  };
}

/**
 * Statements that remove what the persona may not read. A guarded materialized view shows what its tenant has, whoever of the tenant
 * asks, and is filled again.
 */
function withoutTheRest(sources: ViewSources, view: ProvenView): readonly string[] {
  const { model, world, access, known } = sources;
  const { isGuard } = view;
  if (!isGuard && !view.readsTables) return ["SELECT 1"];
  const removals = model.tables.flatMap((table) => {
    const rows = rowsOf(world, table);
    const kept = rows.filter((row) =>
      isGuard
        ? table.tenantColumn === null || row.values[table.tenantColumn] === known.tenant
        : reaches(table, classOf(table, access, known.persona, "select"), known, row),
    );
    return kept.length === rows.length
      ? []
      : [
          keepOnly(
            table,
            kept.map(({ key }) => key),
          ),
        ];
  });
  return isGuard
    ? [...removals, ...refreshes(model)]
    : removals.length === 0
      ? ["SELECT 1"]
      : removals;
}

/** Fills the materialized views, in the order of their declaration. */
export function refreshes(model: ProofModel): readonly string[] {
  return model.views
    .filter(({ kind }) => kind === "materialized view")
    .map(({ sql }) => `REFRESH MATERIALIZED VIEW ${sql}`);
}

const REFUSED = "refused privilege";

/** What a persona reads through a view: refused, or what the same query shows in a world of its own rows. */
export function viewCell(sources: ViewSources, view: ProvenView, truth: string): PlannedCell {
  const { known, as } = sources;
  const isClosed = view.kind === "materialized view";
  return {
    persona: known.persona,
    object: view.path,
    command: "select",
    context: "right",
    question: { sql: selectView(view), as, kind: "rows" },
    expected: isClosed ? REFUSED : `refused, or ${told(truth)}`,
    judge: isClosed
      ? oneOf(REFUSED)
      : view.isStatistics
        ? // Figures change from one moment to the next: how many rows there are does not.
          (answer) => (answer === REFUSED || told(answer) === told(truth) ? null : told(answer))
        : oneOf(REFUSED, truth),
    denies: true,
  };
}
