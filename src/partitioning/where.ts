import { and, eq, getTableColumns, gte, lt, type SQL } from "drizzle-orm";
import type { PgColumn } from "drizzle-orm/pg-core";
import type { Scheme } from "../definition/scheme.ts";
import { UnderpinError } from "../errors.ts";
import type { SchemeKeys } from "./partition-types.ts";
import { namesOf } from "./provision-names.ts";

/**
 * The conditions by which a query of a scheme's table visits only the partitions of these values and this window, `from` taken and
 * `until` not. The compiler refuses what lacks a leading key.
 *
 * The window belongs to the first range of the scheme. Where that is the first dimension of all, it is a leading key too.
 *
 * @example
 * import { list, partitionBy, range, where } from "underpin/partitioning";
 * import { pgTable, primaryKey, text, timestamp } from "drizzle-orm/pg-core";
 *
 * const readings = pgTable(
 *   "readings",
 *   { siteId: text("site_id").notNull(), at: timestamp({ withTimezone: true }).notNull() },
 *   (t) => [primaryKey({ columns: [t.siteId, t.at] })],
 * );
 * const scheme = partitionBy(readings, list(readings.siteId), range(readings.at, { every: "1 month" }));
 * const january = { from: new Date("2026-01-01"), until: new Date("2026-02-01") };
 * where(scheme, { siteId: "s1", ...january }).queryChunks.length > 0; // true
 */
export function where<S extends Scheme>(scheme: S, keys: SchemeKeys<S>): SQL {
  const columns: Readonly<Record<string, PgColumn>> = getTableColumns(scheme.table);
  const given = keys as Readonly<Record<string, unknown>>;
  const window = scheme.dimensions.find(({ strategy }) => strategy === "range");
  const conditions = scheme.dimensions.flatMap((dimension, at): SQL[] => {
    const found = Object.entries(columns).find(([, { name }]) => name === dimension.column);
    if (found === undefined) throw refused(scheme, dimension.column, "is no column of it");
    const [key, column] = found;
    if (dimension.strategy !== "range") {
      const value = given[key];
      if (value === undefined || value === null) throw refused(scheme, key, "has no value");
      return [eq(column, value)];
    }
    if (dimension !== window) return [];
    const { from, until } = given;
    if (at === 0 && (from === undefined || until === undefined))
      throw refused(scheme, from === undefined ? "from" : "until", "has no value");
    return [
      ...(from === undefined ? [] : [gte(column, from)]),
      ...(until === undefined ? [] : [lt(column, until)]),
    ];
  });
  const all = and(...conditions);
  if (all === undefined) throw refused(scheme, "from", "has no value");
  return all;
}

function refused(scheme: Scheme, key: string, what: string): UnderpinError {
  const { table } = namesOf(scheme);
  return new UnderpinError({
    code: "invalidInput",
    message: `conditions for partitions of ${table}: ${key} ${what}, and a query without it visits all partitions`,
    hint: `Give every leading key: ${scheme.dimensions.map(({ column }) => column).join(", ")}.`,
  });
}
