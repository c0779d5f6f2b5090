import type { AccessData } from "../../definition/access.ts";
import { ident } from "../../sql/quote.ts";
import { oneOf, type PlannedCell } from "./cell.ts";
import { listed } from "./expected.ts";
import type { ProofModel } from "./model.ts";
import { OWNER } from "./posture.ts";
import type { Asker } from "./runner.ts";
import { changedKeys, removeRow, selectKeys, updateAll } from "./statements.ts";
import { insertion, rowsOf, type World } from "./world.ts";

/** A role that owns a table for the time of one question, and nothing else. */
export const STAND_IN = "underpin_proof_owner";

/** The same statements as who may do them: what is refused to others is possible. */
export function controlCells(
  model: ProofModel,
  world: World,
  access: AccessData,
  horizon: number,
  add: (asker: Asker) => number,
): readonly PlannedCell[] {
  const as = add({ role: access.migratorRole, settings: [] });
  const own = model.tables.filter((table) => table.access?.schema === access.schema);
  // One statement for all: each makes new files for its table and its indexes, and with CASCADE for all that point at it.
  const truncate = `TRUNCATE ${own.map(({ sql }) => sql).join(", ")} CASCADE`;
  return own.flatMap((table): PlannedCell[] => {
    const rows = rowsOf(world, table);
    const [first] = rows;
    const all = listed(rows.map(({ key }) => key));
    const common = {
      persona: "control",
      object: table.path,
      context: "any",
      denies: false,
    } as const;
    if (first === undefined) return [];
    return [
      {
        ...common,
        command: "select",
        expected: "all rows",
        judge: oneOf(all),
        question: { sql: selectKeys(table), as, kind: "rows" },
      },
      {
        ...common,
        command: "insert",
        expected: "inserted",
        judge: oneOf("ok 1"),
        question: {
          sql: insertion(table, [first.values]),
          as,
          kind: "count",
          before: removeRow(table, first),
        },
      },
      ...(table.touch === null
        ? []
        : [
            {
              ...common,
              command: "update",
              expected: "all rows",
              judge: oneOf(all),
              question: {
                sql: updateAll(table, table.touch, first.values[table.touch] ?? null),
                as,
                kind: "count" as const,
                after: changedKeys(table, horizon),
              },
            },
          ]),
      {
        ...common,
        command: "delete",
        expected: "all rows",
        judge: oneOf("ok "),
        question: {
          sql: `DELETE FROM ${table.sql}`,
          as,
          kind: "count",
          after: selectKeys(table),
        },
      },
      {
        ...common,
        command: "truncate",
        expected: "done",
        judge: oneOf("ok…"),
        question: { sql: truncate, as: OWNER, kind: "count" },
      },
    ];
  });
}

/** An owner that no policy names sees nothing; and changes nothing of what is append-only, with its triggers awake. */
export function ownerCells(model: ProofModel, world: World): readonly PlannedCell[] {
  return model.tables
    .filter(({ rules }) => rules !== null)
    .flatMap((table): PlannedCell[] => {
      const common = {
        persona: "owner",
        object: table.path,
        context: "any",
        denies: true,
      } as const;
      const [first] = rowsOf(world, table);
      const column = table.touch ?? table.keyColumns[0] ?? "";
      const statements: readonly (readonly [string, string])[] = [
        ["update", updateAll(table, column, first?.values[column] ?? null)],
        ["delete", `DELETE FROM ${table.sql}`],
        ["truncate", `TRUNCATE ${table.sql} CASCADE`],
      ];
      return [
        {
          ...common,
          command: "select",
          expected: "no row",
          judge: oneOf("ok "),
          question: {
            sql: selectKeys(table),
            as: 1,
            kind: "rows",
            before: `ALTER TABLE ${table.sql} OWNER TO ${ident(STAND_IN)}`,
          },
        },
        ...(table.rules?.appendOnly === true
          ? statements.map(([command, sql]) => ({
              ...common,
              command,
              expected: "refused append_only",
              judge: oneOf("refused append_only"),
              question: { sql, as: OWNER, kind: "count" as const, live: true },
            }))
          : []),
      ];
    });
}
