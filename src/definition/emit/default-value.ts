import { is, SQL } from "drizzle-orm";
import type { PgColumn } from "drizzle-orm/pg-core";
import { literal } from "../../sql/quote.ts";
import { sqlText } from "../../sql/sql-text.ts";

/**
 * What follows DEFAULT, as drizzle-kit 0.31 writes it, with each text quoted.
 *
 * `$defaultFn` is not among them: it runs in the application.
 */
export function defaultSql(column: PgColumn): string | null {
  const value: unknown = column.default;
  if (value === undefined) return null;
  if (is(value, SQL)) return sqlText(value);
  const type = column.getSQLType().toLowerCase();
  if (typeof value === "string") return literal(value).trim();
  if (type === "jsonb" || type === "json")
    return `${literal(JSON.stringify(value)).trim()}::${type}`;
  if (value instanceof Date) return literal(dateText(value, type));
  if (Array.isArray(value)) return literal(arrayText(value, type)).trim();
  return String(value);
}

function dateText(value: Date, type: string): string {
  const iso = value.toISOString();
  if (type === "date") return iso.slice(0, 10);
  return type === "timestamp" ? iso.replace("T", " ").slice(0, 23) : iso;
}

/** An array as PostgreSQL reads it (manual, §8.15.2): each element in double quotes, with `\` and `"` escaped. */
function arrayText(values: readonly unknown[], type: string): string {
  const base = type.split("[")[0] ?? type;
  const parts = values.map((value) => {
    if (Array.isArray(value)) return arrayText(value, type);
    if (typeof value === "number" || typeof value === "bigint" || typeof value === "boolean")
      return String(value);
    if (value === null) return "NULL";
    const text =
      value instanceof Date
        ? dateText(value, base)
        : typeof value === "string"
          ? value
          : JSON.stringify(value);
    return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
  });
  return `{${parts.join(",")}}`;
}
