import type { IndexFact } from "../catalog/indexes.ts";
import type { Facts } from "../catalog/read-facts.ts";
import { ident, literal, qualified } from "../sql/quote.ts";
import { refuse } from "./table-facts.ts";

/** The readings of the catalog in which an index and what relies on it are looked for. */
export type IndexFacts = Pick<Facts, "tables" | "indexes" | "constraints" | "partitions">;

/** Which index, by its name. */
export interface IndexTarget {
  /** @default "public" */
  readonly schema?: string;
  readonly index: string;
}

/**
 * The index of a name, if it can go alone: refused, with what to do instead, where a constraint, a foreign key, a partitioned
 * index or the replica identity relies on it.
 */
export function looseIndex(
  facts: IndexFacts,
  { schema = "public", index }: IndexTarget,
): IndexFact {
  const path = qualified(schema, index);
  const fact =
    facts.indexes.find((each) => each.schema === schema && each.name === index) ??
    refuse(
      `the facts hold no index ${path}`,
      "Read them with its schema: readFacts(db, { schemas: [ … ] }).",
    );
  const table = qualified(schema, fact.table);
  if (fact.constraint !== null)
    refuse(
      `${path} stands behind the constraint ${fact.constraint} of ${table}`,
      `A bloated one is rebuilt in place: REINDEX INDEX CONCURRENTLY ${path}. One that is not wanted goes with its constraint: ALTER TABLE ${table} DROP CONSTRAINT ${ident(fact.constraint)}`,
    );
  if (fact.parent !== null)
    refuse(
      `${path} is the part of ${qualified(fact.parent.schema, fact.parent.name)} for the partition ${table}`,
      `A bloated one is rebuilt in place: REINDEX INDEX CONCURRENTLY ${path}. A part goes only with the whole.`,
    );
  if (
    facts.partitions.some((each) => each.schema === schema && each.name === fact.table && each.key)
  )
    refuse(
      `${path} is the index of a partitioned table, which PostgreSQL drops only under ACCESS EXCLUSIVE on ${table} and all its partitions`,
      `Build a better one beside it with createIndex; then, in a quiet moment and with a lock_timeout, DROP INDEX ${path}`,
    );
  const key = facts.constraints.find(
    (each) =>
      each.kind === "foreignKey" && each.index?.schema === schema && each.index.name === index,
  );
  if (key !== undefined)
    refuse(
      `the foreign key ${key.name} of ${qualified(key.schema, key.table)} relies on ${path}`,
      "Drop the foreign key first, or give the columns that it points at a unique constraint of their own.",
    );
  if (fact.replicaIdentity)
    refuse(
      `${path} is the replica identity of ${table}`,
      `Choose another first: ALTER TABLE ${table} REPLICA IDENTITY …`,
    );
  if (fact.clustered)
    refuse(
      `${table} is marked to be clustered on ${path}`,
      `Take the mark away first: ALTER TABLE ${table} SET WITHOUT CLUSTER`,
    );
  if (facts.tables.every((each) => each.schema !== schema || each.name !== fact.table))
    refuse(
      `${path} is an index of ${table}, which is no table that the facts hold`,
      "That of a materialized view goes by DROP INDEX: nobody writes to it.",
    );
  return fact;
}

/**
 * The CREATE INDEX of a fact, concurrently and under any name.
 *
 * `pg_get_indexdef` begins with CREATE [UNIQUE] INDEX and the bare name, and leaves out the tablespace, whose place is before WHERE.
 */
export function rebuildSql({ definition, predicate, tablespace }: IndexFact, name: string): string {
  const where = predicate === null ? "" : ` WHERE ${predicate}`;
  const whole = definition.slice(0, definition.length - where.length);
  const head = /^CREATE (UNIQUE )?INDEX (?:"(?:[^"]|"")*"|\S+) ON /.exec(definition);
  if (head === null || !definition.endsWith(where))
    return refuse(
      `the definition of an index is not understood: ${definition}`,
      "Drop it by hand, or open an issue with the definition.",
    );
  const place = tablespace === null ? "" : ` TABLESPACE ${ident(tablespace)}`;
  return `CREATE ${head[1] ?? ""}INDEX CONCURRENTLY ${ident(name)} ON ${whole.slice(head[0].length)}${place}${where}`;
}

/** What an index has beside its definition: its comment, and statistics targets of its expressions. */
export function trimmingsSql(
  { schema, keys, comment }: IndexFact,
  name: string,
): readonly string[] {
  const path = qualified(schema, name);
  return [
    ...keys.flatMap(({ statisticsTarget }, at) =>
      statisticsTarget === null
        ? []
        : [`ALTER INDEX ${path} ALTER COLUMN ${at + 1} SET STATISTICS ${statisticsTarget}`],
    ),
    ...(comment === null ? [] : [`COMMENT ON INDEX ${path} IS ${literal(comment)}`]),
  ];
}
