import type { PgColumn } from "drizzle-orm/pg-core";
import { elementOf } from "../../definition/emit/element-of.ts";
import { decimalOf, numberOf } from "./decimal.ts";
import type { ValueType } from "./expression.ts";
import { JSON_NULL } from "./functions.ts";

/** The base of a type as SQL: `varchar(20)` is `varchar`, `timestamp (3) with time zone` is `timestamp`. */
export function baseType(column: PgColumn): string {
  return /^[a-z0-9_ ]*[a-z0-9_]/.exec(column.getSQLType().toLowerCase())?.[0] ?? "";
}

/** The scale of `numeric(5, 2)`: null where digits are kept as they are. */
export function scaleOf(
  column: PgColumn,
): { readonly precision: number; readonly scale: number } | null {
  const found = /^numeric\((\d+)(?:, ?(\d+))?\)$/.exec(column.getSQLType());
  return found === null ? null : { precision: Number(found[1]), scale: Number(found[2] ?? 0) };
}

const NUMBERS = /^(?:smallint|integer|bigint|numeric|real|double precision|(?:small|big)?serial)$/;

/** What a check sees in a column. */
export function checkType(column: PgColumn): ValueType {
  if (elementOf(column) !== null) return "array";
  if (column.enumValues !== undefined) return "text";
  const type = baseType(column);
  if (NUMBERS.test(type)) return "number";
  if (/^(?:text|varchar|char|uuid|citext)$/.test(type)) return "text";
  if (type === "boolean") return "boolean";
  if (type === "json" || type === "jsonb") return "json";
  return type === "date" || type.startsWith("timestamp") ? "time" : "other";
}

/** A value of the application as a check sees it after PostgreSQL has stored it: rounded, cut, in one form. */
export function checkValue(column: PgColumn, value: unknown): unknown {
  if (value === null) return null;
  const read = BY_TYPE[checkType(column)];
  return read === undefined ? value : read(value, column);
}

type Read = (value: unknown, column: PgColumn) => unknown;

const BY_TYPE: Partial<Record<ValueType, Read>> = {
  number(value, column) {
    if (typeof value === "number" && scaleOf(column) === null)
      return baseType(column) === "real" ? Math.fround(value) : value;
    const text = String(value);
    // A number that was rounded to many digits is compared as the nearest that JavaScript has.
    const decimal = decimalOf(text, scaleOf(column)?.scale ?? 30);
    return decimal === null ? Number(text) : numberOf(decimal);
  },
  text(value, column) {
    const text = String(value);
    if (baseType(column) === "uuid") return canonicalUuid(text);
    return baseType(column) === "char" ? text.replace(/ +$/, "") : text;
  },
  time: (value) => (value instanceof Date ? value.getTime() : Date.parse(String(value))),
  json(value) {
    const kept: unknown = JSON.parse(JSON.stringify(value) ?? "null");
    return kept === null ? JSON_NULL : kept;
  },
};

/** A uuid as PostgreSQL writes it, from any form in which it reads one. */
function canonicalUuid(text: string): string {
  const digits = text.toLowerCase().replaceAll(/[{}-]/g, "");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
