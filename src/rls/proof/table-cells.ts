import { COMMANDS, type Command } from "../../definition/access.ts";
import { oneOf, type PlannedCell } from "./cell.ts";
import { unreadCells } from "./column-cells.ts";
import { classOf, isGranted, listed, needsContext } from "./expected.ts";
import { insertCells } from "./insert-cells.ts";
import { cell, POLICY, reachOf, refusedCell, shown, type CellSources } from "./reach.ts";
import { selectKeys, updateAll } from "./statements.ts";
import { updateCell, updateCells } from "./update-cells.ts";
import { insertion, rowsOf } from "./world.ts";

/** All that is tried on a table by a persona whose context is right. */
export function tableCells(sources: CellSources): readonly PlannedCell[] {
  return [
    selectCell(sources),
    ...unreadCells(sources),
    ...insertCells(sources),
    ...updateCells(sources),
    deleteCell(sources),
    truncateCell(sources),
  ];
}

/** What the persona has a privilege for, in contexts that are not right. */
export function brieflyCells(sources: CellSources): readonly PlannedCell[] {
  const { table } = sources;
  const { granted } = reachOf(sources);
  return [
    ...(granted("select") ? [selectCell(sources)] : []),
    ...(granted("update") && table.touch !== null ? [updateCell(sources, table.touch)] : []),
    ...(granted("delete") ? [deleteCell(sources)] : []),
  ];
}

/** What happens without a context: an error that names what is missing, and never rows. */
export function contextCells(
  sources: CellSources,
  commands: readonly Command[],
): readonly PlannedCell[] {
  const { table, access, known, as, context, world } = sources;
  return commands
    .filter((command) => isGranted(table, access, known.persona, command))
    .map((command) => {
      const sql = statementOf(sources, command);
      const rowClass = classOf(table, access, known.persona, command);
      // On Supabase the policies ask the token for the persona first, which a malformed context still has: whoever has no rule sees no row.
      const hasPersona = access.target !== "supabase" || context === "malformed";
      const open = !needsContext(table, rowClass) && hasPersona;
      const all = listed(rowsOf(world, table).map(({ key }) => key));
      const right =
        access.target === "citus"
          ? ["ok ", "ok 0", POLICY, "error 22P02…"]
          : [
              "refused rls_context_…",
              ...(access.target === "supabase" && hasPersona && rowClass.kind === "none"
                ? ["ok "]
                : []),
            ];
      return cell(sources, command, {
        question: { sql, as, kind: command === "select" ? "rows" : "count" },
        expected: open ? "all rows" : "refused, by the context",
        judge: open ? (command === "select" ? oneOf(all) : oneOf("ok…")) : oneOf(...right),
        context,
        denies: !open,
      });
    });
}

function statementOf(sources: CellSources, command: Command): string {
  const { table, world } = sources;
  const [row] = rowsOf(world, table);
  switch (command) {
    case "select":
      return selectKeys(table);
    case "insert":
      return insertion(table, row === undefined ? [{}] : [row.values]);
    case "update":
      return updateAll(
        table,
        table.touch ?? table.keyColumns[0] ?? "",
        row?.values[table.touch ?? ""] ?? null,
      );
    case "delete":
      return `DELETE FROM ${table.sql}`;
  }
}

function selectCell(sources: CellSources): PlannedCell {
  const { table, as } = sources;
  const { granted, of, rows } = reachOf(sources);
  if (!granted("select")) return refusedCell(sources, "select", selectKeys(table));
  const visible = of("select");
  return cell(sources, "select", {
    question: { sql: selectKeys(table), as, kind: "rows" },
    expected: shown(visible, rows),
    judge: oneOf(listed(visible.map(({ key }) => key))),
    denies: visible.length < rows.length,
  });
}

function deleteCell(sources: CellSources): PlannedCell {
  const { table, as } = sources;
  const { granted, of, rows } = reachOf(sources);
  const sql = `DELETE FROM ${table.sql}`;
  if (!granted("delete")) return refusedCell(sources, "delete", sql);
  const gone = of("delete");
  const left = rows.filter((row) => !gone.includes(row));
  return cell(sources, "delete", {
    question: { sql, as, kind: "count", after: selectKeys(table) },
    expected: shown(gone, rows),
    judge: oneOf(listed(left.map(({ key }) => key))),
    denies: gone.length < rows.length,
  });
}

function truncateCell(sources: CellSources): PlannedCell {
  return refusedCell(sources, "truncate", `TRUNCATE ${sources.table.sql} CASCADE`);
}

/** The four commands, for contexts that are not right. */
export const ALL_COMMANDS: readonly Command[] = COMMANDS;
