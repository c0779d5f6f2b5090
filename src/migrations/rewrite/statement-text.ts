import type { SqlStatement, SqlToken } from "../../sql/parse.ts";

/** A part of a statement: its words, and its text as it stands. */
export interface Part {
  readonly start: number;
  readonly end: number;
  readonly text: string;
  readonly tokens: readonly SqlToken[];
}

const OPENS = new Set(["(", "["]);
const CLOSES = new Set([")", "]"]);

/** The words of a statement from an index on, cut at the commas that are in no bracket. */
export function partsFrom({ text, tokens }: SqlStatement, start: number): readonly Part[] {
  return cut(
    text,
    tokens().filter((token) => token.start >= start),
  );
}

/** Words cut at the commas that are in no bracket. */
export function cut(text: string, tokens: readonly SqlToken[]): readonly Part[] {
  const parts: Part[] = [];
  let open: SqlToken[] = [];
  let depth = 0;
  for (const token of tokens) {
    if (token.text === "," && depth === 0) {
      parts.push(partOf(text, open));
      open = [];
      continue;
    }
    if (OPENS.has(token.text)) depth += 1;
    if (CLOSES.has(token.text)) depth -= 1;
    open.push(token);
  }
  if (open.length > 0) parts.push(partOf(text, open));
  return parts;
}

/** Some words, one after the other. */
export function partOf(text: string, tokens: readonly SqlToken[]): Part {
  const start = tokens[0]?.start ?? 0;
  const end = tokens[tokens.length - 1]?.end ?? start;
  return { start, end, text: text.slice(start, end), tokens };
}

/** What stands in the first brackets after an index, without them. */
export function insideBrackets(
  text: string,
  tokens: readonly SqlToken[],
  from = 0,
): Part | undefined {
  const open = tokens.findIndex((token) => token.start >= from && token.text === "(");
  if (open === -1) return undefined;
  let depth = 0;
  for (let at = open; at < tokens.length; at += 1) {
    const word = tokens[at]?.text ?? "";
    if (OPENS.has(word)) depth += 1;
    if (CLOSES.has(word)) depth -= 1;
    if (depth === 0) return partOf(text, tokens.slice(open + 1, at));
  }
  return undefined;
}

/** Where the words come, in no bracket; -1 where they do not. */
export function indexOfWords(tokens: readonly SqlToken[], words: readonly string[]): number {
  let depth = 0;
  for (const [at, token] of tokens.entries()) {
    if (depth === 0 && words.every((word, next) => tokens[at + next]?.text.toUpperCase() === word))
      return at;
    if (OPENS.has(token.text)) depth += 1;
    if (CLOSES.has(token.text)) depth -= 1;
  }
  return -1;
}

/** The index in the words after the name of a relation that begins at an index: `a`, `"a"."b"`, `a *`. */
export function afterName(tokens: readonly SqlToken[], start: number): number {
  let at = tokens.findIndex((token) => token.start >= start);
  if (at === -1) return tokens.length;
  at += 1;
  while (tokens[at]?.text === ".") at += 2;
  return tokens[at]?.text === "*" ? at + 1 : at;
}
