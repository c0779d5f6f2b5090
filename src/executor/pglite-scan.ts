/** A piece of SQL: comments and spaces are gone. */
export interface Token {
  readonly kind: "word" | "name" | "text" | "parameter" | "sign";
  /** Words in lower case, names and texts without their quotes, parameters as their number. */
  readonly value: string;
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
  for (let at = 0; at < text.length; ) {
    if (text.startsWith("/*", at)) {
      at = afterComment(text, at);
      continue;
    }
    for (const [kind, pattern] of PIECES) {
      pattern.lastIndex = at;
      const match = pattern.exec(text);
      if (match === null) continue;
      at = pattern.lastIndex;
      if (kind !== "space") yield { kind, value: valueOf(kind, match) };
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
  const all: Token[][] = [];
  let current: Token[] = [];
  let depth = 0;
  let atomic = 0;
  for (const token of tokens(text)) {
    const { kind, value } = token;
    if (kind === "sign" && value === "(") depth++;
    if (kind === "sign" && value === ")") depth--;
    if (kind === "word") {
      if (value === "atomic" && current.at(-1)?.value === "begin") atomic = 1;
      else if (atomic > 0) atomic += value === "case" ? 1 : value === "end" ? -1 : 0;
    }
    if (kind === "sign" && value === ";" && depth <= 0 && atomic === 0) {
      if (current.length > 0) all.push(current);
      current = [];
      depth = 0;
    } else current.push(token);
  }
  if (current.length > 0) all.push(current);
  return all;
}
