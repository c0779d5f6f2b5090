import { plan } from "../plan/plan.ts";
import type { Lock, Plan, Step } from "../plan/step.ts";
import { ident, literal, qualified } from "../sql/quote.ts";
import { shorten } from "../sql/shorten.ts";
import { columnName, targetOf, type DrizzleColumn, type TableTarget } from "../plan/target.ts";

/** What to make NOT NULL. */
export interface SetNotNullOptions extends TableTarget {
  readonly column: string | DrizzleColumn;
}

/**
 * Makes a filled column NOT NULL without a scan under a lock that makes anybody wait.
 *
 * Up to PostgreSQL 17 SET NOT NULL scans under ACCESS EXCLUSIVE, unless a validated CHECK already proves it (since 12): so the
 * scan moves to the VALIDATE of a CHECK, which reads and writes pass through. From 18 NOT NULL is itself a constraint that can
 * be added NOT VALID and validated.
 *
 * @example
 * const plan = setNotNull({ table: "users", column: "email" });
 * plan.name; // "set-not-null-public-users-email"
 */
export function setNotNull(options: SetNotNullOptions): Plan {
  const target = targetOf(options);
  const column = columnName(options.column);
  const table = qualified(target.schema, target.name);
  const alter = `ALTER TABLE ${table}`;
  const lock = (mode: Lock["mode"]): readonly Lock[] => [{ ...target, mode, partitions: true }];
  const change = { locks: lock("accessExclusive"), transaction: "inside" } as const;
  const nullable: Step = {
    kind: "check",
    id: "is-nullable",
    title: `${column} still allows NULL, also in every partition`,
    // Otherwise the undo would take away a NOT NULL that was there before.
    sql: `WITH RECURSIVE tree AS (
  SELECT ${literal(table)}::regclass::oid AS oid
  UNION SELECT i.inhrelid FROM tree t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid)
SELECT n.nspname, c.relname, 'is NOT NULL already' AS reason
FROM tree t JOIN pg_catalog.pg_class c ON c.oid = t.oid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
WHERE a.attname = ${literal(column)} AND NOT a.attisdropped AND a.attnotnull`,
    expect: "noRows",
    transaction: "inside",
    undo: { kind: "nothing" },
  };
  return plan(`set-not-null-${target.schema}-${target.name}-${column}`, [
    nullable,
    ...byCheck(alter, target.name, column, change, lock("shareUpdateExclusive")),
    ...byNotNull(alter, target.name, column, change, lock("shareUpdateExclusive")),
  ]);
}

type Change = { readonly locks: readonly Lock[]; readonly transaction: "inside" };

function byCheck(
  alter: string,
  table: string,
  column: string,
  change: Change,
  validating: readonly Lock[],
): readonly Step[] {
  // Not `<table>_<column>_not_null`: PostgreSQL 18 gives that name to the NOT NULL itself.
  const check = ident(shorten(`${table}_${column}_filled`));
  const add = `${alter} ADD CONSTRAINT ${check} CHECK (${ident(column)} IS NOT NULL) NOT VALID`;
  const drop = `${alter} DROP CONSTRAINT ${check}`;
  const when = { server: "<18" } as const;
  return [
    {
      kind: "sql",
      id: "add-check",
      title: `New rows must fill ${column}`,
      when,
      sql: add,
      ...change,
      transaction: "commitAfter",
      undo: { kind: "statement", sql: drop, ...change },
    },
    {
      kind: "sql",
      id: "validate-check",
      title: `Scan the old rows while reads and writes go on`,
      when,
      sql: `${alter} VALIDATE CONSTRAINT ${check}`,
      locks: validating,
      transaction: "commitAfter",
      undo: { kind: "nothing" },
    },
    {
      kind: "sql",
      id: "set-not-null",
      title: `Make ${column} NOT NULL; the CHECK proves it without a scan`,
      when,
      sql: `${alter} ALTER COLUMN ${ident(column)} SET NOT NULL`,
      ...change,
      undo: {
        kind: "statement",
        sql: `${alter} ALTER COLUMN ${ident(column)} DROP NOT NULL`,
        ...change,
      },
    },
    {
      kind: "sql",
      id: "drop-check",
      title: "Drop the CHECK in the same moment",
      when,
      sql: drop,
      ...change,
      transaction: "commitAfter",
      undo: { kind: "statement", sql: add, ...change },
    },
  ];
}

function byNotNull(
  alter: string,
  table: string,
  column: string,
  change: Change,
  validating: readonly Lock[],
): readonly Step[] {
  const name = ident(shorten(`${table}_${column}_not_null`));
  const when = { server: ">=18" } as const;
  return [
    {
      kind: "sql",
      id: "add-not-null",
      title: `New rows must fill ${column}`,
      when,
      sql: `${alter} ADD CONSTRAINT ${name} NOT NULL ${ident(column)} NOT VALID`,
      ...change,
      transaction: "commitAfter",
      undo: { kind: "statement", sql: `${alter} DROP CONSTRAINT ${name}`, ...change },
    },
    {
      kind: "sql",
      id: "validate-not-null",
      title: "Scan the old rows while reads and writes go on",
      when,
      sql: `${alter} VALIDATE CONSTRAINT ${name}`,
      locks: validating,
      transaction: "commitAfter",
      undo: { kind: "nothing" },
    },
  ];
}
