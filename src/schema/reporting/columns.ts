import { sql, type SQL } from "drizzle-orm";
import { timestamp, uuid } from "drizzle-orm/pg-core";
import { ident, literal } from "../../sql/quote.ts";

/**
 * A moment, to the millisecond.
 *
 * A JavaScript Date holds no more. With PostgreSQL's microseconds a Date that was read finds its own row no more: a log line of an
 * execution would point to none (23503), and a page that goes on after a Date skips the rows of the same millisecond.
 */
export function moment<const N extends string>(name: N) {
  return timestamp(name, { withTimezone: true, precision: 3 });
}

/** The id of a row; with the organization it is the primary key. */
export function rowId() {
  return uuid("id").notNull().defaultRandom();
}

/** The organization that a row belongs to. */
export function ofOrganization() {
  return uuid("organization_id").notNull();
}

/** When a row was written. A trigger keeps `updated_at`. */
export function writtenAt() {
  return {
    createdAt: moment("created_at").notNull().defaultNow(),
    updatedAt: moment("updated_at").notNull().defaultNow(),
  };
}

/** `"status" IN ('draft', …)`, for a CHECK. NULL passes a CHECK: the column has to be NOT NULL, or may be left out. */
export function isOneOf(column: string, words: readonly string[]): SQL {
  const list = words.map((word) => literal(word).trim()).join(", ");
  return sql.raw(`${ident(column)} IN (${list})`);
}

/** That a jsonb column holds an object: `'null'` and `'[]'` are jsonb too. */
export function isObject(column: string): SQL {
  return sql.raw(`jsonb_typeof(${ident(column)}) = 'object'`);
}
