import { getTableColumns } from "drizzle-orm";
import type { AnyPgColumn, AnyPgTable, PgColumn, PgTable } from "drizzle-orm/pg-core";
import type {
  Dimension,
  HashDimension,
  ListDimension,
  RangeDimension,
  Scheme,
} from "../definition/scheme.ts";
import { targetOf } from "../plan/target.ts";
import { asText } from "./dimension-values.ts";
import type {
  Checked,
  DimensionOf,
  IsDimension,
  IsRanged,
  Parts,
  RangeOptions,
  SchemeOf,
  SchemeOptions,
} from "./partition-types.ts";

/** How the partitions of values are named, and whether other values have one. */
export interface ListOptions {
  /** What stands before the value in names: `prog` in `obs_prog_17`. @default the column's name without `_id` */
  readonly label?: string;
  /**
   * A partition for the rows of all other values. While there is one, ATTACH of another takes ACCESS EXCLUSIVE on it and scans it, and is
   * refused while it holds rows of the new one (15 and 18): drain it with `maintain`.
   * @default false
   */
  readonly default?: boolean;
}

/**
 * One partition for each value.
 *
 * @example
 * import { list, partitionBy } from "underpin/partitioning";
 * import { pgTable, primaryKey, text } from "drizzle-orm/pg-core";
 *
 * const visits = pgTable("visits", { site: text().notNull(), id: text().notNull() }, (t) => [
 *   primaryKey({ columns: [t.site, t.id] }),
 * ]);
 * partitionBy(visits, list(visits.site, { label: "at" })).dimensions[0].column; // "site"
 */
export function list<C extends AnyPgColumn>(
  column: C & IsDimension<C>,
  options: ListOptions = {},
): DimensionOf<C, ListDimension> {
  const { label = column.name.replace(/_id$/, ""), default: others } = options;
  return {
    strategy: "list",
    column: column.name,
    label,
    ...(others === true && { default: true }),
  };
}

/**
 * One partition for each interval: of time, of numbers, or of the time in uuids of version 7.
 *
 * @example
 * import { partitionBy, range } from "underpin/partitioning";
 * import { bigint, pgTable } from "drizzle-orm/pg-core";
 *
 * const events = pgTable("events", { id: bigint({ mode: "bigint" }).primaryKey() });
 * partitionBy(events, range(events.id, { every: 1_000_000 })).dimensions.length; // 1
 */
export function range<C extends AnyPgColumn>(
  column: C & IsDimension<C> & IsRanged<C>,
  options: RangeOptions<C>,
): DimensionOf<C, RangeDimension> {
  const {
    every,
    premake = 3,
    retain = null,
    time,
    default: others,
  }: Partial<RangeDimension> = options as Partial<RangeDimension>;
  return {
    strategy: "range",
    column: column.name,
    every: every ?? "1 month",
    premake,
    retain,
    ...(time !== undefined && { time }),
    ...(others === true && { default: true }),
  };
}

/**
 * A fixed number of partitions.
 *
 * @example
 * import { hash, partitionBy } from "underpin/partitioning";
 * import { pgTable, uuid } from "drizzle-orm/pg-core";
 *
 * const carts = pgTable("carts", { id: uuid().primaryKey() });
 * partitionBy(carts, hash(carts.id, { modulus: 8 })).prefix; // "carts"
 */
export function hash<C extends AnyPgColumn>(
  column: C & IsDimension<C>,
  { modulus }: { readonly modulus: number },
): DimensionOf<C, HashDimension> {
  return { strategy: "hash", column: column.name, modulus };
}

/**
 * Says how a table is partitioned, outermost first; last may stand how partitions are named and which values are cut otherwise.
 *
 * A primary key or unique constraint of a partitioned table holds every partition column (0A000 otherwise): a table with
 * `.primaryKey()` on another column is refused by the compiler, other keys by `defineDatabase`.
 *
 * @example
 * import { list, partitionBy, range } from "underpin/partitioning";
 * import { pgTable, primaryKey, text, timestamp } from "drizzle-orm/pg-core";
 *
 * const readings = pgTable(
 *   "readings",
 *   { siteId: text("site_id").notNull(), at: timestamp({ withTimezone: true }).notNull() },
 *   (t) => [primaryKey({ columns: [t.siteId, t.at] })],
 * );
 * const scheme = partitionBy(
 *   readings,
 *   list(readings.siteId),
 *   range(readings.at, { every: "1 month" }),
 *   { prefix: "read", overrides: [{ values: { siteId: "s1" }, every: "1 week", premake: 8 }] },
 * );
 * scheme.prefix; // "read"
 */
export function partitionBy<T extends AnyPgTable, const P extends Parts>(
  table: T,
  ...parts: P & Checked<T, P>
): SchemeOf<T, P> {
  const all: readonly (Dimension | SchemeOptions)[] = parts;
  const [first, ...more] = all.filter((part): part is Dimension => "strategy" in part);
  const options = all.find((part): part is SchemeOptions => !("strategy" in part)) ?? {};
  const { timeZone = "UTC", prefix = targetOf({ table }).name, overrides, executeTo } = options;
  const scheme: Scheme = {
    table,
    dimensions: [first as Dimension, ...more],
    timeZone,
    prefix,
    ...(executeTo !== undefined && { executeTo }),
    ...(overrides !== undefined && {
      overrides: overrides.map(({ values, ...override }) => ({
        ...override,
        values: byColumn(table, values),
      })),
    }),
  };
  return scheme;
}

/** Values under the names of columns, as PostgreSQL writes them. */
function byColumn(table: PgTable, values: object): Readonly<Record<string, string>> {
  const columns: Readonly<Record<string, PgColumn>> = getTableColumns(table);
  return Object.fromEntries(
    Object.entries(values).flatMap(([key, value]): [string, string][] =>
      value === undefined ? [] : [[columns[key]?.name ?? key, asText(columns[key], value)]],
    ),
  );
}
