import type { PlacedToken } from "../../executor/pglite-scan.ts";
import type { Step, Undo } from "../../plan/step.ts";
import { outsideSteps, runsOutside } from "./outside-step.ts";
import { refusedStatement } from "./refused-statement.ts";
import { localSettings } from "./local-settings.ts";
import { splitStatements, type FileStatement } from "./split-statements.ts";
import { locksOfStatement } from "./statement-locks.ts";
import { isAt, past, wordsOf } from "./statement-names.ts";

/** How a file becomes steps. */
export interface SqlStepsOptions {
  /** Its name, for messages. */
  readonly file: string;
  /** Where a name without a schema is looked for. */
  readonly defaultSchema: string;
  /** How each step is taken back. */
  readonly undo: Undo;
}

/** What a file says of itself in its leading comments, one `-- underpin: …` a line. */
export function directivesOf(text: string): readonly string[] {
  const directives: string[] = [];
  for (const line of text.split("\n")) {
    const directive = /^\s*--\s*underpin:\s*(.+?)\s*$/.exec(line);
    if (directive?.[1] !== undefined) directives.push(directive[1]);
    else if (!/^\s*(--.*)?$/.test(line)) break;
  }
  return directives;
}

/** The statements of a file without the BEGIN and COMMIT around them: where transactions end, the run says. */
export function statementsOf(text: string, file: string): readonly FileStatement[] {
  const all = splitStatements(text, file);
  const isControl = (statement: FileStatement | undefined) =>
    statement !== undefined && transactionWord(statement.tokens) !== undefined;
  const first = all[0];
  const wrapped =
    all.length >= 2 &&
    ["begin", "start"].includes(transactionWord(first?.tokens ?? []) ?? "") &&
    ["commit", "end"].includes(transactionWord(all.at(-1)?.tokens ?? []) ?? "");
  const inner = wrapped ? all.slice(1, -1) : all;
  for (const statement of inner) {
    const place = { file, line: statement.line };
    if (isControl(statement))
      throw refusedStatement(
        place,
        `${statement.sql.slice(0, 40)} would end the transaction of the migration`,
        "Take it out: a migration is one transaction by itself, and what cannot be in one (CREATE INDEX CONCURRENTLY) is run outside. One BEGIN at the head with one COMMIT at the end is fine.",
      );
    refuseOthers(statement, place);
  }
  return inner;
}

function refuseOthers({ tokens }: FileStatement, place: { file: string; line: number }): void {
  const words = wordsOf(tokens);
  if (words[0] === "copy" && isAt(words, words.indexOf("from"), "from", "stdin"))
    throw refusedStatement(
      place,
      "COPY … FROM stdin needs a client that sends the rows",
      "Write INSERT statements (pg_dump --inserts), or load the rows from a call step.",
    );
  const at = words[0] === "insert" ? 2 : words[0] === "delete" ? 2 : words[0] === "update" ? 1 : -1;
  const table = tokens[at + 1]?.value === "." ? tokens[at + 2] : tokens[at];
  if (at > 0 && table?.value === "schema_migrations")
    throw refusedStatement(
      place,
      "it writes into schema_migrations itself",
      "Take the statement out: the ledger's row is written, and taken away, with the migration in one transaction.",
    );
}

/** BEGIN, COMMIT and what else begins or ends a transaction. */
function transactionWord(tokens: readonly PlacedToken[]): string | undefined {
  const words = wordsOf(tokens);
  const [first = "", second = ""] = words;
  if (first === "prepare") return second === "transaction" ? first : undefined;
  if (first === "rollback")
    return words[past(words, past(words, 1, "work"), "transaction")] === "to" ? undefined : first;
  if (first === "start") return second === "transaction" ? first : undefined;
  return ["begin", "commit", "end", "abort"].includes(first) ? first : undefined;
}

/** The statements of a file as the steps of a plan, each with what its text tells of its locks. */
export function sqlSteps(text: string, options: SqlStepsOptions): readonly Step[] {
  const { file, defaultSchema, undo } = options;
  const alone = directivesOf(text).includes("no-transaction");
  const statements = statementsOf(text, file);
  const created = new Set<string>();
  return statements.flatMap((statement, at): readonly Step[] => {
    const id = String(at + 1);
    const title = titleOf(statement.sql);
    if (alone || runsOutside(statement.tokens))
      return outsideSteps(statement, { id, title, undo, defaultSchema, file });
    const found = locksOfStatement(statement.tokens, defaultSchema);
    // What the migration itself makes, nobody else sees before it is committed.
    const locks = found.locks.filter(({ schema, name }) => !created.has(`${schema}\0${name}`));
    if (found.created !== undefined)
      created.add(`${found.created.schema ?? defaultSchema}\0${found.created.name}`);
    return [
      {
        kind: "sql",
        id,
        title,
        sql: localSettings(statement),
        locks,
        ...(found.creates > 0 ? { creates: found.creates } : {}),
        ...(found.rows.length > 0 ? { rows: found.rows } : {}),
        transaction: needsCommit(statement, statements.slice(at + 1)) ? "commitAfter" : "inside",
        undo,
      },
    ];
  });
}

/** A new value of an enum cannot be used before it is committed (55P04). */
function needsCommit({ tokens }: FileStatement, later: readonly FileStatement[]): boolean {
  const words = wordsOf(tokens);
  const value = words.indexOf("value");
  if (!isAt(words, 0, "alter", "type") || value < 1 || words[value - 1] !== "add") return false;
  const label = tokens[past(words, value + 1, "if", "not", "exists")]?.value ?? "";
  return later.some(({ sql }) => sql.includes(label));
}

const LONGEST_TITLE = 100;

/** The head of a statement on one line. */
function titleOf(sql: string): string {
  const line = sql.replaceAll(/\s+/g, " ");
  return line.length > LONGEST_TITLE ? `${line.slice(0, LONGEST_TITLE)}…` : line;
}
