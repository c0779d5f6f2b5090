import { ident } from "../../sql/quote.ts";
import { oneOf, type PlannedCell } from "./cell.ts";
import { cell, POLICY, reachOf, REFUSED, refusedCell, type CellSources } from "./reach.ts";
import type { Question } from "./runner.ts";
import { removeRow } from "./statements.ts";
import { insertion, type WorldRow } from "./world.ts";

/** For each kind of row one that is tried: what may be inserted, what may not in the same tenant, and what is another tenant's. */
export function insertCells(sources: CellSources): readonly PlannedCell[] {
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
