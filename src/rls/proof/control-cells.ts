import type { AccessData } from "../../definition/access.ts";
import { ident } from "../../sql/quote.ts";
import { oneOf, told, type PlannedCell } from "./cell.ts";
import { listed } from "./expected.ts";
import type { ProofModel } from "./model.ts";
import { OWNER } from "./posture.ts";
import type { Asker } from "./runner.ts";
import { changedKeys, removeRow, selectKeys, updateAll } from "./statements.ts";
import { insertion, rowsOf, type World } from "./world.ts";

/** A role that owns a table for the time of one question, and nothing else. */
export const STAND_IN = "underpin_proof_owner";

/** The answer of a TRUNCATE that nothing but the proof's own trigger stopped. */
const STOPPED = "error UPTRN underpin_stop";

/** What lets a TRUNCATE of a table get as far as that. */
const STOP = `CREATE FUNCTION pg_temp.underpin_stop() RETURNS trigger LANGUAGE plpgsql AS $stop$
BEGIN
  RAISE EXCEPTION USING ERRCODE = 'UPTRN', MESSAGE = 'underpin_stop';
END $stop$`;

/**
 * A trigger before TRUNCATE, in which it ends. PostgreSQL fires those when it has asked for every privilege and every foreign key, and before it makes a
 * new file for every table and index: that would take longer than a hundred questions (`ExecuteTruncateGuts`, 15 to 18).
 */
function stoppedTruncate(table: string): string {
  return [
    STOP,
    `CREATE TRIGGER underpin_stop BEFORE TRUNCATE ON ${table} FOR EACH STATEMENT EXECUTE FUNCTION pg_temp.underpin_stop()`,
    `ALTER TABLE ${table} ENABLE ALWAYS TRIGGER underpin_stop`,
  ].join(";\n");
}

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
  const truncate = `TRUNCATE ${own.map(({ sql }) => sql).join(", ")} CASCADE`;
  const stop = own.slice(0, 1).map(({ sql }) => stoppedTruncate(sql));
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
        judge: oneOf(STOPPED),
        told: (answer) => (answer === STOPPED ? "done" : told(answer)),
        question: { sql: truncate, as: OWNER, kind: "count", before: stop.join(";\n") },
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
