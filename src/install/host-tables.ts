import { is, Table } from "drizzle-orm";
import {
  getMaterializedViewConfig,
  getTableConfig,
  getViewConfig,
  isPgEnum,
  PgMaterializedView,
  PgTable,
  PgView,
} from "drizzle-orm/pg-core";
import type { Definition } from "../definition/definition.ts";
import { tablesOf } from "./objects-of.ts";

/**
 * The tables of the host that a definition points to or reads: named by its foreign keys and views, or by what it requires, and not its
 * own.
 */
export function hostTables(definition: Definition): readonly PgTable[] {
  const own = new Set(tablesOf(definition));
  const found = new Set<PgTable>();
  for (const table of own)
    for (const key of getTableConfig(table).foreignKeys) {
      const { foreignTable } = key.reference();
      if (!own.has(foreignTable)) found.add(foreignTable);
    }
  for (const entity of Object.values(definition.tables)) {
    if (isPgEnum(entity)) continue;
    const query = is(entity, PgView)
      ? getViewConfig(entity).query
      : is(entity, PgMaterializedView)
        ? getMaterializedViewConfig(entity).query
        : undefined;
    for (const table of tablesIn(query)) if (!own.has(table)) found.add(table);
  }
  for (const table of definition.requires.tables ?? [])
    if (is(table, PgTable) && !own.has(table)) found.add(table);
  return [...found];
}

/** The tables that a query of Drizzle names. */
function tablesIn(query: unknown): readonly PgTable[] {
  const found: PgTable[] = [];
  const visit = (chunk: unknown): void => {
    if (is(chunk, Table)) {
      if (is(chunk, PgTable)) found.push(chunk);
    } else if (Array.isArray(chunk)) chunk.forEach(visit);
    else if (typeof chunk === "object" && chunk !== null && "queryChunks" in chunk)
      visit(chunk.queryChunks);
  };
  visit(query);
  return found;
}
