import { oneOf, type PlannedCell } from "./cell.ts";
import { classOf, listed } from "./expected.ts";
import { partsOf } from "./model.ts";
import { cell, POLICY, reachOf, refusedCell, shown, type CellSources } from "./reach.ts";
import { changedKeys, lockKeys, mergeAll, updateAll } from "./statements.ts";
import type { WorldRow } from "./world.ts";

/** All that changes rows that are there. */
export function updateCells(sources: CellSources): readonly PlannedCell[] {
  const { table, as } = sources;
  const { granted, of, rows } = reachOf(sources);
  const column = table.touch ?? table.keyColumns.at(-1) ?? "";
  if (!granted("update"))
    return [
      refusedCell(sources, "update", updateAll(table, column, rows[0]?.values[column] ?? null)),
    ];
  const changeable = of("update");
  const visible = of("select");
  const both = visible.filter((row) => changeable.includes(row));
  return [
    ...(table.touch === null
      ? []
      : [updateCell(sources, table.touch), mergeCell(sources, table.touch)]),
    granted("select")
      ? cell(sources, "select for update", {
          question: { sql: lockKeys(table), as, kind: "rows" },
          expected: shown(both, rows),
          judge: oneOf(listed(both.map(({ key }) => key))),
          denies: both.length < rows.length,
        })
      : refusedCell(sources, "select for update", lockKeys(table)),
    ...moveCells(sources, changeable),
  ];
}

/** An update of all rows that reads none: the policies of SELECT are not asked. */
export function updateCell(sources: CellSources, touch: string): PlannedCell {
  const { table, as, horizon } = sources;
  const { granted, of, rows } = reachOf(sources);
  const sql = updateAll(table, touch, rows[0]?.values[touch] ?? null);
  if (!granted("update")) return refusedCell(sources, "update", sql);
  const changeable = of("update");
  return cell(sources, "update", {
    question: { sql, as, kind: "count", after: changedKeys(table, horizon) },
    expected: shown(changeable, rows),
    judge: oneOf(listed(changeable.map(({ key }) => key))),
    denies: changeable.length < rows.length,
  });
}

/** MERGE filters by what can be seen, and fails on what can be seen and not changed. */
function mergeCell(sources: CellSources, touch: string): PlannedCell {
  const { table, as, horizon } = sources;
  const { granted, of, rows } = reachOf(sources);
  const to = rows[0]?.values[touch] ?? null;
  if (!granted("select")) return refusedCell(sources, "merge", mergeAll(table, touch, to));
  const visible = of("select");
  const changeable = of("update");
  const fails = visible.some((row) => !changeable.includes(row));
  return cell(sources, "merge", {
    question: {
      sql: mergeAll(table, touch, to),
      as,
      kind: "count",
      after: changedKeys(table, horizon),
    },
    expected: fails ? POLICY : shown(visible, rows),
    judge: fails ? oneOf(POLICY) : oneOf(listed(visible.map(({ key }) => key))),
    denies: fails || visible.length < rows.length,
  });
}

/** Rows that the persona may change, moved to where it may not: to another tenant, to another user. */
function moveCells(sources: CellSources, changeable: readonly WorldRow[]): readonly PlannedCell[] {
  const { table, as, world, known, access } = sources;
  if (changeable.length === 0) return [];
  const { isIn, rows } = reachOf(sources);
  const columns = new Set(
    partsOf(classOf(table, access, known.persona, "update")).flatMap((part) =>
      part.kind === "own" || part.kind === "among" ? [part.column] : [],
    ),
  );
  const other = world.tenants.find((tenant) => tenant !== known.tenant) ?? null;
  const moves = [
    ...(table.tenantColumn === null
      ? []
      : [{ column: table.tenantColumn, to: other, what: "update to another tenant" }]),
    ...[...columns].flatMap((column) => {
      const to = rows
        .map(({ values }) => values[column] ?? null)
        .find(
          (value) =>
            value !== null &&
            changeable.every(
              (row) => !isIn("update", { ...row, values: { ...row.values, [column]: value } }),
            ),
        );
      return to === undefined ? [] : [{ column, to, what: `update ${column} to another's` }];
    }),
  ];
  return moves.map(({ column, to, what }) =>
    cell(sources, what, {
      question: { sql: updateAll(table, column, to), as, kind: "count" },
      expected: POLICY,
      judge: oneOf(POLICY, ...(table.isPartitioned ? ["error 23514…"] : [])),
      denies: true,
    }),
  );
}
