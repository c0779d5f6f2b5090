import type { ColumnFact } from "../../catalog/columns.ts";
import type { Facts } from "../../catalog/read-facts.ts";
import type { RelationName } from "../../plan/step.ts";
import { ident, qualified } from "../../sql/quote.ts";
import { shorten } from "../../sql/shorten.ts";
import { PARKED } from "../change/contract.ts";
import type { ColumnRename } from "../plan-change.ts";

/** The name under which a column or table is parked. */
export function parkedName(name: string): string {
  return shorten(`${PARKED}${name}`);
}

/** What is parked keeps its values; rows that are written without it must be let in. */
export function parkColumnSql(
  table: RelationName,
  column: string,
  facts: Facts,
): readonly string[] {
  const fact = columnsOf(table, facts).get(column);
  const alter = `ALTER TABLE ${qualified(table.schema, table.name)}`;
  if (fact?.generated != null) return [`${alter} DROP COLUMN ${ident(column)}`];
  const isKey = facts.constraints.some(
    (each) =>
      each.schema === table.schema &&
      each.table === table.name &&
      each.kind === "primaryKey" &&
      each.columns.includes(column),
  );
  const mayBeNull = fact?.notNull !== true || fact.identity !== null || isKey;
  return [
    ...(mayBeNull ? [] : [`${alter} ALTER COLUMN ${ident(column)} DROP NOT NULL`]),
    `${alter} RENAME COLUMN ${ident(column)} TO ${ident(parkedName(column))}`,
  ];
}

/**
 * The plain statements that take a table from one catalog to another: what a down does. Columns that were parked get their names back, with their
 * values; constraints come after all columns, foreign keys after all tables.
 */
export function plainTableSql(
  tables: readonly RelationName[],
  from: Facts,
  to: Facts,
  renames: readonly ColumnRename[],
): readonly string[] {
  const each = tables.map((table) => tableSql(table, from, to, renames));
  return [
    ...each.flatMap(({ before }) => before),
    ...each.flatMap(({ columns }) => columns),
    ...each.flatMap(({ after }) => after),
    ...each.flatMap(({ keys }) => keys),
  ];
}

function tableSql(
  table: RelationName,
  from: Facts,
  to: Facts,
  renames: readonly ColumnRename[],
): Readonly<Record<"before" | "columns" | "after" | "keys", readonly string[]>> {
  const path = qualified(table.schema, table.name);
  const alter = `ALTER TABLE ${path}`;
  const own = renames.filter((each) => each.schema === table.schema && each.table === table.name);
  const was = columnsOf(table, from);
  for (const { from: old, to: fresh } of own) {
    const column = was.get(fresh);
    if (column !== undefined) was.set(old, { ...column, name: old });
    was.delete(fresh);
  }
  const is = columnsOf(table, to);
  const constraints = differing(constraintsOf(table, from), constraintsOf(table, to));
  const indexes = differing(indexesOf(table, from), indexesOf(table, to));
  const added = constraints.added.map(
    ({ name, definition }) => `${alter} ADD CONSTRAINT ${ident(name)} ${definition}`,
  );
  const isForeign = (sql: string) => / ADD CONSTRAINT "(?:[^"]|"")+" FOREIGN KEY /.test(sql);
  return {
    before: [
      ...constraints.gone.map(({ name }) => `${alter} DROP CONSTRAINT IF EXISTS ${ident(name)}`),
      ...indexes.gone.map(({ name }) => `DROP INDEX IF EXISTS ${qualified(table.schema, name)}`),
      ...own.map(
        ({ from: old, to: fresh }) => `${alter} RENAME COLUMN ${ident(fresh)} TO ${ident(old)}`,
      ),
    ],
    columns: [...new Set([...was.keys(), ...is.keys()])].flatMap((name) =>
      columnSql(alter, was.get(name), is.get(name)),
    ),
    after: [
      ...indexes.added.map(({ definition }) => definition.replace(" ON ONLY ", " ON ")),
      ...added.filter((sql) => !isForeign(sql)),
    ],
    keys: added.filter(isForeign),
  };
}

function columnSql(
  alter: string,
  was: ColumnFact | undefined,
  is: ColumnFact | undefined,
): readonly string[] {
  const name = ident(was?.name ?? is?.name ?? "");
  if (is === undefined) return [`${alter} DROP COLUMN ${name}`];
  const made = generatedSql(is);
  if (was === undefined)
    return made === null
      ? [
          `${alter} RENAME COLUMN ${ident(parkedName(is.name))} TO ${name}`,
          ...(is.notNull && is.identity === null
            ? [`${alter} ALTER COLUMN ${name} SET NOT NULL`]
            : []),
        ]
      : [`${alter} ADD COLUMN ${name} ${is.type} ${made}`];
  if (made !== generatedSql(was))
    return [`${alter} DROP COLUMN ${name}`, `${alter} ADD COLUMN ${name} ${is.type} ${made ?? ""}`];
  const isRetyped = was.type !== is.type;
  return [
    ...(isRetyped && was.default !== null ? [`${alter} ALTER COLUMN ${name} DROP DEFAULT`] : []),
    ...(isRetyped
      ? [`${alter} ALTER COLUMN ${name} TYPE ${is.type} USING (${name}::${is.type})`]
      : []),
    ...(is.default !== null && (isRetyped || was.default !== is.default)
      ? [`${alter} ALTER COLUMN ${name} SET DEFAULT ${is.default}`]
      : []),
    ...(is.default === null && was.default !== null && !isRetyped
      ? [`${alter} ALTER COLUMN ${name} DROP DEFAULT`]
      : []),
    ...(was.notNull === is.notNull
      ? []
      : [`${alter} ALTER COLUMN ${name} ${is.notNull ? "SET" : "DROP"} NOT NULL`]),
  ];
}

function generatedSql({ generated, notNull }: ColumnFact): string | null {
  if (generated === null) return null;
  return `GENERATED ALWAYS AS (${generated.expression}) ${generated.kind.toUpperCase()}${notNull ? " NOT NULL" : ""}`;
}

interface Defined {
  readonly name: string;
  readonly definition: string;
}

/** What is gone or another goes, and what is new or another comes. */
function differing(
  was: readonly Defined[],
  is: readonly Defined[],
): { readonly gone: readonly Defined[]; readonly added: readonly Defined[] } {
  const has = (list: readonly Defined[], { name, definition }: Defined) =>
    list.some((each) => each.name === name && each.definition === definition);
  return {
    gone: was.filter((each) => !has(is, each)),
    added: is.filter((each) => !has(was, each)),
  };
}

function columnsOf({ schema, name }: RelationName, { columns }: Facts): Map<string, ColumnFact> {
  return new Map(
    columns
      .filter((each) => each.schema === schema && each.table === name)
      .map((each) => [each.name, each]),
  );
}

function constraintsOf({ schema, name }: RelationName, { constraints }: Facts): readonly Defined[] {
  return constraints.filter(
    (each) =>
      each.schema === schema &&
      each.table === name &&
      each.parent === null &&
      each.kind !== "notNull" &&
      each.kind !== "trigger",
  );
}

function indexesOf({ schema, name }: RelationName, { indexes }: Facts): readonly Defined[] {
  return indexes.filter(
    (each) =>
      each.schema === schema &&
      each.table === name &&
      each.constraint === null &&
      each.parent === null,
  );
}
