import type { AnyPgColumn, AnyPgTable } from "drizzle-orm/pg-core";
import type { Dimension, Interval, Scheme } from "../definition/scheme.ts";
import { targetOf } from "../plan/target.ts";

declare const TABLE: unique symbol;

/** A dimension that remembers, for the compiler alone, the column and its table. */
export type DimensionOf<T extends string, C extends string> = Dimension & {
  readonly column: C;
  readonly [TABLE]?: T;
};

/** A column that may be a dimension: a NULL has no partition to go to, and no place in a primary key. */
type DimensionColumn<T extends string, C extends string> = AnyPgColumn<{
  tableName: T;
  name: C;
  notNull: true;
}>;

/** How a range of time is cut, and which partitions are kept ready. */
export interface RangeOptions {
  readonly every: Interval;
  /** How many intervals after the present one are there before they begin. @default 3 */
  readonly premake?: number;
  /** After how long a partition may leave, as an interval of PostgreSQL. @default it stays */
  readonly retain?: string;
}

/** One partition for each value. */
export function list<T extends string, C extends string>(
  column: DimensionColumn<T, C>,
  {
    label = column.name.replace(/_id$/, ""),
  }: {
    /** What stands before the value in names: `prog` in `obs_prog_17`. @default the column's name without `_id` */
    readonly label?: string;
  } = {},
): DimensionOf<T, C> {
  return { strategy: "list", column: nameOf(column), label };
}

/** One partition for each interval of time. */
export function range<T extends string, C extends string>(
  column: DimensionColumn<T, C>,
  { every, premake = 3, retain }: RangeOptions,
): DimensionOf<T, C> {
  return { strategy: "range", column: nameOf(column), every, premake, retain: retain ?? null };
}

/** A fixed number of partitions. */
export function hash<T extends string, C extends string>(
  column: DimensionColumn<T, C>,
  { modulus }: { readonly modulus: number },
): DimensionOf<T, C> {
  return { strategy: "hash", column: nameOf(column), modulus };
}

/** The names of the columns that are a primary key by themselves. */
type InlineKeys<T extends AnyPgTable> = {
  [K in keyof T["_"]["columns"]]: T["_"]["columns"][K]["_"] extends {
    readonly isPrimaryKey: true;
    readonly name: infer N extends string;
  }
    ? N
    : never;
}[keyof T["_"]["columns"]];

/** An inline primary key holds one column, and every dimension has to be in it: no other column can be one. */
type Allowed<T extends AnyPgTable> = [InlineKeys<T>] extends [never] ? string : InlineKeys<T>;

/**
 * Says how a table is partitioned, outermost first. It reads no configuration of the table.
 *
 * A primary key or unique constraint of a partitioned table holds every partition column (0A000 otherwise): a table with
 * `.primaryKey()` on another column is refused by the compiler.
 *
 * Boundaries lie in UTC and names begin with the table's; another zone or prefix is `{ ...partitionBy(…), prefix: "obs" }`.
 */
export function partitionBy<T extends AnyPgTable>(
  table: T,
  ...dimensions: readonly [
    DimensionOf<T["_"]["name"], Allowed<T>>,
    ...DimensionOf<T["_"]["name"], Allowed<T>>[],
  ]
): Scheme {
  return { table, dimensions, timeZone: "UTC", prefix: targetOf({ table }).name };
}

function nameOf<C extends string>(column: { readonly name: string; readonly _: { name: C } }): C {
  return column.name as C;
}
