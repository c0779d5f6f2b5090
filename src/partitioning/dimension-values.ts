import { getTableColumns } from "drizzle-orm";
import type { PgColumn } from "drizzle-orm/pg-core";
import type { Scheme } from "../definition/scheme.ts";
import { UnderpinError } from "../errors.ts";
import { qualified } from "../sql/quote.ts";
import { namesOf } from "./provision-names.ts";

/** A value as PostgreSQL writes it, by way of its column: a Date becomes the text that the column's mode makes of it. */
export function asText(column: PgColumn | undefined, value: unknown): string {
  const driver: unknown = column === undefined ? value : column.mapToDriverValue(value);
  return driver instanceof Date ? driver.toISOString() : String(driver);
}

/** The values of a scheme's list dimensions by column, as text, outermost first. Refuses a value that is missing or belongs to no dimension. */
export function listValues(scheme: Scheme, values: object): Readonly<Record<string, string>> {
  const columns = Object.entries<PgColumn>(getTableColumns(scheme.table));
  const lists = scheme.dimensions.filter(({ strategy }) => strategy === "list");
  const given = new Map(Object.entries(values));
  const found = lists.map(({ column }): [string, string] => {
    const [key = column, drizzle] = columns.find(([, { name }]) => name === column) ?? [];
    const value: unknown = given.get(key);
    given.delete(key);
    if (value === undefined || value === null)
      throw refused(scheme, `${key} has no value: no partition takes NULL`, columns);
    return [column, asText(drizzle, value)];
  });
  const [unknown] = given.keys();
  if (unknown !== undefined)
    throw refused(scheme, `${unknown} is no column that is partitioned by its values`, columns);
  return Object.fromEntries(found);
}

function refused(
  scheme: Scheme,
  what: string,
  columns: readonly [string, PgColumn][],
): UnderpinError {
  const { schema, table } = namesOf(scheme);
  const keys = scheme.dimensions.flatMap(({ strategy, column }) =>
    strategy === "list" ? [columns.find(([, { name }]) => name === column)?.[0] ?? column] : [],
  );
  return new UnderpinError({
    code: "invalidInput",
    message: `partitions of ${qualified(schema, table)}: ${what}`,
    hint: `Give one value for each list dimension: { ${keys.map((key) => `${key}: …`).join(", ")} }.`,
  });
}
