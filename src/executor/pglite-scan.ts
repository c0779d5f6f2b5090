/** A piece of SQL: comments and spaces are gone. */
export interface Token {
  readonly kind: "word" | "name" | "text" | "parameter" | "sign";
  /** Words in lower case, names and texts without their quotes, parameters as their number. */
  readonly value: string;
}

/** A token, and where in the text it stands. */
export interface PlacedToken extends Token {
  readonly start: number;
  readonly end: number;
}

/** After the comments: `E'…'` first, since only there a backslash escapes a quote. */
const PIECES: readonly (readonly [Token["kind"] | "space", RegExp])[] = [
  ["space", /\s+|--[^\n]*/y],
  ["text", /e'((?:[^'\\]|\\[\s\S]|'')*)'/iy],
  ["text", /(?:u&|[bxn])?'((?:[^']|'')*)'/iy],
  ["text", /\$((?:[a-z_\u0080-\uffff][\w\u0080-\uffff]*)?)\$([\s\S]*?)\$\1\$/iy],
  ["name", /(?:u&)?"((?:[^"]|"")*)"/iy],
  ["parameter", /\$(\d+)/y],
  ["word", /[a-z_\u0080-\uffff][\w$\u0080-\uffff]*/iy],
  ["word", /\d[\w.]*/y],
  ["sign", /[\s\S]/y],
];

/** The tokens of a text, as PostgreSQL's own scanner cuts it with `standard_conforming_strings` on. */
export function* tokens(text: string): Generator<Token> {
  for (const { kind, value } of placedTokens(text)) yield { kind, value };
}

/** The tokens of a text with their places. */
export function* placedTokens(text: string): Generator<PlacedToken> {
  for (let at = 0; at < text.length; ) {
    if (text.startsWith("/*", at)) {
      at = afterComment(text, at);
      continue;
    }
    for (const [kind, pattern] of PIECES) {
      pattern.lastIndex = at;
      const match = pattern.exec(text);
      if (match === null) continue;
      const start = at;
      at = pattern.lastIndex;
      if (kind !== "space") yield { kind, value: valueOf(kind, match), start, end: at };
      break;
    }
  }
}

function valueOf(kind: Token["kind"], match: RegExpExecArray): string {
  const [whole, first, second] = match;
  if (kind === "word") return whole.toLowerCase();
  if (kind === "name") return (first ?? "").replaceAll('""', '"');
  return second ?? first ?? whole;
}

/** Comments nest. */
function afterComment(text: string, start: number): number {
  const border = /\/\*|\*\//g;
  border.lastIndex = start;
  for (let depth = 0; ; ) {
    const match = border.exec(text);
    if (match === null) return text.length;
    depth += match[0] === "/*" ? 1 : -1;
    if (depth === 0) return border.lastIndex;
  }
}

/**
 * The statements of a text, empty ones left out: as many as the server answers with a command tag.
 *
 * A semicolon ends none inside parentheses (CREATE RULE) and inside BEGIN ATOMIC … END (a function's SQL body).
 */
export function statements(text: string): readonly (readonly Token[])[] {
  return cutStatements(tokens(text));
}

/** The same of tokens; what else begins a new statement, `breaksBefore` says. */
export function cutStatements<T extends Token>(
  all: Iterable<T>,
  breaksBefore: (token: T) => boolean = () => false,
): readonly (readonly T[])[] {
  const cut: T[][] = [];
  let current: T[] = [];
  let depth = 0;
  let atomic = 0;
  for (const token of all) {
    const { kind, value } = token;
    if (breaksBefore(token)) {
      if (current.length > 0) cut.push(current);
      current = [];
      depth = 0;
      atomic = 0;
    }
    if (kind === "sign" && value === "(") depth++;
    if (kind === "sign" && value === ")") depth--;
    if (kind === "word") {
      if (value === "atomic" && current.at(-1)?.value === "begin") atomic = 1;
      else if (atomic > 0) atomic += value === "case" ? 1 : value === "end" ? -1 : 0;
    }
    if (kind === "sign" && value === ";" && depth <= 0 && atomic === 0) {
      if (current.length > 0) cut.push(current);
      current = [];
      depth = 0;
    } else current.push(token);
  }
  if (current.length > 0) cut.push(current);
  return cut;
}
