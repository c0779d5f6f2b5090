import { Column, is, Subquery, Table } from "drizzle-orm";
import {
  getMaterializedViewConfig,
  getTableConfig,
  getViewConfig,
  isPgEnum,
  PgMaterializedView,
  PgTable,
  PgView,
  type PgColumn,
} from "drizzle-orm/pg-core";
import type { Definition } from "../definition/definition.ts";
import { objectsOf, tablesOf } from "./objects-of.ts";

/** The tables of the host that a definition points to or reads. */
export interface HostTables extends ReadonlyArray<PgTable> {
  /** The columns that foreign keys point to. */
  readonly pointedTo: ReadonlySet<PgColumn>;
  /** Whether the SQL of the definition names a column of one of them, or may: what it names is found by words. */
  readonly names: (column: PgColumn) => boolean;
}

/**
 * The tables of the host that a definition points to or reads: named by its foreign keys and views, or by what it requires, and not its
 * own.
 */
export function hostTables(definition: Definition): HostTables {
  const own = new Set(tablesOf(definition));
  const found = new Set<PgTable>();
  const pointedTo = new Set<PgColumn>();
  for (const table of own)
    for (const key of getTableConfig(table).foreignKeys) {
      const { foreignColumns, foreignTable } = key.reference();
      if (own.has(foreignTable)) continue;
      found.add(foreignTable);
      for (const column of foreignColumns) pointedTo.add(column);
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
  return Object.assign([...found], { pointedTo, names: naming(definition) });
}

/** The tables that a query of Drizzle names. Of a joined one only its columns are in the query as such. */
function tablesIn(query: unknown): readonly PgTable[] {
  const found: PgTable[] = [];
  const visit = (chunk: unknown): void => {
    if (is(chunk, Table)) {
      if (is(chunk, PgTable)) found.push(unaliased(chunk));
    } else if (is(chunk, Column)) visit(chunk.table);
    else if (is(chunk, Subquery)) visit(chunk._.sql);
    else if (Array.isArray(chunk)) chunk.forEach(visit);
    else if (typeof chunk === "object" && chunk !== null) {
      if ("queryChunks" in chunk) visit(chunk.queryChunks);
      else if ("sql" in chunk) visit(chunk.sql);
    }
  };
  visit(query);
  return found;
}

const OWN_COLUMNS = Symbol.for("drizzle:ExtraConfigColumns");

/** An alias is a proxy that gives its own name and columns; these columns it passes on, and they know their table. */
function unaliased(table: PgTable): PgTable {
  const columns = (table as unknown as Record<symbol, Readonly<Record<string, Column>>>)[
    OWN_COLUMNS
  ];
  const [first] = Object.values(columns ?? {});
  return is(first?.table, PgTable) ? first.table : table;
}

const IDENTIFIER = /"((?:[^"]|"")+)"|([A-Za-z_][\w$]*)/g;
const WHOLE_ROW = /(?:\bselect|[.,])\s*\*/i;

/** Words of SQL, with `*` for whole rows. */
function namesIn(text: string): ReadonlySet<string> {
  const names = new Set<string>();
  for (const [, quoted, bare = ""] of text.matchAll(IDENTIFIER))
    names.add(quoted === undefined ? bare.toLowerCase() : quoted.replaceAll('""', '"'));
  if (WHOLE_ROW.test(text)) names.add("*");
  return names;
}

/** Looks only when it is asked: a plan needs no columns. */
function naming(definition: Definition): HostTables["names"] {
  let texts: readonly ReadonlySet<string>[] | undefined;
  return (column) => {
    texts ??= objectsOf(definition)
      .filter(({ kind }) => kind !== "rows")
      .map(({ create }) => namesIn(create));
    const table = getTableConfig(column.table).name;
    return texts.some((names) => names.has(table) && (names.has(column.name) || names.has("*")));
  };
}
