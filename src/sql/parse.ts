import type { Node, parsePlPgSQLSync, parseSync, scanSync } from "libpg-query";
import { toError, UnderpinError } from "../errors.ts";
import { expectedAt } from "./parse-expected.ts";
import { byteIndex, characterIndex } from "./parse-place.ts";

/** One statement of a script, parsed by PostgreSQL's own grammar. */
export interface SqlStatement {
  /** As it stands, without what follows its last word. Locations of `node` are about it. */
  readonly text: string;
  /** Where it begins in the script. */
  readonly start: number;
  readonly node: Node;
  /** The name of the node: `AlterTableStmt`. */
  readonly kind: string;
  /** The index in `text` of a location of `node`. */
  readonly at: (location: number) => number;
  /** Its words, without comments. */
  readonly tokens: () => readonly SqlToken[];
}

/** One word of a statement, or one sign. */
export interface SqlToken {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** What is no SQL, and where. */
export interface SqlProblem {
  readonly kind: "syntax" | "psqlCommand";
  readonly start: number;
  readonly message: string;
  /** What could stand there, as far as it was found by trying. */
  readonly expected: readonly string[];
}

/** A comment, from its sign to its end. */
export interface SqlComment {
  readonly text: string;
  readonly start: number;
}

/** A script: its statements in order, and what could not be read. */
export interface SqlScript {
  readonly statements: readonly SqlStatement[];
  readonly problems: readonly SqlProblem[];
  readonly comments: readonly SqlComment[];
}

interface Parser {
  readonly parseSync: typeof parseSync;
  readonly scanSync: typeof scanSync;
  readonly parsePlPgSQLSync: typeof parsePlPgSQLSync;
}

let loaded: Promise<Parser> | undefined;

/**
 * PostgreSQL's parser (the grammar of 18, which reads what 15 reads), loaded at its first use: 1.7 MB of WebAssembly that no
 * host pays for by an import.
 */
export function loadParser(): Promise<Parser> {
  loaded ??= import("libpg-query").then(
    async (parser) => {
      await parser.loadModule();
      return parser;
    },
    (cause: unknown) => {
      loaded = undefined;
      throw new UnderpinError({
        code: "invalidInput",
        message: `the SQL parser cannot be loaded: ${toError(cause).message}`,
        hint: "It comes with underpin as libpg-query: install the dependencies again (npm install).",
        cause,
      });
    },
  );
  return loaded;
}

/**
 * Parses a script of any number of statements.
 *
 * What is no SQL is a problem with its place, and the statements around it are read all the same. A byte order mark, CRLF and
 * drizzle's `--> statement-breakpoint` are understood; the last also ends a statement that has no semicolon.
 */
export async function parseScript(text: string): Promise<SqlScript> {
  const parser = await loadParser();
  if (text.includes("\0"))
    return {
      statements: [],
      comments: [],
      problems: [
        {
          kind: "syntax",
          start: text.indexOf("\0"),
          message: "a NUL character, as UTF-16 has between letters: nothing after it would be read",
          expected: ["a file in UTF-8"],
        },
      ],
    };
  const bare = text.replace(/^\uFEFF/, " ");
  const statements: SqlStatement[] = [];
  const problems: SqlProblem[] = [];
  const comments: SqlComment[] = [];
  let start = 0;
  for (const piece of bare.split(/(-->[ \t]*statement-breakpoint)/)) {
    if (!/^-->[ \t]*statement-breakpoint$/.test(piece))
      readPiece(parser, piece, start, statements, problems);
    start += piece.length;
  }
  if (/--|\/\*/.test(bare)) comments.push(...commentsOf(parser, bare));
  return { statements, problems, comments };
}

/** Reads a piece, and after what is no SQL the rest of it. */
function readPiece(
  parser: Parser,
  piece: string,
  start: number,
  statements: SqlStatement[],
  problems: SqlProblem[],
): void {
  let rest = piece;
  let from = start;
  for (;;) {
    const fault = tryRead(parser, rest, from, statements);
    if (fault === undefined) return;
    const isCommand = rest[fault.index] === "\\";
    const [begin, end] = isCommand
      ? [fault.index, endOfLine(rest, fault.index)]
      : boundsAround(parser, rest, fault.index);
    problems.push(
      isCommand
        ? {
            kind: "psqlCommand",
            start: from + fault.index,
            message: `${rest.slice(begin, end).trim()} is a command of psql, no SQL`,
            expected: [],
          }
        : {
            kind: "syntax",
            start: from + fault.index,
            message: fault.message,
            expected: expectedAt(
              rest.slice(begin, end),
              fault.index - begin,
              (text) => firstFault(parser, text)?.index,
            ),
          },
    );
    // Before the fault all was understood, unless a body of several statements was cut in two.
    tryRead(parser, rest.slice(0, begin), from, statements);
    rest = rest.slice(end);
    from += end;
  }
}

interface Fault {
  readonly index: number;
  readonly message: string;
}

function firstFault(parser: Parser, text: string): Fault | undefined {
  if (text.trim() === "") return undefined;
  try {
    parser.parseSync(text);
    return undefined;
  } catch (error) {
    const { message, sqlDetails } = error as Error & {
      sqlDetails?: { readonly cursorPosition?: number };
    };
    const position = sqlDetails?.cursorPosition;
    // Nested too deeply the parser has no stack left: that has no place.
    if (position === undefined || position < 0)
      return { index: text.search(/\S/), message: `cannot be parsed: ${message}` };
    return { index: Math.min(characterIndex(text, position), text.length), message };
  }
}

function tryRead(
  parser: Parser,
  text: string,
  start: number,
  into: SqlStatement[],
): Fault | undefined {
  const fault = firstFault(parser, text);
  if (fault !== undefined || text.trim() === "") return fault;
  const index = byteIndex(text);
  const result = parser.parseSync(text) as {
    readonly stmts?: readonly { readonly stmt_location?: number; readonly stmt_len?: number }[];
  };
  for (const { stmt_location: from = 0, stmt_len: length } of result.stmts ?? []) {
    const begin = index(from);
    const whole = text.slice(begin, length === undefined ? undefined : index(from + length));
    into.push(statementOf(parser, whole, start + begin));
  }
  return undefined;
}

function statementOf(parser: Parser, whole: string, start: number): SqlStatement {
  const words = /--|\/\*/.test(whole) ? tokensOf(parser, whole) : undefined;
  const first = words?.[0]?.start ?? whole.search(/\S/);
  const text = whole.slice(first, words?.[words.length - 1]?.end).trimEnd();
  const parsed = parser.parseSync(text) as { readonly stmts?: readonly { readonly stmt?: Node }[] };
  const node = parsed.stmts?.[0]?.stmt ?? ({} as Node);
  return {
    text,
    start: start + first,
    node,
    kind: Object.keys(node)[0] ?? "",
    at: byteIndex(text),
    tokens: () => tokensOf(parser, text),
  };
}

const COMMENTS = new Set(["SQL_COMMENT", "C_COMMENT"]);

function tokensOf(parser: Parser, text: string): readonly SqlToken[] {
  const index = byteIndex(text);
  return parser
    .scanSync(text)
    .tokens.filter(({ tokenName }) => !COMMENTS.has(tokenName))
    .map(({ start, end }) => {
      const [from, to] = [index(start), index(end)];
      return { text: text.slice(from, to), start: from, end: to };
    });
}

function commentsOf(parser: Parser, text: string): readonly SqlComment[] {
  try {
    const index = byteIndex(text);
    return parser
      .scanSync(text)
      .tokens.filter(({ tokenName }) => COMMENTS.has(tokenName))
      .map(({ start, end }) => ({
        text: text.slice(index(start), index(end)),
        start: index(start),
      }));
  } catch {
    // A string without its end: the problem says so, and comments up to it are whole lines.
    return [...text.matchAll(/^[ \t]*(--.*)$/gm)].map(
      ({ 0: line, 1: comment = "", index: at }) => ({
        text: comment,
        start: at + line.length - comment.length,
      }),
    );
  }
}

/** From the semicolon before a place to the one after it. */
function boundsAround(parser: Parser, text: string, index: number): readonly [number, number] {
  const semicolons = (part: string): readonly number[] => {
    try {
      return tokensOf(parser, part).flatMap((token) => (token.text === ";" ? [token.start] : []));
    } catch {
      return [];
    }
  };
  const all = semicolons(text);
  const known = all.length > 0 ? all : semicolons(text.slice(0, index));
  const before = known.findLast((at) => at < index);
  const after = known.find((at) => at >= index);
  return [before === undefined ? 0 : before + 1, after === undefined ? text.length : after + 1];
}

function endOfLine(text: string, index: number): number {
  const end = text.slice(index).search(/[\r\n]/);
  return end === -1 ? text.length : index + end;
}
