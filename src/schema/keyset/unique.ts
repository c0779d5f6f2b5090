import { is } from "drizzle-orm";
import { getTableConfig, PgTable, type PgColumn } from "drizzle-orm/pg-core";
import { UnderpinError } from "../../errors.ts";
import type { OrderedColumn } from "./order.ts";

/** The keys of a table by the names of their columns. A table's configuration is made anew each time it is asked for. */
const keys = new WeakMap<PgTable, readonly (readonly string[])[]>();

/** Throws where two rows may tie: of those at the end of a page one would be skipped. */
export function refuseTies(ordered: readonly OrderedColumn[], fixed: readonly PgColumn[]): void {
  const tables = new Set(ordered.map(({ column }) => column.table));
  const [table] = tables;
  if (tables.size !== 1 || !is(table, PgTable))
    throw new UnderpinError({
      code: "invalidInput",
      message:
        "the ordered columns are not of one table, so that no key tells whether rows may tie",
      hint: "End the order with a column that is unique in what is read, and say so: { isUnique: true }.",
    });
  const known = keys.get(table) ?? keysOf(table);
  keys.set(table, known);
  const named = new Set([...ordered.map(({ column }) => column), ...fixed].map(({ name }) => name));
  if (known.some((key) => key.every((column) => named.has(column)))) return;
  const names = ordered.map(({ column }) => column.name).join(", ");
  throw new UnderpinError({
    code: "invalidInput",
    message: `rows of ${getTableConfig(table).name} may tie on (${names}), and of those at the end of a page one would be skipped`,
    hint:
      known.length === 0
        ? "Add a primary key to the table, and its columns to the order."
        : `End the order with the rest of a key, or fix the rest in \`within\`: ${known.map((key) => `(${key.join(", ")})`).join(" or ")}.`,
  });
}

/** Primary keys, unique constraints and whole unique indexes over plain columns that cannot be NULL: NULLs are not equal to each other. */
function keysOf(table: PgTable): readonly (readonly string[])[] {
  const { columns, primaryKeys, uniqueConstraints, indexes } = getTableConfig(table);
  const isRequired = (name: string) => columns.some((each) => each.name === name && each.notNull);
  const names = (of: readonly { readonly name: string }[]) => of.map(({ name }) => name);
  return [
    ...columns.filter(({ primary, isUnique }) => primary || isUnique).map(({ name }) => [name]),
    ...primaryKeys.map((key) => names(key.columns)),
    ...uniqueConstraints.map((key) => names(key.columns)),
    ...indexes
      .filter(({ config }) => config.unique && config.where === undefined)
      .map(({ config }) =>
        config.columns.map((part) =>
          "name" in part && typeof part.name === "string" ? part.name : "",
        ),
      ),
  ].filter((key) => key.every(isRequired));
}
