import type { Facts } from "../catalog/read-facts.ts";
import type { DrizzleColumn, TableTarget } from "../plan/target.ts";

/** One part of an index. */
export type IndexPart =
  | string
  | DrizzleColumn
  | {
      /** A column, or an SQL expression over the row. */
      readonly on: string | DrizzleColumn | { readonly expression: string };
      readonly order?: "asc" | "desc";
      readonly nulls?: "first" | "last";
      /** An operator class as SQL: `gin_trgm_ops`. */
      readonly operatorClass?: string;
      /** A collation as SQL: `"C"`. */
      readonly collation?: string;
    };

/** Which index to build. */
export interface CreateIndexOptions extends TableTarget {
  /** @default `<table>_<columns>_idx`; needed where a part is an expression */
  readonly name?: string;
  readonly parts: readonly [IndexPart, ...IndexPart[]];
  readonly unique?: boolean;
  /** @default "btree" */
  readonly method?: "btree" | "hash" | "gin" | "gist" | "spgist" | "brin" | (string & {});
  readonly include?: readonly (string | DrizzleColumn)[];
  /** A predicate as SQL: the index holds only rows that meet it. */
  readonly where?: string;
  /** Readings of the catalog, needed where the table is partitioned: `await readFacts(db)`. */
  readonly facts?: Pick<Facts, "tables" | "indexes" | "partitions">;
}
