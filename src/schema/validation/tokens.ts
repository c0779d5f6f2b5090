/** One word, text, number or sign of an SQL expression. */
export interface Token {
  readonly kind: "word" | "quoted" | "text" | "number" | "sign";
  /** A word in small letters, a text without its quotes. */
  readonly value: string;
}

const PATTERNS: readonly (readonly [Token["kind"], RegExp])[] = [
  ["text", /[eE]?'(?:[^']|'')*'/y],
  ["quoted", /"(?:[^"]|"")*"/y],
  ["number", /\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y],
  ["word", /[A-Za-z_][A-Za-z0-9_$]*/y],
  ["sign", /::|<=|>=|<>|!=|!~\*|!~|~\*|\|\||->>|->|[-+*/%(),.<>=~?[\]]/y],
];

/** An SQL expression in its parts, or null where it holds what no check of ours is made of: a comment, an escape string. */
export function tokensOf(sql: string): readonly Token[] | null {
  const tokens: Token[] = [];
  let at = 0;
  for (;;) {
    while (/\s/.test(sql.charAt(at))) at += 1;
    if (at >= sql.length) return tokens;
    if (sql.startsWith("--", at) || sql.startsWith("/*", at)) return null;
    const found = matchAt(sql, at);
    if (found === null) return null;
    const [kind, text] = found;
    if (kind === "text" && !text.startsWith("'")) return null;
    tokens.push({ kind, value: valueOf(kind, text) });
    at += text.length;
  }
}

function matchAt(sql: string, at: number): readonly [Token["kind"], string] | null {
  for (const [kind, pattern] of PATTERNS) {
    pattern.lastIndex = at;
    const found = pattern.exec(sql)?.[0];
    if (found !== undefined) return [kind, found];
  }
  return null;
}

function valueOf(kind: Token["kind"], text: string): string {
  if (kind === "text") return text.slice(1, -1).replaceAll("''", "'");
  if (kind === "quoted") return text.slice(1, -1).replaceAll('""', '"');
  return kind === "word" ? text.toLowerCase() : text;
}
