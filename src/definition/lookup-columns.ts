import { ident } from "../sql/quote.ts";
import { COMMANDS, type Lookup, type RowClass, type TableRules } from "./access.ts";

/** The lookups that some rule of a persona asks, in any of these tables. */
export function lookupsAsked(rules: readonly TableRules[], persona: string): ReadonlySet<string> {
  return new Set(
    rules.flatMap((each) =>
      COMMANDS.flatMap((command) => lookupsIn(each.rules[command][persona] ?? { kind: "none" })),
    ),
  );
}

function lookupsIn(rowClass: RowClass): readonly string[] {
  if (rowClass.kind === "among") return [rowClass.lookup];
  return rowClass.kind === "anyOf" ? rowClass.classes.flatMap(lookupsIn) : [];
}

/**
 * Whether what a lookup yields may depend on a column of a table.
 *
 * By its text, and so rather too often than too seldom: the column counts where its name stands anywhere in a query that reads the table, and every
 * column where the query has a `*` or joins by columns that it does not name. PostgreSQL itself keeps no more of a function whose body is text.
 */
export function readsColumn(
  { query, reads }: Pick<Lookup, "query" | "reads">,
  table: { readonly schema: string; readonly name: string },
  column: string,
): boolean {
  if (query === null) return false;
  if (!reads.some(({ schema, name }) => schema === table.schema && name === table.name))
    return false;
  if (/\*(?!\s*\))|\bnatural\b/i.test(query)) return true;
  const pattern = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(
    `${pattern(ident(column))}|(?<![\\w$"])${pattern(column)}(?![\\w$"])`,
    "i",
  ).test(query);
}
