/**
 * How a table is partitioned, as plain data. `src/partitioning` makes it and turns it into partitions.
 */
import type { PgTable } from "drizzle-orm/pg-core";

/** The length of a range of time. A week begins on Monday. */
export type Interval = "1 day" | "1 week" | "1 month" | "3 months" | "1 year";

/** One partition for each value. */
export interface ListDimension {
  readonly strategy: "list";
  readonly column: string;
  /** What stands before the value in the names of partitions. */
  readonly label: string;
  /** Whether rows of all other values have a partition too. @default false */
  readonly default?: boolean;
}

/** One partition for each interval. */
export interface RangeDimension {
  readonly strategy: "range";
  readonly column: string;
  /** A length of time, or of numbers where the column is one. */
  readonly every: Interval | number;
  /** Where the column is a uuid: its first 48 bits are the time. */
  readonly time?: "uuidv7";
  /** How many intervals after the present one are there before they begin. */
  readonly premake: number;
  /** After how long a partition may leave; null keeps it. */
  readonly retain: string | null;
  /** Whether rows of all other intervals have a partition too. @default false */
  readonly default?: boolean;
}

/** A fixed number of partitions. */
export interface HashDimension {
  readonly strategy: "hash";
  readonly column: string;
  readonly modulus: number;
}

/** One level of a scheme. */
export type Dimension = ListDimension | RangeDimension | HashDimension;

/** Values whose rows are cut into other intervals than the rest. */
export interface SchemeOverride {
  /** Values of list dimensions, by column, as PostgreSQL writes them. Those that are left out are any. */
  readonly values: Readonly<Record<string, string>>;
  /** Instead of that of the first range. */
  readonly every: Interval | number;
  /** @default that of the first range */
  readonly premake?: number;
}

/** How one table is partitioned: its dimensions, outermost first. Columns are those of the database. */
export interface Scheme {
  readonly table: PgTable;
  readonly dimensions: readonly [Dimension, ...Dimension[]];
  /** In which the boundaries of days and months lie: fixed, so that they never drift with a session's zone. */
  readonly timeZone: string;
  /** What the names of its partitions begin with. */
  readonly prefix: string;
  /** Values that are cut otherwise; the first that fits counts. @default none */
  readonly overrides?: readonly SchemeOverride[];
  /**
   * Roles that may have its partitions made. They need not own the table: its function then runs as who installed it.
   * @default nobody else
   */
  readonly executeTo?: readonly string[];
}
