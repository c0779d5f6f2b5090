import { is, SQL } from "drizzle-orm";
import type { PgColumn } from "drizzle-orm/pg-core";
import { literal } from "../../sql/quote.ts";
import { sqlText } from "../../sql/sql-text.ts";
import { elementOf } from "./element-of.ts";

/**
 * What follows DEFAULT: what drizzle-kit 0.31 writes where that is SQL, and otherwise what an application would send
 * for the same value.
 *
 * `$defaultFn` is not among them: it runs in the application.
 */
export function defaultSql(column: PgColumn): string | null {
  const value: unknown = column.default;
  if (value === undefined) return null;
  if (is(value, SQL)) return sqlText(value);
  const element = elementOf(column);
  if (Array.isArray(value) && element !== null) return literal(arrayText(value, element)).trim();
  return scalarSql(value, column);
}

function scalarSql(value: unknown, column: PgColumn): string {
  const type = column.getSQLType().toLowerCase();
  if (typeof value === "boolean" || typeof value === "bigint") return String(value);
  // NaN and the infinities are numbers only between quotes.
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : `'${value}'`;
  // For json too: a text is the document itself, as drizzle-kit has it.
  if (typeof value === "string") return literal(value).trim();
  if (isJson(type)) return `${literal(JSON.stringify(value)).trim()}::${type}`;
  if (value instanceof Date) return literal(dateText(value, type));
  const sent: unknown = column.mapToDriverValue(value);
  if (is(sent, SQL)) return sqlText(sent);
  if (sent instanceof Uint8Array) return literal(`\\x${Buffer.from(sent).toString("hex")}`).trim();
  return literal(typeof sent === "string" ? sent : JSON.stringify(sent)).trim();
}

function isJson(type: string): boolean {
  return type === "jsonb" || type === "json";
}

function dateText(value: Date, type: string): string {
  const iso = value.toISOString();
  if (type === "date") return iso.slice(0, 10);
  return type === "timestamp" ? iso.replace("T", " ").slice(0, 23) : iso;
}

/** An array as PostgreSQL reads it (manual, §8.15.2): each element in double quotes, with `\` and `"` escaped. */
function arrayText(values: readonly unknown[], element: PgColumn): string {
  const type = element.getSQLType().toLowerCase();
  const inner = elementOf(element);
  const parts = values.map((value) => {
    if (value === null) return "NULL";
    if (Array.isArray(value) && inner !== null) return arrayText(value, inner);
    if (typeof value === "number" || typeof value === "bigint" || typeof value === "boolean")
      return String(value);
    const text = elementText(value, element, type);
    return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
  });
  return `{${parts.join(",")}}`;
}

function elementText(value: unknown, element: PgColumn, type: string): string {
  if (typeof value === "string") return value;
  if (value instanceof Date) return dateText(value, type);
  if (isJson(type)) return JSON.stringify(value);
  const sent: unknown = element.mapToDriverValue(value);
  return typeof sent === "string" ? sent : JSON.stringify(sent);
}
