import type { PlacedToken } from "../../executor/pglite-scan.ts";
import { ident, qualified } from "../../sql/quote.ts";

/** A name as a statement writes it: with its schema, or without one. */
export interface WrittenName {
  readonly schema: string | undefined;
  readonly name: string;
  /** The index of the token after it. */
  readonly next: number;
}

/** The words of a statement: lower case, and empty where a token is none. */
export function wordsOf(tokens: readonly PlacedToken[]): readonly string[] {
  return tokens.map(({ kind, value }) => (kind === "word" ? value : ""));
}

/** Whether these words stand at this place. */
export function isAt(words: readonly string[], at: number, ...wanted: readonly string[]): boolean {
  return wanted.every((word, offset) => words[at + offset] === word);
}

/** The place behind these words, or the same place where they do not stand. */
export function past(words: readonly string[], at: number, ...optional: readonly string[]): number {
  return isAt(words, at, ...optional) ? at + optional.length : at;
}

/** The name that begins at this place; undefined where none does. */
export function nameAt(tokens: readonly PlacedToken[], at: number): WrittenName | undefined {
  const first = tokens[at];
  if (first === undefined || !isName(first)) return undefined;
  const second = tokens[at + 2];
  return tokens[at + 1]?.value === "." && second !== undefined && isName(second)
    ? { schema: first.value, name: second.value, next: at + 3 }
    : { schema: undefined, name: first.value, next: at + 1 };
}

function isName({ kind }: PlacedToken): boolean {
  return kind === "word" || kind === "name";
}

/** The names of a list that begins at this place: `a, b.c`. */
export function namesAt(tokens: readonly PlacedToken[], at: number): readonly WrittenName[] {
  const names: WrittenName[] = [];
  for (let name = nameAt(tokens, at); name !== undefined; ) {
    names.push(name);
    const comma = tokens[name.next];
    name =
      comma?.kind === "sign" && comma.value === "," ? nameAt(tokens, name.next + 1) : undefined;
  }
  return names;
}

/** The name again as SQL, quoted, and with a schema only where one was written: the search path decides as it would have. */
export function asWritten({ schema, name }: Omit<WrittenName, "next">): string {
  return schema === undefined ? ident(name) : qualified(schema, name);
}
