import type { IndexFact, IndexKey } from "../../catalog/indexes.ts";
import type { Facts } from "../../catalog/read-facts.ts";
import { plan } from "../../plan/plan.ts";
import type { RelationName, Step } from "../../plan/step.ts";
import { buildStepOf } from "../../recipes/build-index.ts";
import { createIndex } from "../../recipes/create-index.ts";
import { rebuildSql } from "../../recipes/index-facts.ts";
import type { IndexPart } from "../../recipes/index-options.ts";
import { refuse } from "../../recipes/table-facts.ts";
import { ident, qualified } from "../../sql/quote.ts";
import { shorten } from "../../sql/shorten.ts";
import type { Part } from "./columns.ts";
import { inverse } from "./inverse.ts";

/** The indexes of a table that are new, gone, or another, without those behind constraints. */
export function indexParts(table: RelationName, current: Facts, after: Facts): readonly Part[] {
  const was = indexesOf(table, current);
  const is = indexesOf(table, after);
  const parts: Part[] = [];
  for (const [name, fact] of is) {
    const other = was.get(name);
    if (other === undefined) parts.push(building(fact, current));
    else if (other.definition !== fact.definition) {
      const fresh = shorten(`underpin_new_${name}`);
      parts.push(building(fact, current, fresh), removing(other, current), renaming(fact, fresh));
    }
  }
  for (const [name, fact] of was) if (!is.has(name)) parts.push(removing(fact, current));
  return parts;
}

function indexesOf(
  { schema, name }: RelationName,
  { indexes }: Facts,
): ReadonlyMap<string, IndexFact> {
  return new Map(
    indexes
      .filter((each) => each.schema === schema && each.table === name)
      .filter(({ constraint, parent }) => constraint === null && parent === null)
      .map((each) => [each.name, each]),
  );
}

function building(fact: IndexFact, facts: Facts, name: string = fact.name): Part {
  const { schema, table, method, unique, predicate, include } = fact;
  const isPartitioned = facts.partitions.some(
    (each) => each.schema === schema && each.name === table && each.key !== null,
  );
  const planName = `build ${ident(name)} of ${qualified(schema, table)}`;
  if (!isPartitioned)
    return plan(planName, [
      buildStepOf(rebuildSql(fact, name), { schema, name: table }, name, "build"),
    ]);
  const [first, ...rest] = fact.keys.map(partOf);
  if (first === undefined || fact.nullsNotDistinct)
    return refuse(
      `the index ${name} of the partitioned table ${qualified(schema, table)} is NULLS NOT DISTINCT, which has no online form there`,
      "Build it on each partition with createIndex, and then on the whole.",
    );
  return createIndex({
    facts: { ...facts, indexes: facts.indexes.filter((each) => !isPartOf(each, fact)) },
    schema,
    table,
    name,
    parts: [first, ...rest],
    unique,
    method,
    ...(include.length === 0 ? {} : { include }),
    ...(predicate === null ? {} : { where: predicate }),
  });
}

/** Itself, and its parts of the partitions: an index that is looked at as not there yet. */
function isPartOf(each: IndexFact, { schema, name }: IndexFact): boolean {
  const isIt = (one: RelationName | null) => one?.schema === schema && one.name === name;
  return isIt(each) || isIt(each.parent);
}

function partOf(key: IndexKey): IndexPart {
  return {
    on: key.column ?? { expression: key.definition },
    operatorClass: key.operatorClass,
    ...(key.collation === null || key.collation === 'pg_catalog."default"'
      ? {}
      : { collation: key.collation }),
    ...(key.descending ? { order: "desc" as const } : {}),
    // What PostgreSQL takes by itself is left out: methods without an order refuse the words.
    ...(key.descending === key.nullsFirst
      ? {}
      : { nulls: key.nullsFirst ? ("first" as const) : ("last" as const) }),
  };
}

/** Dropped concurrently, and on the way back built concurrently; of a partitioned table it goes with its parts. */
function removing(fact: IndexFact, facts: Facts): Part {
  const name = `remove ${ident(fact.name)} of ${qualified(fact.schema, fact.table)}`;
  const built = building(fact, facts);
  return inverse(name, plan(name, [built]));
}

function renaming({ schema, table, name }: IndexFact, fresh: string): Step {
  const rename = (from: string, to: string) =>
    `ALTER INDEX ${qualified(schema, from)} RENAME TO ${ident(to)}`;
  const locks = (index: string) => [{ schema, name: index, mode: "shareUpdateExclusive" }] as const;
  return {
    kind: "sql",
    id: `name index ${ident(name)} of ${qualified(schema, table)}`,
    title: `The new index is called ${name}`,
    sql: rename(fresh, name),
    locks: locks(fresh),
    transaction: "commitAfter",
    undo: {
      kind: "statement",
      sql: rename(name, fresh),
      locks: locks(name),
      transaction: "commitAfter",
    },
  };
}
