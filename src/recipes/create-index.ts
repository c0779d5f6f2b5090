import { UnderpinError } from "../errors.ts";
import { plan } from "../plan/plan.ts";
import type { Plan, RelationName, Step } from "../plan/step.ts";
import { literal, qualified } from "../sql/quote.ts";
import { shorten } from "../sql/shorten.ts";
import { columnName, targetOf } from "../plan/target.ts";
import { buildStep } from "./build-index.ts";
import type { CreateIndexOptions } from "./index-options.ts";
import { treeBelow } from "./partitions-of.ts";
import { partitionedIndex } from "./partitioned-index.ts";

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
