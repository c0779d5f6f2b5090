/**
 * How a table is partitioned, as plain data. `src/partitioning` makes it and turns it into partitions.
 */
import type { PgTable } from "drizzle-orm/pg-core";

/** The length of a range of time. */
export type Interval = "1 day" | "1 week" | "1 month" | "3 months" | "1 year";

/** One level of a scheme. */
export type Dimension =
  | {
      readonly strategy: "list";
      readonly column: string;
      /** What stands before the value in the names of partitions. */
      readonly label: string;
    }
  | {
      readonly strategy: "range";
      readonly column: string;
      readonly every: Interval;
      /** How many intervals after the present one are there before they begin. */
      readonly premake: number;
      /** After how long a partition may leave; null keeps it. */
      readonly retain: string | null;
    }
  | { readonly strategy: "hash"; readonly column: string; readonly modulus: number };

/** How one table is partitioned: its dimensions, outermost first. Columns are those of the database. */
export interface Scheme {
  readonly table: PgTable;
  readonly dimensions: readonly [Dimension, ...Dimension[]];
  /** In which the boundaries of days and months lie: fixed, so that they never drift with a session's zone. */
  readonly timeZone: string;
  /** What the names of its partitions begin with. */
  readonly prefix: string;
  /**
   * Roles that may have its partitions made. They need not own the table: its function then runs as who installed it.
   * @default nobody else
   */
  readonly executeTo?: readonly string[];
}
