import { getTableColumns, sql, type SQL } from "drizzle-orm";
import { databaseObject, type DatabaseObject } from "../objects/object.ts";
import { namedPath } from "../catalog/path.ts";
import type { Seed } from "../definition/definition.ts";
import { targetOf } from "../plan/target.ts";
import { ident, qualified } from "../sql/quote.ts";
import { sqlText } from "../sql/sql-text.ts";

/** The rows of a seed. Those that are there, by their key, stay as they are: the host may have changed them. */
export function seedObject(seed: Seed, at: number): DatabaseObject {
  const { schema, name } = targetOf(seed);
  const path = namedPath("table", schema, name);
  return databaseObject({
    kind: "rows",
    id: `seed rows ${at + 1} of ${path}`,
    create: seed.rows.map((row) => insertSql(seed, row)).join(";\n"),
    dependsOn: [path],
    within: path,
    locks: [{ schema, name, mode: "rowExclusive" }],
  });
}

/** INSERT of one row of a seed. */
export function insertSql({ table, key }: Seed, row: Seed["rows"][number]): string {
  const { schema, name } = targetOf({ table });
  const values = valuesOf(table, row);
  const columns = values.map(({ column }) => ident(column)).join(", ");
  const target = values
    .filter(({ property }) => key.includes(property))
    .map(({ column }) => ident(column))
    .join(", ");
  return `INSERT INTO ${qualified(schema, name)} (${columns}) VALUES (${values.map(({ text }) => text).join(", ")}) ON CONFLICT (${target}) DO NOTHING`;
}

/** SELECT of the rows of a seed that are not there, one row for each, by its key. */
export function missingRowSql(seed: Seed, row: Seed["rows"][number]): string {
  const { schema, name } = targetOf(seed);
  const where = valuesOf(seed.table, row)
    .filter(({ property }) => seed.key.includes(property))
    .map(({ column, text }) => `${ident(column)} = ${text}`)
    .join(" AND ");
  return `SELECT 1 WHERE NOT EXISTS (SELECT FROM ${qualified(schema, name)} WHERE ${where})`;
}

interface Value {
  readonly property: string;
  readonly column: string;
  readonly text: string;
}

function valuesOf(table: Seed["table"], row: Seed["rows"][number]): readonly Value[] {
  const columns = getTableColumns(table);
  return Object.entries(row).flatMap(([property, value]) => {
    const column = columns[property];
    if (column === undefined || value === undefined) return [];
    const bound: SQL = value === null ? sql`NULL` : sql`${sql.param(value, column)}`;
    return [{ property, column: column.name, text: sqlText(bound) }];
  });
}
