import type { IndexFact } from "../catalog/indexes.ts";
import { plan } from "../plan/plan.ts";
import type { Plan, RelationName, SqlStep, Step } from "../plan/step.ts";
import { literal, qualified } from "../sql/quote.ts";
import { buildStepOf } from "./build-index.ts";
import {
  looseIndex,
  rebuildSql,
  trimmingsSql,
  type IndexFacts,
  type IndexTarget,
} from "./index-facts.ts";

/** Which index to drop. */
export interface DropIndexOptions extends IndexTarget {
  /** Readings of the catalog, from which it is built again: `await readFacts(db)`. */
  readonly facts: IndexFacts;
}

/**
 * Drops an index while reads and writes go on; the undo builds it again as it was, concurrently.
 *
 * DROP INDEX without CONCURRENTLY takes ACCESS EXCLUSIVE on the table. Killed midway, DROP INDEX CONCURRENTLY leaves an INVALID index:
 * the probe sees that it is still there, and it is dropped again.
 *
 * @example
 * import { readFacts } from "underpin";
 * import { dropIndex } from "underpin/migrations";
 * import { createTestDatabase } from "underpin/testing";
 *
 * const { db, close } = await createTestDatabase({
 *   setup: "CREATE TABLE users (email text); CREATE INDEX users_email_idx ON users (email)",
 * });
 * const facts = await readFacts(db, { schemas: ["public"] });
 * const plan = dropIndex({ facts, index: "users_email_idx" });
 * plan.name; // "drop-index-public-users_email_idx"
 * await close();
 */
export function dropIndex(options: DropIndexOptions): Plan {
  const fact = looseIndex(options.facts, options);
  const { schema, name } = fact;
  const table = { schema, name: fact.table };
  const trimmings = trimmingsSql(fact, name);
  const there = isThere(fact);
  return plan(`drop-index-${schema}-${name}`, [
    trimmings.length === 0
      ? there
      : {
          ...there,
          undo: {
            kind: "statement",
            sql: trimmings.join(";\n"),
            locks: [{ schema, name, mode: "shareUpdateExclusive" }],
            transaction: "inside",
          },
        },
    dropStep(table, name, rebuildSql(fact, name), "drop-index"),
  ]);
}

/** Drops one index concurrently; the undo is the CREATE INDEX CONCURRENTLY that is handed over. */
export function dropStep(table: RelationName, name: string, create: string, id: string): SqlStep {
  const build = buildStepOf(create, table, name, id);
  // The two directions of one thing: each is the other's undo.
  const { undo } = build;
  if (undo.kind !== "statement" || build.transaction !== "outside") return build;
  return {
    ...undo,
    kind: "sql",
    id,
    title: `Drop ${name} while reads and writes go on`,
    undo: {
      kind: "statement",
      sql: build.sql,
      locks: build.locks,
      transaction: "outside",
      probe: build.probe,
    },
  };
}

/** The index that the facts have seen is there, and of the same table. */
export function isThere({
  schema,
  table,
  name,
}: Pick<IndexFact, "schema" | "table" | "name">): Step {
  return {
    kind: "check",
    id: "is-there",
    title: `${name} is an index of ${table}`,
    sql: `SELECT ${literal(qualified(schema, name))} AS index, 'is not there: read the facts again' AS reason
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_index i
  WHERE i.indexrelid = pg_catalog.to_regclass(${literal(qualified(schema, name))})
  AND i.indrelid = pg_catalog.to_regclass(${literal(qualified(schema, table))}))`,
    expect: "noRows",
    transaction: "commitAfter",
    undo: { kind: "nothing" },
  };
}
