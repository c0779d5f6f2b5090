import { is, SQL } from "drizzle-orm";
import type { Index } from "drizzle-orm/pg-core";
import { namedPath, partPath } from "../../catalog/path.ts";
import { databaseObject, type DatabaseObject } from "../../objects/object.ts";
import type { RelationName } from "../../plan/step.ts";
import { ident, qualified } from "../../sql/quote.ts";
import { sqlText } from "../../sql/sql-text.ts";

interface IndexedColumn {
  readonly name: string;
  readonly indexConfig?: {
    readonly order?: "asc" | "desc";
    readonly nulls?: "first" | "last";
    readonly opClass?: string;
  };
}

/**
 * The indexes of a table.
 *
 * They are built the plain way: an install builds them on empty tables, and CONCURRENTLY is refused on a partitioned table (0A000).
 */
export function indexObjects(
  indexes: readonly Index[],
  relation: RelationName,
): readonly DatabaseObject[] {
  return indexes.map((index) => indexObject(index, relation));
}

function indexObject({ config }: Index, relation: RelationName): DatabaseObject {
  const { unique, method = "btree", where, with: storage = {} } = config;
  const columns = config.columns as readonly (SQL | IndexedColumn)[];
  const name =
    config.name ??
    `${relation.name}_${columns.map((part) => (is(part, SQL) ? "" : part.name)).join("_")}_index`;
  const parts = columns.map((part) => (is(part, SQL) ? sqlText(part) : columnPart(part)));
  const options = Object.entries(storage).map(([key, value]) => `${key}=${String(value)}`);
  const predicate = where === undefined ? null : sqlText(where);
  const path = namedPath("table", relation.schema, relation.name);
  return databaseObject({
    kind: "index",
    id: partPath("index", name, path),
    create: [
      `CREATE ${unique ? "UNIQUE " : ""}INDEX ${ident(name)} ON ${qualified(relation.schema, relation.name)}`,
      `USING ${method} (${parts.join(", ")})`,
      ...(options.length === 0 ? [] : [`WITH (${options.join(", ")})`]),
      ...(predicate === null ? [] : [`WHERE ${predicate}`]),
    ].join(" "),
    drop: `DROP INDEX IF EXISTS ${qualified(relation.schema, name)}`,
    dependsOn: [path],
    mentions: [...columns.filter((part) => is(part, SQL)).map(sqlText), predicate ?? ""],
    within: path,
    locks: [{ ...relation, mode: "share" }],
    dropLocks: [
      { ...relation, mode: "accessExclusive" },
      { schema: relation.schema, name, mode: "accessExclusive" },
    ],
    creates: 1,
  });
}

/**
 * One column of an index. The builder's own default of `desc()` is NULLS LAST, where PostgreSQL's is FIRST; beside an
 * operator class drizzle-kit 0.31 forgets the order.
 */
function columnPart({ name, indexConfig = {} }: IndexedColumn): string {
  const { order = "asc", nulls = "last", opClass } = indexConfig;
  return [
    ident(name),
    ...(opClass === undefined ? [] : [opClass]),
    // Not written where it is the default: methods without an order refuse the words (0A000).
    ...(order === "desc" ? [`DESC NULLS ${nulls.toUpperCase()}`] : []),
    ...(order === "asc" && nulls === "first" ? ["NULLS FIRST"] : []),
  ].join(" ");
}
