import type { PlacedToken } from "../../executor/pglite-scan.ts";
import type { Lock, Probe, Step, Undo } from "../../plan/step.ts";
import { literal } from "../../sql/quote.ts";
import { refusedStatement } from "./refused-statement.ts";
import type { FileStatement } from "./split-statements.ts";
import { asWritten, isAt, nameAt, past, wordsOf, type WrittenName } from "./statement-names.ts";

/** Whether PostgreSQL refuses a statement inside a transaction block (25001). */
export function runsOutside(tokens: readonly PlacedToken[]): boolean {
  const words = wordsOf(tokens);
  const [verb = "", kind = ""] = words;
  const concurrently = words.includes("concurrently");
  switch (verb) {
    case "create":
      if (["database", "tablespace", "subscription"].includes(kind)) return true;
      return concurrently && (kind === "index" || isAt(words, 1, "unique", "index"));
    case "drop":
      if (["database", "tablespace", "subscription"].includes(kind)) return true;
      return concurrently && kind === "index";
    case "alter":
      if (kind === "system") return true;
      return concurrently && kind === "table" && words.includes("detach");
    case "reindex":
      return concurrently || words.some((word) => ["database", "system", "schema"].includes(word));
    case "vacuum":
      return true;
    case "cluster":
      return tokens.length === 1 || isAt(words, 1, "verbose");
    default:
      return false;
  }
}

/** It is run again after a crash, and the server says so where that cannot be. */
const RUN_AGAIN: Probe = { sql: "SELECT 'absent' AS state" };

/** What a step outside of a transaction is made of. */
export interface OutsideOptions {
  readonly id: string;
  readonly title: string;
  readonly undo: Undo;
  readonly defaultSchema: string;
  readonly file: string;
}

/**
 * A statement that no transaction may hold, as steps, with the question to the catalog that tells what became of it when its process
 * was killed.
 */
export function outsideSteps(
  { sql, tokens, line }: FileStatement,
  { id, title, undo, defaultSchema, file }: OutsideOptions,
): readonly Step[] {
  const words = wordsOf(tokens);
  const step = (probe: Probe, locks: readonly Lock[] = []): Step => ({
    kind: "sql",
    id,
    title,
    sql,
    locks,
    transaction: "outside",
    probe,
    undo,
  });
  const lockOn = (name: WrittenName): readonly Lock[] => [
    { schema: name.schema ?? defaultSchema, name: name.name, mode: "shareUpdateExclusive" },
  ];
  if (words[0] === "create" && words.includes("index")) {
    const at = words.indexOf("concurrently") + 1;
    const maybe = isAt(words, at, "if", "not", "exists");
    const index = nameAt(tokens, maybe ? at + 3 : at);
    const on = words.indexOf("on", at);
    const table = nameAt(tokens, past(words, on + 1, "only"));
    if (index === undefined || table === undefined || words[at] === "on")
      throw refusedStatement(
        { file, line },
        "CREATE INDEX CONCURRENTLY without a name",
        "Give the index a name: after a crash the catalog is asked by it whether the index is there and whole.",
      );
    return [step(presentProbe(index, table, maybe), lockOn(table))];
  }
  if (words[0] === "drop" && words[1] === "index") {
    const at = past(words, 2, "concurrently");
    const maybe = isAt(words, at, "if", "exists");
    const index = nameAt(tokens, maybe ? at + 2 : at);
    if (index === undefined) return [step(RUN_AGAIN)];
    const there = `pg_catalog.to_regclass(${literal(asWritten(index))})`;
    // Asked once, before: after a crash the index may be gone because this statement dropped it.
    const isThere: Step = {
      kind: "check",
      id: `${id}-is-there`,
      title: `Make sure that index ${index.name} is there`,
      sql: `SELECT ${literal(index.name)} AS missing WHERE ${there} IS NULL`,
      expect: "noRows",
      transaction: "commitAfter",
      undo: { kind: "nothing" },
    };
    const gone = `SELECT CASE WHEN ${there} IS NULL THEN 'done' ELSE 'absent' END AS state`;
    return maybe ? [step(RUN_AGAIN)] : [isThere, step({ sql: gone })];
  }
  if (words[0] === "alter" && words[1] === "table") {
    const table = nameAt(tokens, past(words, past(words, 2, "if", "exists"), "only"));
    const part = nameAt(tokens, past(words, words.indexOf("detach") + 1, "partition"));
    if (table !== undefined && part !== undefined)
      return [step(detachedProbe(table, part), lockOn(table))];
  }
  return [step(RUN_AGAIN)];
}

/**
 * An index that IF NOT EXISTS finds whole is accepted as the statement itself would; one that is INVALID is what an earlier try
 * left, and IF NOT EXISTS would accept that too.
 */
function presentProbe(index: WrittenName, table: WrittenName, maybe: boolean): Probe {
  const own = { schema: index.schema ?? table.schema, name: index.name };
  return {
    sql: `SELECT CASE WHEN i.indexrelid IS NULL THEN 'absent'
  WHEN i.indisvalid AND i.indisready AND i.indislive THEN ${maybe ? "'absent'" : "'done'"} ELSE 'broken' END AS state
FROM (VALUES (1)) AS one (row)
LEFT JOIN (pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid)
  ON c.relname = ${literal(index.name)} AND i.indrelid = pg_catalog.to_regclass(${literal(asWritten(table))})`,
    repair: { sql: `DROP INDEX CONCURRENTLY IF EXISTS ${asWritten(own)}`, then: "retry" },
  };
}

/** A detach that was cut off is pending, and only FINALIZE ends it. */
function detachedProbe(table: WrittenName, part: WrittenName): Probe {
  return {
    sql: `SELECT CASE WHEN i.inhrelid IS NULL THEN 'done' WHEN i.inhdetachpending THEN 'broken' ELSE 'absent' END AS state
FROM (VALUES (1)) AS one (row)
LEFT JOIN pg_catalog.pg_inherits i
  ON i.inhrelid = pg_catalog.to_regclass(${literal(asWritten(part))})
  AND i.inhparent = pg_catalog.to_regclass(${literal(asWritten(table))})`,
    repair: {
      sql: `ALTER TABLE ${asWritten(table)} DETACH PARTITION ${asWritten(part)} FINALIZE`,
      then: "done",
    },
  };
}
