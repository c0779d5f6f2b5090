import { getTableColumns } from "drizzle-orm";
import type { PgColumn } from "drizzle-orm/pg-core";
import { typeSql } from "../definition/emit/column.ts";
import type { Dimension, RangeDimension, Scheme } from "../definition/scheme.ts";
import { UnderpinError } from "../errors.ts";
import type { FunctionArgument } from "../objects/pg-function.ts";
import { qualified } from "../sql/quote.ts";
import { namesOf } from "./provision-names.ts";

/** The argument that holds the value of a list dimension. */
export function argumentOf(column: string): string {
  return `p_${column}`;
}

/** A serial is an integer with a default; only its column is declared so. */
const SERIAL: Readonly<Record<string, string>> = {
  smallserial: "smallint",
  serial: "integer",
  bigserial: "bigint",
};

/** The type of a dimension's column, as SQL. */
export function typeOf(scheme: Scheme, { column }: Dimension): string {
  const columns: readonly PgColumn[] = Object.values(getTableColumns(scheme.table));
  const found = columns.find(({ name }) => name === column);
  if (found !== undefined) {
    const type = typeSql(found);
    return SERIAL[type] ?? type;
  }
  const { schema, table } = namesOf(scheme);
  throw new UnderpinError({
    code: "invalidInput",
    message: `${qualified(schema, table)} is partitioned by "${column}", which is none of its columns`,
    hint: "Name a column of the table in partitionBy.",
  });
}

/** The arguments between which partitions of a range are asked for. */
export interface Window {
  readonly from: string;
  readonly until: string;
}

/** The first column that is a range has `p_from` and `p_until`; another has a window under its own name. */
export function windowOf(scheme: Scheme, { column }: RangeDimension): Window {
  return firstRange(scheme)?.column === column
    ? { from: "p_from", until: "p_until" }
    : { from: `p_${column}_from`, until: `p_${column}_until` };
}

/** The outermost range of a scheme. */
export function firstRange({ dimensions }: Scheme): RangeDimension | undefined {
  return dimensions.find((dimension) => dimension.strategy === "range");
}

/** The arguments of a scheme's functions: a value for each list dimension, and a window for each column that is a range. */
export function schemeArguments(scheme: Scheme): readonly FunctionArgument[] {
  const ranges = scheme.dimensions.filter((dimension) => dimension.strategy === "range");
  const columns = new Map(ranges.map((dimension) => [dimension.column, dimension]));
  return [
    ...scheme.dimensions.flatMap((dimension): FunctionArgument[] =>
      dimension.strategy === "list"
        ? [{ name: argumentOf(dimension.column), type: typeOf(scheme, dimension) }]
        : [],
    ),
    ...[...columns.values()].flatMap((dimension): FunctionArgument[] => {
      const { from, until } = windowOf(scheme, dimension);
      const isTime = typeof dimension.every === "string";
      const type = isTime ? "timestamptz" : "numeric";
      return [
        { name: from, type, default: isTime ? "now()" : "0" },
        { name: until, type, default: "NULL" },
      ];
    }),
  ];
}
