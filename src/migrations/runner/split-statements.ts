import { UnderpinError } from "../../errors.ts";
import { cutStatements, placedTokens, type PlacedToken } from "../../executor/pglite-scan.ts";

/** One statement of a file. */
export interface FileStatement {
  /** Without what stands around it: comments before it, the semicolon after it. */
  readonly sql: string;
  readonly tokens: readonly PlacedToken[];
  /** The line of the file that it begins on, from 1. */
  readonly line: number;
}

/** What drizzle-kit writes between two statements. */
const BREAKPOINT = "--> statement-breakpoint";

/**
 * Cuts a file into its statements, as psql does: quotes, dollar quotes, nested comments, parentheses and BEGIN ATOMIC are kept
 * whole. drizzle-kit's breakpoint ends a statement too, unless it stands inside a quote.
 *
 * What only psql understands, or what never ends, is refused here: the server would tell of it in other words, if at all.
 */
export function splitStatements(text: string, file: string): readonly FileStatement[] {
  const all = [...placedTokens(text)];
  refuseUnending(text, all, file);
  const breaks = new Set<number>();
  for (const [at, token] of all.entries()) {
    const gap = text.slice(all[at - 1]?.end ?? 0, token.start);
    if (gap.includes(BREAKPOINT)) breaks.add(token.start);
  }
  return cutStatements(all, ({ start }) => breaks.has(start)).map((tokens): FileStatement => {
    const start = tokens[0]?.start ?? 0;
    const sql = text.slice(start, tokens.at(-1)?.end ?? start);
    return { sql, tokens, line: lineOf(text, start) };
  });
}

/** The number of the line that a place in a text is on, from 1. */
export function lineOf(text: string, at: number): number {
  let line = 1;
  for (let next = text.indexOf("\n"); next !== -1 && next < at; next = text.indexOf("\n", next + 1))
    line++;
  return line;
}

/** A quote that is a sign of its own found no partner; a backslash outside of quotes is psql's. */
function refuseUnending(text: string, tokens: readonly PlacedToken[], file: string): void {
  for (const [at, token] of tokens.entries()) {
    if (token.kind !== "sign") continue;
    const where = `${file}, line ${lineOf(text, token.start)}`;
    if (token.value === "'" || token.value === '"')
      throw broken(`${where}: a quote (${token.value}) is opened and never closed`, CLOSE_IT);
    const dollar = /^\$(?:[a-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$/i.exec(text.slice(token.start));
    if (token.value === "$" && dollar !== null)
      throw broken(`${where}: ${dollar[0]} is opened and never closed`, CLOSE_IT);
    if (token.value === "\\" && isLineStart(text, token.start))
      throw broken(
        `${where}: \\${tokens[at + 1]?.value ?? ""} is a command of psql, not SQL`,
        "Only psql knows it: take the line out, or write what it does as SQL.",
      );
  }
  const open = unendingComment(text, tokens);
  if (open !== undefined)
    throw broken(
      `${file}, line ${lineOf(text, open)}: a comment (/*) is opened and never closed`,
      "Close it with */: comments nest in PostgreSQL, so each /* needs its own.",
    );
}

const CLOSE_IT = "Close it: everything after it is read as text, up to the end of the file.";

function isLineStart(text: string, at: number): boolean {
  return text.slice(text.lastIndexOf("\n", at - 1) + 1, at).trim() === "";
}

/** The scanner takes a comment that never ends for one that ends with the text: only the last gap can hold it. */
function unendingComment(text: string, tokens: readonly PlacedToken[]): number | undefined {
  const from = tokens.at(-1)?.end ?? 0;
  const gap = text.slice(from).replaceAll(/--[^\n]*/g, (line) =>
    // A line comment is none inside a block comment, but then it holds no border that counts.
    line.includes("*/") ? line : " ".repeat(line.length),
  );
  let depth = 0;
  let opened = 0;
  for (const { 0: border, index } of gap.matchAll(/\/\*|\*\//g)) {
    if (border === "/*" && depth++ === 0) opened = index;
    else if (border === "*/") depth--;
  }
  return depth > 0 ? from + opened : undefined;
}

function broken(message: string, hint: string): UnderpinError {
  return new UnderpinError({ code: "migrationFolder", message, hint });
}
