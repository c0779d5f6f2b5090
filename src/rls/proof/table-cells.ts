import { COMMANDS, type AccessData, type Command } from "../../definition/access.ts";
import type { PlannedCell, ContextName } from "./cell.ts";
import { oneOf } from "./cell.ts";
import {
  classOf,
  isGranted,
  knownWithout,
  listed,
  needsContext,
  reaches,
  type Known,
} from "./expected.ts";
import { ident } from "../../sql/quote.ts";
import { partsOf, type ProvenTable } from "./model.ts";
import type { Question } from "./runner.ts";
import { changedKeys, lockKeys, mergeAll, removeRow, selectKeys, updateAll } from "./statements.ts";
import { insertion, rowsOf, type World, type WorldRow } from "./world.ts";

/** What is known where the cells of one persona and table are made. */
export interface CellSources {
  readonly world: World;
  readonly access: AccessData;
  readonly table: ProvenTable;
  readonly known: Known;
  /** The asker's place. */
  readonly as: number;
  readonly horizon: number;
  readonly context: ContextName;
}

const REFUSED = "refused privilege";
const POLICY = "refused policy";

/** What a persona's context shows and lets it do with a table. */
interface Reach {
  readonly rows: readonly WorldRow[];
  readonly granted: (command: Command) => boolean;
  readonly of: (command: Command) => readonly WorldRow[];
  readonly isIn: (command: Command, row: Pick<WorldRow, "key" | "values">) => boolean;
}

function reachOf({ world, access, table, known }: CellSources): Reach {
  const rows = rowsOf(world, table);
  const isIn: Reach["isIn"] = (command, row) =>
    reaches(
      table,
      classOf(table, access, known.persona, command),
      command === "insert" ? knownWithout(known, table, row) : known,
      row,
    );
  return {
    rows,
    isIn,
    granted: (command) => isGranted(table, access, known.persona, command),
    of: (command) => rows.filter((row) => isIn(command, row)),
  };
}

/** All that is tried on a table by a persona whose context is right. */
export function tableCells(sources: CellSources): readonly PlannedCell[] {
  return [
    selectCell(sources),
    ...insertCells(sources),
    ...updateCells(sources),
    deleteCell(sources),
    truncateCell(sources),
  ];
}

/** Cells of which no row is written, for contexts that are not right. */
export function brieflyCells(sources: CellSources): readonly PlannedCell[] {
  const { table } = sources;
  return [
    selectCell(sources),
    ...(table.touch === null ? [] : [updateCell(sources, table.touch)]),
    deleteCell(sources),
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
      const open = !needsContext(table, rowClass) && access.target !== "supabase";
      const all = listed(rowsOf(world, table).map(({ key }) => key));
      const right =
        access.target === "citus"
          ? ["ok ", "ok 0", POLICY, "error 22P02…"]
          : ["refused rls_context_…"];
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

type Parts = Pick<PlannedCell, "question" | "expected" | "judge" | "denies"> & Partial<PlannedCell>;

function cell({ table, known, context }: CellSources, command: string, parts: Parts): PlannedCell {
  return { persona: known.persona, object: table.path, command, context, ...parts };
}

function refusedCell(sources: CellSources, command: string, sql: string): PlannedCell {
  return cell(sources, command, {
    question: { sql, as: sources.as, kind: "count" },
    expected: REFUSED,
    judge: oneOf(REFUSED),
    denies: true,
  });
}

function shown(some: readonly unknown[], all: readonly unknown[]): string {
  return `${some.length} of ${all.length} rows`;
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

/** For each kind of row one that is tried: what may be inserted, what may not in the same tenant, and what is another tenant's. */
function insertCells(sources: CellSources): readonly PlannedCell[] {
  const { table, as, world, known } = sources;
  const { granted, isIn, rows } = reachOf(sources);
  const [first] = rows;
  if (first === undefined) return [];
  if (!granted("insert")) return [refusedCell(sources, "insert", insertion(table, [first.values]))];
  const allowed = rows.filter((row) => isIn("insert", row));
  const denied = rows.filter((row) => !isIn("insert", row));
  const isMine = ({ values }: WorldRow) =>
    table.tenantColumn === null || values[table.tenantColumn] === known.tenant;
  const chosen = [
    ...allowed.slice(0, 1),
    ...denied.filter(isMine).slice(0, 1),
    ...denied.filter((row) => !isMine(row)).slice(0, 1),
  ].map((row) => ({
    row,
    values: row.values,
    what: isIn("insert", row)
      ? "insert"
      : isMine(row)
        ? "insert for others"
        : "insert for another tenant",
  }));
  const [mine] = allowed;
  const other = world.tenants.find((tenant) => tenant !== known.tenant) ?? null;
  const spoofed =
    mine === undefined || table.tenantColumn === null
      ? []
      : [
          {
            row: mine,
            values: { ...mine.values, [table.tenantColumn]: other },
            what: "insert into another tenant",
          },
        ];
  const missingPartition = table.isPartitioned ? ["error 23514…"] : [];
  return [...chosen, ...spoofed].flatMap(({ row, values, what }) => {
    const isRight = values === row.values && isIn("insert", row);
    const question: Question = {
      sql: insertion(table, [values]),
      as,
      kind: "count",
      before: removeRow(table, row),
    };
    const plain = cell(sources, what, {
      question,
      expected: isRight ? "inserted" : POLICY,
      judge: isRight ? oneOf("ok 1") : oneOf(POLICY, ...missingPartition),
      denies: !isRight,
    });
    if (!isRight) return [plain];
    return [plain, returningCell(sources, question, row), ...upsertCells(sources, row)];
  });
}

/** INSERT … RETURNING reads what it wrote. */
function returningCell(sources: CellSources, question: Question, row: WorldRow): PlannedCell {
  const { granted, isIn } = reachOf(sources);
  const isRight = granted("select") && isIn("select", row);
  const column = sources.table.columns[0]?.name ?? "";
  return cell(sources, "insert returning", {
    question: { ...question, sql: `${question.sql} RETURNING ${ident(column)}` },
    expected: isRight ? "inserted" : granted("select") ? POLICY : REFUSED,
    judge: isRight ? oneOf("ok 1") : oneOf(granted("select") ? POLICY : REFUSED),
    denies: !isRight,
  });
}

/** A row that is there already: DO UPDATE must not touch what the persona may not see or change. */
function upsertCells(sources: CellSources, row: WorldRow): readonly PlannedCell[] {
  const { table, as } = sources;
  const { granted, isIn } = reachOf(sources);
  const primary = table.uniques.find((each) => each.primary);
  if (primary === undefined || table.touch === null) return [];
  if (!granted("select") || !granted("update")) return [];
  const isRight = isIn("select", row) && isIn("update", row);
  const on = table.keyColumns.map(ident).join(", ");
  return [
    cell(sources, "upsert", {
      question: {
        sql: `${insertion(table, [row.values])} ON CONFLICT (${on}) DO UPDATE SET ${ident(table.touch)} = excluded.${ident(table.touch)}`,
        as,
        kind: "count",
      },
      expected: isRight ? "updated" : POLICY,
      judge: isRight ? oneOf("ok 1") : oneOf(POLICY),
      denies: !isRight,
    }),
  ];
}

function updateCells(sources: CellSources): readonly PlannedCell[] {
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

function updateCell(sources: CellSources, touch: string): PlannedCell {
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
            changeable.some(
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
