import type { Facts } from "../catalog/read-facts.ts";
import { UnderpinError } from "../errors.ts";
import { plan } from "../plan/plan.ts";
import type { Plan, RelationName, Step } from "../plan/step.ts";
import { literal, qualified } from "../sql/quote.ts";
import { shorten } from "../sql/shorten.ts";
import { columnName, targetOf, type DrizzleColumn, type TableTarget } from "../plan/target.ts";
import { buildStep } from "./build-index.ts";
import { treeBelow } from "./partitions-of.ts";
import { partitionedIndex } from "./partitioned-index.ts";

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

/**
 * Builds an index while reads and writes go on.
 *
 * CREATE INDEX CONCURRENTLY cannot run in a transaction, and when it fails or is killed it leaves an INVALID index that
 * `IF NOT EXISTS` would take for a good one. The step asks the catalog what is there, drops a broken rest, and builds again.
 *
 * PostgreSQL has no concurrent form for a partitioned table (0A000 up to 18). With `facts` the index is made on the table alone,
 * built concurrently on each partition and put together; without them a partitioned table is refused by a check.
 *
 * @example
 * const plan = createIndex({ table: "users", parts: ["email"], unique: true });
 * plan.name; // "create-index-public-users_email_idx"
 */
export function createIndex(options: CreateIndexOptions): Plan {
  const target = targetOf(options);
  const name = options.name ?? defaultName(target, options.parts);
  const tree = options.facts === undefined ? undefined : treeBelow(options.facts, target);
  const steps =
    options.facts === undefined || tree === undefined
      ? [isPlainTable(target), buildStep(options, target, name, "create-index")]
      : partitionedIndex(options, { facts: options.facts, target, name, tree });
  return plan(`create-index-${target.schema}-${name}`, steps);
}

function isPlainTable({ schema, name }: RelationName): Step {
  return {
    kind: "check",
    id: "is-plain-table",
    title: `${name} can have an index built concurrently`,
    sql: `SELECT n.nspname, c.relname, 'partitioned: hand over facts' AS reason
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = ${literal(qualified(schema, name))}::regclass AND c.relkind = 'p'`,
    expect: "noRows",
    transaction: "commitAfter",
    undo: { kind: "nothing" },
  };
}

function defaultName({ name }: RelationName, parts: CreateIndexOptions["parts"]): string {
  const columns = parts.map((part) => {
    const on = typeof part === "object" && "on" in part ? part.on : part;
    if (typeof on === "object" && "expression" in on)
      throw new UnderpinError({
        code: "invalidInput",
        message: `an index on the expression ${on.expression} needs a name`,
        hint: `createIndex({ …, name: ${JSON.stringify(`${name}_…_idx`)} })`,
      });
    return columnName(on);
  });
  return shorten(`${name}_${columns.join("_")}_idx`);
}
