import type { RelationName, SqlStep } from "../plan/step.ts";
import { columnName } from "../plan/target.ts";
import { ident, literal, qualified } from "../sql/quote.ts";
import type { CreateIndexOptions, IndexPart } from "./index-options.ts";

/** What the index is, without its name and table. */
export type IndexShape = Pick<
  CreateIndexOptions,
  "parts" | "unique" | "method" | "include" | "where"
>;

/** Builds one index concurrently, on a table that holds rows itself. Its undo leaves alone what has become part of another index. */
export function buildStep(
  shape: IndexShape,
  table: RelationName,
  name: string,
  id: string,
): SqlStep {
  return buildStepOf(createIndexSql(shape, table, name, "CONCURRENTLY"), table, name, id);
}

/** As {@link buildStep}, of a CREATE INDEX CONCURRENTLY that is there already. */
export function buildStepOf(
  create: string,
  table: RelationName,
  name: string,
  id: string,
): Extract<SqlStep, { readonly transaction: "outside" }> {
  const drop = `DROP INDEX CONCURRENTLY IF EXISTS ${qualified(table.schema, name)}`;
  const lock = { schema: table.schema, name: table.name, mode: "shareUpdateExclusive" } as const;
  return {
    kind: "sql",
    id,
    title: `Build ${name} while reads and writes go on`,
    sql: create,
    locks: [lock],
    transaction: "outside",
    probe: { sql: presentSql(table, name), repair: { sql: drop, then: "retry" } },
    undo: {
      kind: "statement",
      sql: drop,
      locks: [lock, { schema: table.schema, name, mode: "shareUpdateExclusive" }],
      transaction: "outside",
      probe: { sql: absentSql(table, name) },
    },
  };
}

/** CREATE INDEX: concurrently, or on a partitioned table alone. */
export function createIndexSql(
  { parts, unique, method, include, where }: IndexShape,
  { schema, name: table }: RelationName,
  name: string,
  way: "CONCURRENTLY" | "ON ONLY",
): string {
  const including = include?.map((column) => ident(columnName(column))).join(", ");
  const concurrently = way === "CONCURRENTLY" ? " CONCURRENTLY" : "";
  return [
    `CREATE ${unique === true ? "UNIQUE " : ""}INDEX${concurrently} ${ident(name)}`,
    `${way === "ON ONLY" ? "ON ONLY" : "ON"} ${qualified(schema, table)} USING ${ident(method ?? "btree")} (${parts.map(partSql).join(", ")})`,
    ...(including === undefined ? [] : [`INCLUDE (${including})`]),
    ...(where === undefined ? [] : [`WHERE ${where}`]),
  ].join(" ");
}

function partSql(part: IndexPart): string {
  if (typeof part === "string" || !("on" in part)) return ident(columnName(part));
  const { on, order, nulls, operatorClass, collation } = part;
  const what =
    typeof on === "object" && "expression" in on ? `(${on.expression})` : ident(columnName(on));
  return [
    what,
    ...(collation === undefined ? [] : [`COLLATE ${collation}`]),
    ...(operatorClass === undefined ? [] : [operatorClass]),
    ...(order === undefined ? [] : [order.toUpperCase()]),
    ...(nulls === undefined ? [] : [`NULLS ${nulls.toUpperCase()}`]),
  ].join(" ");
}

/** An index of the name that is on another table is none of ours: `absent`, and CREATE INDEX says why it cannot be. */
function presentSql(target: RelationName, name: string): string {
  return `SELECT CASE WHEN i.indexrelid IS NULL THEN 'absent'
  WHEN i.indisvalid AND i.indisready AND i.indislive THEN 'done' ELSE 'broken' END AS state
${ofIndex(target, name)}`;
}

/**
 * DROP INDEX CONCURRENTLY that was killed leaves the index INVALID: it is still to be dropped. A part of a partitioned index goes
 * with the whole.
 */
function absentSql(target: RelationName, name: string): string {
  return `SELECT CASE WHEN i.indexrelid IS NULL OR c.relispartition THEN 'done' ELSE 'absent' END AS state
${ofIndex(target, name)}`;
}

function ofIndex({ schema, name: table }: RelationName, name: string): string {
  return `FROM (VALUES (1)) AS one (row)
LEFT JOIN (pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace)
  ON n.nspname = ${literal(schema)} AND c.relname = ${literal(name)}
  AND i.indrelid = pg_catalog.to_regclass(${literal(qualified(schema, table))})`;
}
