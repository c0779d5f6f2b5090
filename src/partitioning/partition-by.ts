import type { AnyPgColumn, AnyPgTable } from "drizzle-orm/pg-core";
import type { Dimension, Interval, Scheme } from "../definition/scheme.ts";
import { targetOf } from "../plan/target.ts";

/** How a range of time is cut, and which partitions are kept ready. */
export interface RangeOptions {
  readonly every: Interval;
  /** How many intervals after the present one are there before they begin. @default 3 */
  readonly premake?: number;
  /** After how long a partition may leave, as an interval of PostgreSQL. @default it stays */
  readonly retain?: string;
}

/** One partition for each value. */
export function list(column: AnyPgColumn): Dimension {
  return { strategy: "list", column: column.name };
}

/** One partition for each interval of time. */
export function range(
  column: AnyPgColumn,
  { every, premake = 3, retain }: RangeOptions,
): Dimension {
  return { strategy: "range", column: column.name, every, premake, retain: retain ?? null };
}

/** A fixed number of partitions. */
export function hash(column: AnyPgColumn, { modulus }: { readonly modulus: number }): Dimension {
  return { strategy: "hash", column: column.name, modulus };
}

/**
 * Says how a table is partitioned, outermost first. It reads no configuration of the table.
 *
 * Boundaries lie in UTC and names begin with the table's; another zone or prefix is `{ ...partitionBy(…), prefix: "obs" }`.
 */
export function partitionBy(
  table: AnyPgTable,
  ...dimensions: readonly [Dimension, ...Dimension[]]
): Scheme {
  return { table, dimensions, timeZone: "UTC", prefix: targetOf({ table }).name };
}
