import type { Facts } from "../catalog/read-facts.ts";
import type { RelationName } from "../plan/step.ts";
import { ident, literal, qualified } from "../sql/quote.ts";
import { keptAlikeSql } from "./can-be-kept-alike.ts";
import { familyOf, isOf } from "./table-facts.ts";

/** The readings of the catalog in which users of a column are looked for. */
export type DependentFacts = Pick<
  Facts,
  "constraints" | "indexes" | "dependencies" | "partitions" | "inheritance" | "publications"
>;

/**
 * What uses a column and would stand in the way of its drop, or would vanish with it without a word: PostgreSQL drops an index or
 * constraint of several columns with the first of them. What is about this column alone is not told: it goes with it.
 */
export function usersOfColumn(
  facts: DependentFacts,
  table: RelationName,
  column: string,
): readonly string[] {
  return familyOf(facts, table).flatMap((member) => {
    const isHere = isOf(member);
    const isSame = (each: RelationName) =>
      each.schema === member.schema && each.name === member.name;
    const path = qualified(member.schema, member.name);
    const used = facts.dependencies
      .filter(({ on }) => on.kind === "column" && on.detail === column && isSame(on))
      .map(({ dependent: { kind, schema, name, detail } }) =>
        detail === null || kind === "function"
          ? `the ${KINDS[kind]} ${qualified(schema, name)}`
          : `the ${KINDS[kind]} ${ident(detail)} of ${qualified(schema, name)}`,
      );
    const constraints = facts.constraints
      .filter(
        (each) =>
          isHere(each) &&
          each.columns.includes(column) &&
          (each.columns.length > 1 || each.kind === "primaryKey"),
      )
      .map(({ name }) => `the constraint ${ident(name)} of ${path}`);
    const references = facts.constraints
      .filter(({ references: to }) => to !== null && isSame(to) && to.columns.includes(column))
      .map(
        (each) => `the foreign key ${ident(each.name)} of ${qualified(each.schema, each.table)}`,
      );
    const indexes = facts.indexes
      .filter(
        ({ keys, include, constraint, replicaIdentity, ...index }) =>
          isHere(index) &&
          constraint === null &&
          (keys.some((key) => key.column === column) || include.includes(column)) &&
          (keys.length + include.length > 1 || index.predicate !== null || replicaIdentity),
      )
      .map(({ schema, name }) => `the index ${qualified(schema, name)}`);
    const keys = facts.partitions
      .filter((each) => isSame(each) && each.key?.columns.includes(column))
      .map(() => `the partition key of ${path}`);
    const lists = facts.publications
      .filter(({ tables }) => tables.some((each) => isSame(each) && each.columns?.includes(column)))
      .map(({ name }) => `the column list of the publication ${ident(name)}`);
    return [...used, ...constraints, ...references, ...indexes, ...keys, ...lists];
  });
}

const KINDS = {
  view: "view",
  materializedView: "materialized view",
  rule: "rule",
  policy: "policy",
  trigger: "trigger",
  function: "function",
  column: "column",
} as const;

/**
 * The same asked of the catalog when the plan runs, which also knows predicates, expressions and extended statistics: every
 * dependency on the column but its own default, sequence, and the indexes and constraints of this column alone.
 */
export function usersOfColumnSql({ schema, name }: RelationName, column: string): string {
  return `WITH RECURSIVE tree AS (
  SELECT ${literal(qualified(schema, name))}::regclass::oid AS oid
  UNION SELECT i.inhrelid FROM tree t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid)
SELECT pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid) AS dependent, 'uses it' AS reason
FROM tree t
JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attname = ${literal(column)} AND NOT a.attisdropped
JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = t.oid
  AND d.refobjsubid = a.attnum
LEFT JOIN pg_catalog.pg_attrdef f ON d.classid = 'pg_catalog.pg_attrdef'::regclass AND f.oid = d.objid
LEFT JOIN pg_catalog.pg_class c ON d.classid = 'pg_catalog.pg_class'::regclass AND c.oid = d.objid
LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
LEFT JOIN pg_catalog.pg_constraint k ON d.classid = 'pg_catalog.pg_constraint'::regclass AND k.oid = d.objid
WHERE NOT coalesce(f.adrelid = t.oid AND f.adnum = a.attnum, false)
  AND coalesce(c.relkind, ' ') <> 'S'
  AND NOT coalesce(i.indnatts = 1 AND i.indkey[0] = a.attnum AND i.indpred IS NULL AND NOT i.indisreplident, false)
  AND NOT coalesce(k.conrelid = t.oid AND k.conkey = ARRAY[a.attnum] AND k.contype IN ('u', 'f', 'c', 'n'), false)
UNION ALL ${keptAlikeSql("SELECT oid FROM tree", [column])}`;
}
