import { Column, is, isSQLWrapper, SQL, Subquery, Table, View, type SQLWrapper } from "drizzle-orm";
import type { RelationName } from "../plan/step.ts";
import { ident, qualified } from "../sql/quote.ts";
import { sqlText } from "../sql/sql-text.ts";

/**
 * The tables and views that a query names, in the order in which it names them.
 *
 * An alias prints its table's name as plain text: its columns still know which table they are of.
 */
export function relationsIn(query: SQL | SQLWrapper): readonly RelationName[] {
  const found = new Map<string, RelationName>();
  const seen = new Set<object>();
  const add = ({ schema, name }: RelationName): void => {
    found.set(qualified(schema, name), { schema, name });
  };
  const visit = (chunk: unknown): void => {
    if (Array.isArray(chunk)) return chunk.forEach(visit);
    if (typeof chunk !== "object" || chunk === null || seen.has(chunk)) return;
    seen.add(chunk);
    if (is(chunk, Table) || is(chunk, View)) add(nameOf(chunk));
    else if (is(chunk, Column)) visit(chunk.table);
    else if (is(chunk, SQL)) visit(chunk.queryChunks);
    else if (is(chunk, Subquery)) visit(chunk._.sql);
    else if (isSQLWrapper(chunk)) visit(chunk.getSQL());
  };
  visit(query);
  return [...found.values()];
}

/** Those of the given relations that a query names, also where it names them in plain text. */
export function relationsAmong<R extends RelationName>(
  query: SQL | SQLWrapper,
  known: readonly R[],
): readonly R[] {
  const named = new Set(relationsIn(query).map(({ schema, name }) => qualified(schema, name)));
  const text = sqlText(query);
  return known.filter(
    ({ schema, name }) =>
      named.has(qualified(schema, name)) || formsOf(schema, name).some((form) => form.test(text)),
  );
}

function formsOf(schema: string, name: string): readonly RegExp[] {
  const plain = /^[a-z_][a-z0-9_]*$/;
  const form = (word: string) =>
    plain.test(word) ? `(?:${escaped(ident(word))}|\\b${word}\\b)` : escaped(ident(word));
  // Only after FROM or JOIN may a name without its schema be a table.
  const bare = schema === "public" ? [`\\b(?:from|join)\\s+${form(name)}`] : [];
  return [`${form(schema)}\\.${form(name)}`, ...bare].map((source) => new RegExp(source, "i"));
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

const ORIGINAL_NAME = Symbol.for("drizzle:OriginalName");
const SCHEMA = Symbol.for("drizzle:Schema");
const VIEW = Symbol.for("drizzle:ViewBaseConfig");

/**
 * The name of a table or view under its alias. Not by getTableConfig: at module load a foreign key may point to a table
 * that is declared later.
 */
function nameOf(relation: Table | View): RelationName {
  if (is(relation, View)) {
    const { [VIEW]: view } = relation as unknown as {
      readonly [VIEW]: { readonly originalName: string; readonly schema?: string };
    };
    return { schema: view.schema ?? "public", name: view.originalName };
  }
  const { [ORIGINAL_NAME]: name, [SCHEMA]: schema } = relation as unknown as {
    readonly [ORIGINAL_NAME]: string;
    readonly [SCHEMA]?: string;
  };
  return { schema: schema ?? "public", name };
}
