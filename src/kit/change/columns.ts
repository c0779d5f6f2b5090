import type { ColumnFact } from "../../catalog/columns.ts";
import type { Facts } from "../../catalog/read-facts.ts";
import type { Plan, RelationName, SqlStep, Step } from "../../plan/step.ts";
import { addColumn } from "../../recipes/add-column.ts";
import { changeColumnType } from "../../recipes/change-column-type.ts";
import { setNotNull } from "../../recipes/set-not-null.ts";
import { refuse } from "../../recipes/table-facts.ts";
import { ident, qualified } from "../../sql/quote.ts";
import { gatedSteps } from "./steps.ts";

/** A part of a plan that is being put together. */
export type Part = Step | Plan;

/** A column that is another than it was. */
export interface ColumnChange {
  readonly table: RelationName;
  readonly was: ColumnFact | undefined;
  readonly is: ColumnFact | undefined;
}

/** The columns of a table that are new, gone, or another, by name. */
export function columnChanges(
  table: RelationName,
  before: Facts,
  after: Facts,
): readonly ColumnChange[] {
  const was = columnsOf(table, before);
  const is = columnsOf(table, after);
  return [...new Set([...was.keys(), ...is.keys()])]
    .map((name) => ({ table, was: was.get(name), is: is.get(name) }))
    .filter((change) => aspects(change.was) !== aspects(change.is));
}

function columnsOf(
  { schema, name }: RelationName,
  { columns }: Facts,
): ReadonlyMap<string, ColumnFact> {
  return new Map(
    columns
      .filter((each) => each.schema === schema && each.table === name)
      .map((each) => [each.name, each]),
  );
}

function aspects(column: ColumnFact | undefined): string {
  if (column === undefined) return "";
  const { type, notNull, default: value, generated, identity, collation } = column;
  return JSON.stringify([type, notNull, value, generated, identity, collation]);
}

const onTable = (table: RelationName) =>
  [{ ...table, mode: "accessExclusive", partitions: true }] as const;

/** A column that is new. What makes PostgreSQL rewrite the table stands behind a gate. */
export function addedColumn(table: RelationName, is: ColumnFact, facts: Facts): readonly Part[] {
  const { schema, name } = table;
  const type = typeOf(is);
  if (is.generated === null && is.identity === null)
    return [
      addColumn({
        facts,
        schema,
        table: name,
        column: is.name,
        type,
        notNull: is.notNull,
        ...(is.default === null ? {} : { default: is.default }),
      }),
    ];
  const made =
    is.generated === null
      ? `GENERATED ${is.identity === "always" ? "ALWAYS" : "BY DEFAULT"} AS IDENTITY`
      : `GENERATED ALWAYS AS (${is.generated.expression}) ${is.generated.kind.toUpperCase()}${is.notNull ? " NOT NULL" : ""}`;
  const path = qualified(schema, name);
  return gatedSteps({
    id: `add column ${ident(is.name)} of ${path}`,
    title: `Add ${is.name} to ${name}`,
    why: `PostgreSQL computes ${is.name} for every row of ${path} that is there, and rewrites the table while reads and writes wait.`,
    sql: `ALTER TABLE ${path} ADD COLUMN ${ident(is.name)} ${type} ${made}`,
    undo: `ALTER TABLE ${path} DROP COLUMN ${ident(is.name)}`,
    locks: onTable(table),
  });
}

function typeOf({ type, collation }: ColumnFact): string {
  return collation === null ? type : `${type} COLLATE ${collation}`;
}

/** A column that is there and another: its type first, then its default, then NOT NULL. */
export function changedColumn(
  table: RelationName,
  was: ColumnFact,
  is: ColumnFact,
  facts: Facts,
): readonly Part[] {
  const { schema, name } = table;
  const target = { schema, table: name, column: is.name };
  const isOther = JSON.stringify([was.generated, was.identity, was.collation]);
  if (isOther !== JSON.stringify([is.generated, is.identity, is.collation]))
    return replacedColumn(table, was, is);
  const isRetyped = was.type !== is.type;
  return [
    ...(isRetyped
      ? [changeColumnType({ ...target, facts, type: is.type, default: is.default })]
      : []),
    ...(!isRetyped && was.default !== is.default ? [defaultStep(table, was, is)] : []),
    ...(was.notNull || !is.notNull ? [] : [setNotNull(target)]),
    ...(was.notNull && !is.notNull ? [allowNull(table, is)] : []),
  ];
}

function defaultStep(table: RelationName, was: ColumnFact, is: ColumnFact): SqlStep {
  const path = qualified(table.schema, table.name);
  const set = (value: string | null) =>
    `ALTER TABLE ${path} ALTER COLUMN ${ident(is.name)} ${value === null ? "DROP DEFAULT" : `SET DEFAULT ${value}`}`;
  return {
    kind: "sql",
    id: `default of ${ident(is.name)} of ${path}`,
    title: `New rows of ${table.name} get another default of ${is.name}`,
    sql: set(is.default),
    locks: onTable(table),
    transaction: "commitAfter",
    undo: {
      kind: "statement",
      sql: set(was.default),
      locks: onTable(table),
      transaction: "commitAfter",
    },
  };
}

/** The way back is of one statement: it reads the table for NULL under its lock, and fails where there are some by then. */
function allowNull(table: RelationName, is: ColumnFact): SqlStep {
  const path = qualified(table.schema, table.name);
  const alter = (word: string) =>
    `ALTER TABLE ${path} ALTER COLUMN ${ident(is.name)} ${word} NOT NULL`;
  return {
    kind: "sql",
    id: `null in ${ident(is.name)} of ${path}`,
    title: `${is.name} of ${table.name} may be NULL`,
    sql: alter("DROP"),
    locks: onTable(table),
    transaction: "commitAfter",
    undo: {
      kind: "statement",
      sql: alter("SET"),
      locks: onTable(table),
      transaction: "commitAfter",
    },
  };
}

/** What is generated holds nothing of its own: it may go and be computed anew. Anything else is for a person. */
function replacedColumn(table: RelationName, was: ColumnFact, is: ColumnFact): readonly Part[] {
  const path = qualified(table.schema, table.name);
  if (was.generated === null || is.generated === null)
    refuse(
      `${is.name} of ${path} becomes another kind of column: identity, generated or collation`,
      "Add a column beside it, fill it with a backfill, and drop this one afterwards.",
    );
  const remake = ({ name, type, generated, notNull }: ColumnFact) =>
    `ALTER TABLE ${path} DROP COLUMN ${ident(name)}, ADD COLUMN ${ident(name)} ${type} GENERATED ALWAYS AS (${generated?.expression ?? ""}) ${(generated?.kind ?? "stored").toUpperCase()}${notNull ? " NOT NULL" : ""}`;
  return gatedSteps({
    id: `compute ${ident(is.name)} of ${path} anew`,
    title: `Compute ${is.name} of ${table.name} by another expression`,
    why: `PostgreSQL computes ${is.name} for every row of ${path} that is there, and rewrites the table while reads and writes wait.`,
    sql: remake(is),
    undo: remake(was),
    locks: onTable(table),
  });
}
