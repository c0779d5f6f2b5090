import type { AnyPgColumn, AnyPgTable } from "drizzle-orm/pg-core";
import type {
  Dimension,
  HashDimension,
  Interval,
  ListDimension,
  RangeDimension,
  Scheme,
} from "../definition/scheme.ts";

declare const COLUMN: unique symbol;
declare const VALUES: unique symbol;
declare const KEYS: unique symbol;

/** What the compiler says of an argument that cannot be: no value is of this type. */
export interface Refused<Reason extends string> {
  readonly refused: Reason;
}

/** A dimension that remembers its column for the compiler alone. */
export type DimensionOf<C extends AnyPgColumn, D extends Dimension = Dimension> = D & {
  readonly [COLUMN]?: C;
};

/** A NULL has no partition to go to, and no place in a primary key. */
export type IsDimension<C extends AnyPgColumn> = C["_"]["notNull"] extends true
  ? unknown
  : Refused<`${C["_"]["name"]} may be NULL, and a row with NULL has no partition: add .notNull()`>;

type TimeColumn = "PgTimestamp" | "PgTimestampString" | "PgDate" | "PgDateString";
type NumberColumn =
  | "PgSmallInt"
  | "PgInteger"
  | "PgBigInt53"
  | "PgBigInt64"
  | "PgSmallSerial"
  | "PgSerial"
  | "PgBigSerial53"
  | "PgBigSerial64";

/** Ranges are of time, of whole numbers, or of uuids that hold a time. */
export type IsRanged<C extends AnyPgColumn> = C["_"]["columnType"] extends
  | TimeColumn
  | NumberColumn
  | "PgUUID"
  ? unknown
  : Refused<`${C["_"]["name"]} is no time, no whole number and no uuid: take list or hash`>;

interface AnyRangeOptions {
  /** How many intervals after the present one are there before they begin. @default 3 */
  readonly premake?: number;
  /**
   * A partition for the rows of all other intervals. While there is one, ATTACH of another takes ACCESS EXCLUSIVE on it and scans it, and is
   * refused while it holds rows of the new one (15 and 18): drain it with `maintain`.
   * @default false
   */
  readonly default?: boolean;
}

/** How a range of time is cut. */
export interface TimeRangeOptions extends AnyRangeOptions {
  readonly every: Interval;
  /** After how long a partition may leave, as an interval of PostgreSQL. @default it stays */
  readonly retain?: string;
}

/** How a range of numbers is cut. */
export interface NumberRangeOptions extends AnyRangeOptions {
  readonly every: number;
}

/** How a range of uuids is cut. */
export interface UuidRangeOptions extends TimeRangeOptions {
  /** The first 48 bits are a time: bounds are worked out here, so that servers without `uuidv7()` serve as well. */
  readonly time: "uuidv7";
}

/** How a range is cut, by the type of its column. */
export type RangeOptions<C extends AnyPgColumn = AnyPgColumn> =
  C["_"]["columnType"] extends TimeColumn
    ? TimeRangeOptions
    : C["_"]["columnType"] extends NumberColumn
      ? NumberRangeOptions
      : UuidRangeOptions;

/** What stands after the dimensions. */
export interface SchemeOptions {
  /** In which the boundaries of days and months lie. @default "UTC" */
  readonly timeZone?: string;
  /** What the names of partitions begin with. @default the table's name */
  readonly prefix?: string;
  /** Values that are cut into other intervals; the first that fits counts. */
  readonly overrides?: readonly {
    readonly values: object;
    readonly every: Interval | number;
    readonly premake?: number;
  }[];
  /** Roles that may have partitions made without owning the table. @default nobody else */
  readonly executeTo?: readonly string[];
}

/** The dimensions of a scheme, and what stands after them. */
export type Parts = readonly [Dimension, ...(Dimension | SchemeOptions)[]];

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
type Fits<T extends AnyPgTable, C extends AnyPgColumn> = C["_"]["tableName"] extends T["_"]["name"]
  ? [InlineKeys<T>] extends [never]
    ? unknown
    : C["_"]["name"] extends InlineKeys<T>
      ? unknown
      : Refused<`the primary key ${InlineKeys<T>} lacks ${C["_"]["name"]}: write primaryKey({ columns: [${C["_"]["name"]}, ${InlineKeys<T>}] }) instead of .primaryKey()`>
  : Refused<`${C["_"]["name"]} is a column of ${C["_"]["tableName"]} and not of ${T["_"]["name"]}`>;

/** The names of the columns with a partition for each value. */
type ListNames<P extends Parts> = {
  [I in keyof P]: P[I] extends DimensionOf<infer C, ListDimension>
    ? P[I] extends { readonly strategy: "list" }
      ? C["_"]["name"]
      : never
    : never;
}[number];

/** The values of list dimensions, as rows of the table have them. */
type ValuesOf<T extends AnyPgTable, Names extends string> = {
  readonly [K in keyof T["_"]["columns"] as T["_"]["columns"][K]["_"]["name"] extends Names
    ? K
    : never]: T["_"]["columns"][K]["_"]["data"];
};

interface CheckedOptions<T extends AnyPgTable, P extends Parts> extends SchemeOptions {
  readonly overrides?: readonly {
    readonly values: Partial<ValuesOf<T, ListNames<P>>>;
    readonly every: Interval | number;
    readonly premake?: number;
  }[];
}

/** Each part as it has to be for the table, so that the compiler names the one that is wrong. */
export type Checked<T extends AnyPgTable, P extends Parts> = {
  readonly [I in keyof P]: P[I] extends { readonly strategy: string }
    ? P[I] extends DimensionOf<infer C>
      ? Fits<T, C>
      : unknown
    : CheckedOptions<T, P>;
};

/** A scheme that remembers, for the compiler alone, which values its partitions are asked for with. */
export type SchemeOf<T extends AnyPgTable, P extends Parts> = Scheme & {
  readonly [VALUES]?: ValuesOf<T, ListNames<P>>;
  readonly [KEYS]?: ValuesOf<T, ListNames<P> | HashNames<P>> & WindowOf<P>;
};

/** The names of the columns whose values are spread over a fixed number of partitions. */
type HashNames<P extends Parts> = {
  [I in keyof P]: P[I] extends DimensionOf<infer C, HashDimension>
    ? P[I] extends { readonly strategy: "hash" }
      ? C["_"]["name"]
      : never
    : never;
}[number];

/** What the ranges of a scheme are made of. */
type RangeData<P extends Parts> = {
  [I in keyof P]: P[I] extends DimensionOf<infer C, RangeDimension>
    ? P[I] extends { readonly strategy: "range" }
      ? C["_"]["data"]
      : never
    : never;
}[number];

/** From when until when, where there is a range: not to be left out where it is the first dimension. */
type WindowOf<P extends Parts> = [RangeData<P>] extends [never]
  ? unknown
  : P[0] extends { readonly strategy: "range" }
    ? { readonly from: RangeData<P>; readonly until: RangeData<P> }
    : { readonly from?: RangeData<P>; readonly until?: RangeData<P> };

/** The keys by which queries of a scheme's table prune, by the properties of its Drizzle table. */
export type SchemeKeys<S extends Scheme> = S extends { readonly [KEYS]?: infer K }
  ? NonNullable<K>
  : Readonly<Record<string, unknown>>;

/** The values that partitions of a scheme are asked for with, by the properties of its Drizzle table. */
export type SchemeValues<S extends Scheme> = S extends { readonly [VALUES]?: infer V }
  ? NonNullable<V>
  : Readonly<Record<string, unknown>>;
