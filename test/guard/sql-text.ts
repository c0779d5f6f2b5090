import ts from "typescript";
import { placeOf, walk, type SourceText } from "./source.ts";

const OPENS_LIKE_SQL =
  /^\s*(?:\/\*.*?\*\/\s*)?(?:SELECT|WITH|INSERT INTO|UPDATE|DELETE FROM|MERGE|CREATE|ALTER|DROP|GRANT|REVOKE|COMMENT ON|SET|RESET|CALL|DO|TRUNCATE|LOCK|REINDEX|REFRESH|VACUUM|ANALYZE|CLUSTER|COPY|EXECUTE|PREPARE|LISTEN|NOTIFY)\b/i;

/** Upper case only: these are words of English too. */
const HOLDS_SQL =
  /\b(?:FROM|JOIN|WHERE|AND|VALUES|TABLE|INDEX|COLUMN|CONSTRAINT|POLICY|ROLE|SCHEMA|TRIGGER|FUNCTION|REFERENCES|USING)\b/;

function looksLikeSql(text: string): boolean {
  return OPENS_LIKE_SQL.test(text) || HOLDS_SQL.test(text);
}

/** Places outside `src/sql` that quote by hand: `"${…}` or `'${…}` in SQL, and doublings of quotes. */
export function quotingFaults(sources: readonly SourceText[]): string[] {
  const faults: string[] = [];
  for (const source of sources) {
    if (source.path.startsWith("src/sql/")) continue;
    walk(source, (node, file) => {
      if (ts.isTemplateExpression(node)) {
        const texts = [node.head.text, ...node.templateSpans.map((span) => span.literal.text)];
        const opensQuote = texts.slice(0, -1).some((text) => /["']$/.test(text));
        if (opensQuote && looksLikeSql(texts.join(" ")))
          faults.push(`${placeOf(node, file)}: quotes by hand, use ident or literal of src/sql`);
      }
      if (ts.isCallExpression(node) && /\.replace(?:All)?$/.test(node.expression.getText(file))) {
        const by = node.arguments[1];
        if (by !== undefined && ts.isStringLiteralLike(by) && [`""`, `''`].includes(by.text))
          faults.push(`${placeOf(node, file)}: doubles quotes by hand, use src/sql`);
      }
    });
  }
  return faults;
}

/** Relations and functions of the catalog that are named without `pg_catalog.`, in texts that look like SQL. */
export function catalogFaults(sources: readonly SourceText[]): string[] {
  const faults: string[] = [];
  for (const source of sources)
    walk(source, (node, file) => {
      const text = ts.isTemplateExpression(node)
        ? [node.head.text, ...node.templateSpans.map((span) => span.literal.text)].join("$")
        : ts.isStringLiteralLike(node)
          ? node.text
          : "";
      if (!/\b(?:select|from|join)\b/i.test(text)) return;
      const bare = text.replace(/--.*$|\/\*[^]*?\*\//gm, "").replace(/'(?:[^']|'')*'/g, "''");
      for (const [name] of bare.matchAll(/(?<![\w.$"])pg_(?!catalog\b)[a-z_]+/g))
        faults.push(`${placeOf(node, file)}: ${name} is not qualified with pg_catalog`);
    });
  return faults;
}
