import type { Lock, Step } from "../../plan/step.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";
import { fitsSql, openBoundSql, unboundSql } from "./attach-bound.ts";
import { ownIndexes } from "./attach-counts.ts";
import { readSql, unwatchSql, watchSql } from "./attach-note.ts";
import type { Attach } from "./attach-of.ts";

const NOTHING = { kind: "nothing" } as const;

/** Partitions that are dropped in one transaction. */
const LEAVES = 20;

/** Which values there are, without refusing one that comes meanwhile. */
export function notedSteps(attach: Attach): readonly Step[] {
  const { schema, table, names, dimension, column } = attach;
  const lock = (name: string, mode: Lock["mode"]): Lock => ({ schema, name, mode });
  const what = dimension.strategy === "list" ? "values" : "intervals";
  return [
    {
      kind: "sql",
      id: "watch",
      title: `Note which new ${what} of ${column.name} come from now on`,
      sql: watchSql(attach),
      locks: [lock(table.name, "shareRowExclusive")],
      creates: 2,
      transaction: "commitAfter",
      undo: {
        kind: "statement",
        sql: [
          unwatchSql(attach, table.name),
          `DROP TABLE ${qualified(schema, names.values)}`,
          `DROP TABLE ${qualified(schema, names.cut)}`,
          `DROP FUNCTION ${qualified(schema, names.note)}()`,
        ].join(";\n"),
        locks: [table.name, names.values, names.cut].map((name) => lock(name, "accessExclusive")),
        transaction: "inside",
      },
    },
    {
      kind: "sql",
      id: "read",
      title: `Note which ${what} of ${column.name} are there`,
      sql: readSql(attach),
      // The table has another name by the time that anybody counts its indexes: they are counted here.
      locks: [
        { ...lock(table.name, "accessShare"), indexes: false },
        lock(names.values, "rowExclusive"),
        ...attach.consulted.map((each): Lock => ({ ...each, mode: "accessShare", indexes: false })),
      ],
      creates: ownIndexes(attach),
      rows: [{ schema, name: table.name, access: "read" }],
      transaction: "commitAfter",
      undo: NOTHING,
    },
    {
      kind: "sql",
      id: "fits",
      title: "Try on tables without rows whether one partition takes them all",
      sql: fitsSql(attach),
      // What it makes is rolled back, with its locks.
      locks: [lock(names.values, "accessShare")],
      transaction: "commitAfter",
      undo: NOTHING,
    },
    {
      kind: "sql",
      id: "bound",
      title: `Add the CHECK that will prove the bound; until the swap it is true of every row`,
      sql: openBoundSql(attach),
      locks: [lock(table.name, "accessExclusive")],
      transaction: "commitAfter",
      undo: {
        kind: "statement",
        sql: unboundSql(attach, table.name),
        locks: [lock(table.name, "accessExclusive")],
        transaction: "inside",
      },
    },
    {
      kind: "sql",
      id: "validate",
      title: "Have it validated while reads and writes go on",
      sql: `ALTER TABLE ${qualified(schema, table.name)} VALIDATE CONSTRAINT ${ident(names.bound)}`,
      locks: [lock(table.name, "shareUpdateExclusive")],
      transaction: "commitAfter",
      undo: {
        kind: "statement",
        sql: dropMadeSinceSql(attach),
        locks: [],
        transaction: "outside",
        probe: { sql: "SELECT 'absent' AS state" },
      },
    },
  ];
}

/** The partitions that were made since: their rows are home by then. A few in one transaction, leaves first. */
function dropMadeSinceSql({ schema, names }: Attach): string {
  const root = literal(qualified(schema, names.root));
  return `DO ${literal(`
DECLARE
  v_part record;
  v_dropped integer;
BEGIN
  LOOP
    v_dropped := 0;
    FOR v_part IN
      WITH RECURSIVE tree (oid, level) AS (
        SELECT pg_catalog.to_regclass(${root})::oid, 0
        UNION ALL
        SELECT i.inhrelid, t.level + 1 FROM tree AS t JOIN pg_catalog.pg_inherits AS i ON i.inhparent = t.oid
      )
      SELECT t.oid::regclass AS name FROM tree AS t WHERE t.level > 0 ORDER BY t.level DESC, t.oid LIMIT ${LEAVES}
    LOOP
      EXECUTE pg_catalog.format('DROP TABLE %s', v_part.name);
      v_dropped := v_dropped + 1;
    END LOOP;
    COMMIT;
    EXIT WHEN v_dropped = 0;
  END LOOP;
END`)}`;
}
