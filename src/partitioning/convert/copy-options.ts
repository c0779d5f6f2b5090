import type { Scheme } from "../../definition/scheme.ts";
import type { Facts } from "../../catalog/read-facts.ts";
import type { SchemeValues } from "../partition-types.ts";

/** The facts that a conversion needs, of all schemas that may refer to the table: all but those of the server as a whole. */
export type ConvertFacts = Pick<
  Facts,
  | "tables"
  | "columns"
  | "constraints"
  | "indexes"
  | "sequences"
  | "triggers"
  | "rules"
  | "policies"
  | "grants"
  | "partitions"
  | "inheritance"
  | "dependencies"
  | "publications"
  | "views"
  | "functions"
>;

/** A plain table, how it is to be partitioned, and what becomes of what a partitioned table cannot have. */
export interface CopyToPartitionedOptions<S extends Scheme = Scheme> {
  /** Readings of the catalog, of all schemas that may refer to the table: `await readFacts(db)`. */
  readonly facts: ConvertFacts;
  /** `partitionBy(table, …)` of a table that is a plain one in the database now. */
  readonly scheme: S;
  /** `copy`: the rows go into a partitioned table beside it. */
  readonly strategy: "copy";
  /** Values that have no row yet, and get their partitions too. @default none: those that rows have */
  readonly values?: readonly SchemeValues<S>[];
  /**
   * The columns of the primary key: those that it has now, and all partition columns.
   *
   * @default that of the scheme's table if it has them all, else what it is now with the missing partition columns after it
   */
  readonly primaryKey?: readonly string[];
  /**
   * What becomes of a unique constraint or index, by name, that lacks partition columns: they are added to it (`widen`), so that it no longer
   * keeps two partitions from holding the same value, or it becomes an index that is not unique (`index`).
   *
   * @default it is refused
   */
  readonly uniques?: Readonly<Record<string, "widen" | "index">>;
  /**
   * What becomes of a foreign key of another table to this one, by name: the columns of its own that stand for those of the new primary key, in
   * their order, or `drop`.
   *
   * @default the columns of the same names, where the other table has them all in the same types; else it is refused
   */
  readonly incoming?: Readonly<Record<string, "drop" | readonly string[]>>;
  /**
   * Where an application says ON CONFLICT with the old primary key: the table gets a unique index over the new one too, so that both are met, and
   * before the swap a gate waits until no version names the old one.
   *
   * @default false
   */
  readonly overlap?: boolean;
  /** How many of this process copy side by side. @default 2 */
  readonly workers?: number;
  /** Rows of the first batch. @default 5000 */
  readonly batchSize?: number;
  /** How long a batch should take. @default 1000 */
  readonly targetMs?: number;
}

/** The same without the values, whose type is the scheme's. */
export type PlainTable = Omit<CopyToPartitionedOptions, "values">;
