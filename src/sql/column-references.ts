import { ident } from "./quote.ts";

/** One token of an SQL expression: a name, or anything else, as it stands in the text. */
interface Token {
  readonly text: string;
  /** Of a name: what it means, without quotes and folded where it has none. */
  readonly name?: string;
}

/** Strings, comments, quoted names, bare names, dollar strings, numbers, casts; then single characters. */
const TOKENS =
  /\s+|--[^\n]*|\/\*[^]*?\*\/|[eE]'(?:[^'\\]|''|\\[^])*'|(?:[bBxX])?'(?:[^']|'')*'|\$([A-Za-z_]\w*)?\$[^]*?\$\1\$|"(?:[^"]|"")*"|[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*|\d[\w.]*|::|[^]/g;

function tokensOf(expression: string): readonly Token[] {
  return [...expression.matchAll(TOKENS)].map(([text]): Token => {
    if (text.startsWith('"')) return { text, name: text.slice(1, -1).replaceAll(/""/g, '"') };
    return /^[A-Za-z_\u0080-\uffff][^']*$/.test(text)
      ? { text, name: text.toLowerCase() }
      : { text };
  });
}

/**
 * Which of these columns an expression may mean. Any name that is spelt like one counts, so that one too many may be
 * found and none is missed.
 */
export function columnsIn(expression: string, columns: readonly string[]): readonly string[] {
  const named = new Set(tokensOf(expression).map(({ name }) => name));
  return columns.filter((column) => named.has(column));
}

/**
 * An expression that PostgreSQL has printed, about other columns.
 *
 * Only names in the place of a column are renamed: not a function (before a bracket), a type (after `::`), or what has a
 * schema. Words in strings are left alone, and so are columns whose names only contain the name.
 */
export function renameColumns(expression: string, names: ReadonlyMap<string, string>): string {
  const tokens = tokensOf(expression);
  const neighbour = (at: number, step: 1 | -1): string => {
    let next = at + step;
    while (/^\s+$/.test(tokens[next]?.text ?? "")) next += step;
    return tokens[next]?.text ?? "";
  };
  return tokens
    .map(({ text, name }, at) => {
      const renamed = name === undefined ? undefined : names.get(name);
      const isColumn =
        !["::", "."].includes(neighbour(at, -1)) && !["(", "."].includes(neighbour(at, 1));
      return renamed !== undefined && isColumn ? ident(renamed) : text;
    })
    .join("");
}
