import { is, SQL } from "drizzle-orm";
import { PgEnumColumn, PgEnumObjectColumn, type PgColumn } from "drizzle-orm/pg-core";
import type { RelationName } from "../../plan/step.ts";
import { ident, qualified } from "../../sql/quote.ts";
import { sqlText } from "../../sql/sql-text.ts";
import { defaultSql } from "./default-value.ts";
import { elementOf } from "./element-of.ts";

/** One line of CREATE TABLE. */
export function columnSql(column: PgColumn, table: RelationName): string {
  const value = defaultSql(column);
  const generated = generatedSql(column);
  const { generatedIdentity: identity } = column;
  return [
    ident(column.name),
    typeSql(column),
    ...(column.primary ? ["PRIMARY KEY"] : []),
    ...(value === null ? [] : [`DEFAULT ${value}`]),
    ...(generated === null ? [] : [`GENERATED ALWAYS AS (${generated}) STORED`]),
    ...(column.notNull && identity === undefined ? ["NOT NULL"] : []),
    ...(column.isUnique
      ? [
          `CONSTRAINT ${ident(column.uniqueName ?? `${table.name}_${column.name}_unique`)} UNIQUE${column.uniqueType === "not distinct" ? " NULLS NOT DISTINCT" : ""}`,
        ]
      : []),
    ...(identity === undefined ? [] : [identitySql(column, table, identity)]),
  ].join(" ");
}

/** The enum that a column or its elements are of. */
export function enumOf(column: PgColumn): RelationName | null {
  const inner = elementOf(column);
  if (inner !== null) return enumOf(inner);
  if (!is(column, PgEnumColumn) && !is(column, PgEnumObjectColumn)) return null;
  const { enum: type } = column as { enum: { enumName: string; schema: string | undefined } };
  return { schema: type.schema ?? "public", name: type.enumName };
}

/**
 * The type of a column as SQL; the name of an enum is taken whole.
 *
 * A type that is one word is a name, and keeps its capital letters only between quotes.
 */
export function typeSql(column: PgColumn): string {
  const type = column.getSQLType();
  const array = /(?:\[\d*\])+$/.exec(type)?.[0] ?? "";
  const enumType = enumOf(column);
  if (enumType !== null) return qualified(enumType.schema, enumType.name) + array;
  const plain = type.slice(0, type.length - array.length);
  return /^\w*[A-Z]\w*$/.test(plain) ? ident(plain) + array : type;
}

function generatedSql({ generated }: PgColumn): string | null {
  if (generated === undefined) return null;
  const given: unknown = generated.as;
  const as: unknown = typeof given === "function" ? (given as () => unknown)() : given;
  return is(as, SQL) ? sqlText(as) : String(as);
}

/** The bounds of an identity column that names none, by its type. */
const HIGHEST: Readonly<Record<string, string>> = {
  smallint: "32767",
  integer: "2147483647",
  bigint: "9223372036854775807",
};
const LOWEST: Readonly<Record<string, string>> = {
  smallint: "-32768",
  integer: "-2147483648",
  bigint: "-9223372036854775808",
};

function identitySql(
  column: PgColumn,
  table: RelationName,
  { type, sequenceName, sequenceOptions }: NonNullable<PgColumn["generatedIdentity"]>,
): string {
  const sequence = qualified(table.schema, sequenceName ?? `${table.name}_${column.name}_seq`);
  const options = sequenceSql(sequenceOptions ?? {}, column.getSQLType());
  return `GENERATED ${type === "always" ? "ALWAYS" : "BY DEFAULT"} AS IDENTITY (SEQUENCE NAME ${sequence} ${options})`;
}

/** The options of a sequence, all written out. */
export function sequenceSql(
  options: {
    readonly increment?: number | string;
    readonly minValue?: number | string;
    readonly maxValue?: number | string;
    readonly startWith?: number | string;
    readonly cache?: number | string;
    readonly cycle?: boolean;
  },
  type: string,
): string {
  const increment = String(options.increment ?? "1");
  const falls = Number(increment) < 0;
  const minimum = String(options.minValue ?? (falls ? (LOWEST[type] ?? "1") : "1"));
  const maximum = String(options.maxValue ?? (falls ? "-1" : (HIGHEST[type] ?? "32767")));
  const start = String(options.startWith ?? (falls ? maximum : minimum));
  return [
    `INCREMENT BY ${increment} MINVALUE ${minimum} MAXVALUE ${maximum} START WITH ${start}`,
    `CACHE ${options.cache ?? "1"}`,
    ...(options.cycle === true ? ["CYCLE"] : []),
  ].join(" ");
}
