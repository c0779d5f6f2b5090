import { namedPath, partPath } from "../catalog/path.ts";
import { ident, qualified } from "../sql/quote.ts";
import { databaseObject, type DatabaseObject } from "./object.ts";

/** An index of a materialized view. */
export interface MaterializedViewIndexOptions {
  /** @default "public" */
  readonly schema?: string;
  readonly view: string;
  readonly name: string;
  /** Columns by name, or as SQL between parentheses. */
  readonly columns: readonly [string, ...string[]];
  readonly unique?: boolean;
}

/**
 * An index of a materialized view, for which Drizzle has no place. REFRESH … CONCURRENTLY needs a unique one over plain
 * columns and all rows (55000 without it).
 */
export function pgMaterializedViewIndex(options: MaterializedViewIndexOptions): DatabaseObject {
  const { schema = "public", view, name, columns, unique = false } = options;
  const path = namedPath("materialized view", schema, view);
  const parts = columns.map((column) => (column.startsWith("(") ? column : ident(column)));
  return databaseObject({
    kind: "index",
    id: partPath("index", name, path),
    create: `CREATE ${unique ? "UNIQUE " : ""}INDEX ${ident(name)} ON ${qualified(schema, view)} (${parts.join(", ")})`,
    drop: `DROP INDEX IF EXISTS ${qualified(schema, name)}`,
    dependsOn: [path],
    within: path,
    locks: [{ schema, name: view, mode: "share" }],
    dropLocks: [
      { schema, name: view, mode: "accessExclusive" },
      { schema, name, mode: "accessExclusive" },
    ],
    creates: 1,
  });
}
