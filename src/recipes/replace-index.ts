import { plan } from "../plan/plan.ts";
import type { Lock, Plan, RelationName, Step } from "../plan/step.ts";
import { ident, qualified } from "../sql/quote.ts";
import { shorten } from "../sql/shorten.ts";
import { buildStepOf, createIndexSql, type IndexShape } from "./build-index.ts";
import { dropStep, isThere } from "./drop-index.ts";
import {
  looseIndex,
  rebuildSql,
  trimmingsSql,
  type IndexFacts,
  type IndexTarget,
} from "./index-facts.ts";

/** Which index to replace, and by what. */
export interface ReplaceIndexOptions extends IndexTarget {
  /** Readings of the catalog: `await readFacts(db)`. */
  readonly facts: IndexFacts;
  /** What it is to be. @default what it is: one that is bloated or INVALID is built anew */
  readonly by?: IndexShape;
}

/**
 * Replaces an index by another of the same name, with an index there all the time.
 *
 * The new one is built concurrently under another name, takes the name over in one short transaction, and the old one
 * is dropped concurrently. ALTER INDEX RENAME takes SHARE UPDATE EXCLUSIVE on the index only (since 12). An INVALID index, as a
 * failed CONCURRENTLY leaves it, is replaced in the same way.
 *
 * @example
 * import { readFacts } from "underpin";
 * import { replaceIndex } from "underpin/migrations";
 * import { createTestDatabase } from "underpin/testing";
 *
 * const { db, close } = await createTestDatabase({
 *   setup: "CREATE TABLE users (email text, name text); CREATE INDEX users_email_idx ON users (email)",
 * });
 * const facts = await readFacts(db, { schemas: ["public"] });
 * const plan = replaceIndex({ facts, index: "users_email_idx", by: { parts: ["email", "name"] } });
 * plan.steps.map(({ id }) => id); // ["is-there", "create-index", "swap", "drop-old"]
 * await close();
 */
export function replaceIndex(options: ReplaceIndexOptions): Plan {
  const { facts, by } = options;
  const fact = looseIndex(facts, options);
  const { schema, name } = fact;
  const table: RelationName = { schema, name: fact.table };
  const fresh = shorten(`${name}_new`);
  const old = shorten(`${name}_old`);
  const create =
    by === undefined ? rebuildSql(fact, fresh) : createIndexSql(by, table, fresh, "CONCURRENTLY");
  // Statistics belong to the expressions of a definition, a comment to the name.
  const trimmings = trimmingsSql(by === undefined ? fact : { ...fact, keys: [] }, name);
  return plan(`replace-index-${schema}-${name}`, [
    isThere(fact),
    buildStepOf(create, table, fresh, "create-index"),
    swapStep(
      schema,
      [rename(schema, name, old), rename(schema, fresh, name), ...trimmings],
      [rename(schema, name, fresh), rename(schema, old, name), ...trimmingsSql(fact, name)],
      { name, fresh, old },
    ),
    dropStep(table, old, rebuildSql(fact, old), "drop-old"),
  ]);
}

function swapStep(
  schema: string,
  forward: readonly string[],
  back: readonly string[],
  { name, fresh, old }: Record<"name" | "fresh" | "old", string>,
): Step {
  const lock = (index: string): Lock => ({ schema, name: index, mode: "shareUpdateExclusive" });
  return {
    kind: "sql",
    id: "swap",
    title: `The new index is ${name} from now on`,
    sql: forward.join(";\n"),
    locks: [lock(name), lock(fresh)],
    transaction: "commitAfter",
    undo: {
      kind: "statement",
      sql: back.join(";\n"),
      locks: [lock(name), lock(old)],
      transaction: "inside",
    },
  };
}

function rename(schema: string, from: string, to: string): string {
  return `ALTER INDEX ${qualified(schema, from)} RENAME TO ${ident(to)}`;
}
