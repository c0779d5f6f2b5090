import { sql, type SQL } from "drizzle-orm";
import { text, timestamp, uuid } from "drizzle-orm/pg-core";
import { ident, literal } from "../../sql/quote.ts";

/**
 * A moment, to the millisecond: a JavaScript Date holds no more, and a Date that was read has to find its own row and partition again.
 */
export function moment<const N extends string>(name: N) {
  return timestamp(name, { withTimezone: true, precision: 3 });
}

/** The company that a row belongs to. */
export function ofCompany() {
  return uuid("company_id").notNull();
}

/**
 * The keys by which observations are partitioned.
 *
 * Short codes, as people say them: they stand in the names of partitions. A UUID as text is taken too, under a shortened name.
 */
export function ofSite() {
  return { programId: text("program_id").notNull(), siteId: text("site_id").notNull() };
}

/** When a row was written. A trigger keeps `updated_at`. */
export function writtenAt() {
  return {
    createdAt: moment("created_at").notNull().defaultNow(),
    updatedAt: moment("updated_at").notNull().defaultNow(),
  };
}

/** That a column holds a code of small letters, digits and single hyphens, at most as long as a UUID. */
export function isCode(column: string): SQL {
  return sql.raw(
    `${ident(column)} ~ '^[a-z0-9]+(-[a-z0-9]+)*$' AND length(${ident(column)}) <= 36`,
  );
}

/** `"status" IN ('planned', …)`. */
export function isOneOf(column: string, words: readonly string[]): SQL {
  return sql.raw(`${ident(column)} IN (${words.map((word) => literal(word).trim()).join(", ")})`);
}

/** That columns lie within a range; NULL passes. */
export function within(columns: readonly string[], low: number, high: number): SQL {
  return sql.raw(
    columns.map((column) => `${ident(column)} BETWEEN ${low} AND ${high}`).join(" AND "),
  );
}

/** That a column holds no less than zero, and a number: NaN is above every number, so that `>= 0` alone lets it pass (manual, §8.1.2). */
export function isAmount(column: string): SQL {
  return sql.raw(`${ident(column)} >= 0 AND ${ident(column)} <> 'NaN'`);
}
