import type { Queryable } from "../../executor/executor.ts";
import { ident } from "../../sql/quote.ts";
import { draftRows } from "./draft.ts";
import { shiftKey, type Draft, type DraftRow, type DraftSources } from "./draft-values.ts";
import { value, type ProofModel, type ProvenTable } from "./model.ts";
import { ask, type Question } from "./runner.ts";

/** How often rows that a check refuses are made otherwise. */
const ROUNDS = 12;

/** Rows that pass the checks with the keys that they got: those that do not are made again, with other choices. */
export async function passingDraft(db: Queryable, sources: DraftSources): Promise<Draft> {
  const shifts = new Map(sources.shifts);
  for (let round = 0; ; round += 1) {
    const draft = draftRows({ ...sources, shifts });
    const failing = await refusedRows(db, sources.model, draft);
    if (failing.length === 0 || round === ROUNDS) return draft;
    for (const { table, row } of failing) {
      const key = shiftKey(table, row.tenant, row.row);
      shifts.set(key, (shifts.get(key) ?? 0) + 1);
    }
  }
}

interface Refused {
  readonly table: ProvenTable;
  readonly row: DraftRow;
}

/** Asks the checks themselves. */
async function refusedRows(
  db: Queryable,
  model: ProofModel,
  draft: Draft,
): Promise<readonly Refused[]> {
  const tables = model.tables.filter(
    ({ sql, constraints }) =>
      (draft.rows.get(sql) ?? []).length > 0 &&
      constraints.some(({ kind, expression }) => kind === "check" && expression !== null),
  );
  const questions = tables.map((table): Question => {
    const at = ident("underpin row");
    const rows = draft.rows.get(table.sql) ?? [];
    const lists = rows.map(
      ({ values }, index) =>
        `(${[index, ...table.columns.map(({ name, type }) => `${value(values[name] ?? null)}::${type}`)].join(", ")})`,
    );
    const names = [at, ...table.columns.map(({ name }) => ident(name))].join(", ");
    const passes = table.constraints.flatMap(({ kind, expression, enforced }) =>
      kind === "check" && expression !== null && enforced ? [`(${expression}) IS NOT FALSE`] : [],
    );
    return {
      as: 0,
      kind: "rows",
      sql: `SELECT pg_catalog.json_agg(${at})::text FROM (VALUES ${lists.join(", ")}) AS t(${names}) WHERE NOT (${passes.join(" AND ") || "true"})`,
    };
  });
  const answers = await ask(db, questions, [{ role: null, settings: [] }]);
  return tables.flatMap((table, index) => {
    const answer = answers[index] ?? "";
    const places = answer.startsWith("ok ")
      ? (JSON.parse(answer.slice(3) || "[]") as number[])
      : [];
    return places.flatMap((place) => {
      const row = draft.rows.get(table.sql)?.[place];
      return row === undefined ? [] : [{ table, row }];
    });
  });
}
