import { ident } from "../../sql/quote.ts";

/**
 * Reads the predicate of a policy as `pg_get_expr` prints it without a search path: keywords in upper case, functions qualified unless they
 * are built in, columns without their table except inside a sub-select.
 */

/** How a function may be written: each part in quotes or, where it needs none, without. */
export function spellings(schema: string, name: string): readonly string[] {
  const forms = (part: string) => (/^[a-z_]\w*$/.test(part) ? [part, ident(part)] : [ident(part)]);
  return forms(schema).flatMap((first) => forms(name).map((second) => `${first}.${second}`));
}

/** One call of a function that depends on no row. */
export interface Call {
  /** The function as it is written: `app.current_user_id`, `current_setting`. */
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

/** Built in, and read from the session each time they are called. */
const CONTEXT_CALLS = new Set(["current_setting", "CURRENT_USER", "SESSION_USER"]);

/** Where each sub-select begins and ends, the outermost only. */
export function subSelects(
  text: string,
): readonly { readonly from: number; readonly to: number }[] {
  const found: { from: number; to: number }[] = [];
  for (let at = 0; at < text.length; at += 1) {
    const quoted = quotedEnd(text, at);
    if (quoted !== undefined) at = quoted - 1;
    else if (text[at] === "(" && /^\(\s*SELECT\b/.test(text.slice(at, at + 20))) {
      const to = closing(text, at);
      found.push({ from: at, to });
      at = to - 1;
    }
  }
  return found;
}

/** Calls outside of any sub-select, for each row then, that no row changes: of context functions and of these. */
export function bareCalls(text: string, functions: ReadonlySet<string>): readonly Call[] {
  const within = subSelects(text);
  const found: Call[] = [];
  for (const match of text.matchAll(
    /((?:"(?:[^"]|"")+"|[a-z_]\w*)(?:\.(?:"(?:[^"]|"")+"|[a-z_]\w*))?)\(/g,
  )) {
    const [, name = ""] = match;
    const from = match.index;
    if (within.some((part) => from >= part.from && from < part.to)) continue;
    if (!CONTEXT_CALLS.has(name) && !functions.has(name)) continue;
    const to = closing(text, from + name.length);
    if (isConstant(text.slice(from + name.length + 1, to - 1))) found.push({ name, from, to });
  }
  return found;
}

/** A predicate whose bare calls stand in sub-selects, which run once for each statement. */
export function withSubSelects(text: string, calls: readonly Call[]): string {
  return [...calls]
    .sort((a, b) => b.from - a.from)
    .reduce(
      (done, { from, to }) =>
        `${done.slice(0, from)}( SELECT ${done.slice(from, to)})${done.slice(to)}`,
      text,
    );
}

/** Sub-selects without FROM that name a column of the row: they cannot run once. */
export function correlated(
  text: string,
  columns: ReadonlySet<string>,
): readonly { readonly from: number; readonly to: number; readonly inner: string }[] {
  return subSelects(text).flatMap(({ from, to }) => {
    const inner = text
      .slice(from + 1, to - 1)
      .trim()
      .replace(/^SELECT\s+/, "")
      .replace(/\s+AS\s+(?:"(?:[^"]|"")+"|\w+)$/, "");
    const named = [...inner.matchAll(/\.("(?:[^"]|"")+"|[a-z_]\w*)(?![\w(])/g)];
    const isOfRow = named.some(([, column = ""]) => columns.has(column));
    return /\bFROM\b/.test(inner) || !isOfRow ? [] : [{ from, to, inner }];
  });
}

/** The first of the columns that a predicate compares with something: `(tenant_id = ( SELECT …))`. */
export function comparedColumn(text: string, columns: readonly string[]): string | undefined {
  const [, quoted, plain] = /^\(*(?:"((?:[^"]|"")+)"|([a-z_]\w*))\)?(?:::\w+)? = /.exec(text) ?? [];
  const name = quoted?.replaceAll('""', '"') ?? plain;
  return name !== undefined && columns.includes(name) ? name : undefined;
}

/** Whether a predicate holds for every row. */
export function isTrue(text: string): boolean {
  return /^\(*(?:true|1 = 1|'t'::boolean)\)*$/i.test(text);
}

/** Whether arguments are texts, numbers, booleans and casts only. */
function isConstant(list: string): boolean {
  const rest = list
    .replaceAll(/'(?:[^']|'')*'/g, "")
    .replaceAll(/::[a-z_][\w. ]*(?:\[\])?/g, "")
    .replaceAll(/\b(?:true|false|NULL|\d+(?:\.\d+)?)\b/g, "");
  return /^[\s,]*$/.test(rest);
}

/** After the bracket that closes the one at `open`. */
function closing(text: string, open: number): number {
  let depth = 0;
  for (let at = open; at < text.length; at += 1) {
    const quoted = quotedEnd(text, at);
    if (quoted !== undefined) at = quoted - 1;
    else if (text[at] === "(") depth += 1;
    else if (text[at] === ")" && (depth -= 1) === 0) return at + 1;
  }
  return text.length;
}

/** After the quoted text or name that begins at a place; undefined where none does. */
function quotedEnd(text: string, at: number): number | undefined {
  const quote = text[at];
  if (quote !== "'" && quote !== '"') return undefined;
  for (let end = at + 1; end < text.length; end += 1) {
    if (text[end] !== quote) continue;
    if (text[end + 1] !== quote) return end + 1;
    end += 1;
  }
  return text.length;
}
