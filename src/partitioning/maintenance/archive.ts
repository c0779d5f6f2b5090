import { execFile } from "node:child_process";
import { mkdir, open, rename } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { UnderpinError } from "../../errors.ts";
import type { Queryable } from "../../executor/executor.ts";
import type { RelationName } from "../../plan/step.ts";
import type { Handler, HandlerContext } from "../../run/options.ts";
import { showAllRows } from "../../run/row-security.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";

/** Where the rows of a partition go before it is dropped. */
export type Archive =
  /** One CSV file for each, in a directory of this host: `\copy` reads it. */
  | { readonly kind: "copy"; readonly directory: string }
  /** One file for each, in the custom format of `pg_dump`, which has to be as new as the server. */
  | {
      readonly kind: "pg_dump";
      readonly directory: string;
      /** How `pg_dump` reaches the database. It is in no plan and no journal. */
      readonly url: string;
      /** @default "pg_dump" of the PATH */
      readonly binary?: string;
    }
  /** A function of the host, handed over as `handlers`; its argument is `{ schema, table }`. */
  | { readonly kind: "handler"; readonly name: string; readonly version: number }
  /** Nowhere: they are dropped. */
  | { readonly kind: "none" };

/** Which handler a kind of archive is, by name and version. */
export function archiveCall(archive: Exclude<Archive, { readonly kind: "none" }>): {
  readonly handler: string;
  readonly version: number;
} {
  return archive.kind === "handler"
    ? { handler: archive.name, version: archive.version }
    : { handler: `underpin-archive-${archive.kind}`, version: 1 };
}

/** The handlers that an archive brings with it. */
export function archiveHandlers(archive: Archive | undefined): Readonly<Record<string, Handler>> {
  if (archive === undefined || archive.kind === "handler" || archive.kind === "none") return {};
  const run: Handler["run"] = (argument, context) => {
    const { schema, table } = argument as { readonly schema: string; readonly table: string };
    const relation = { schema, name: table };
    return archive.kind === "copy"
      ? copyOut(archive.directory, relation, context)
      : dumpOut(archive, relation, context);
  };
  return { [archiveCall(archive).handler]: { version: 1, run } };
}

/** The file of a table, without its ending: any name is one. */
function fileOf(directory: string, { schema, name }: RelationName): string {
  return join(directory, `${encodeURIComponent(schema)}.${encodeURIComponent(name)}`);
}

/** Rows in one FETCH. */
const PAGE = 2_000;

/**
 * Writes a table as CSV under a name that appears when it is whole.
 *
 * Row security that hid rows would make an empty archive of a table that is about to be dropped: such a login is refused.
 */
async function copyOut(
  directory: string,
  relation: RelationName,
  { executor }: HandlerContext,
): Promise<void> {
  await mkdir(directory, { recursive: true });
  const path = `${fileOf(directory, relation)}.csv`;
  const file = await open(`${path}.part`, "w");
  try {
    await executor.transaction(async (tx) => {
      await tx.query(OUTPUT_SETTINGS);
      await showAllRows(tx, [{ ...relation, access: "read" }], `archive/${relation.name}`);
      const columns = await columnsOf(tx, relation);
      await file.write(`${columns.map(csv).join(",")}\n`);
      await tx.query(`DECLARE underpin_archive NO SCROLL CURSOR FOR SELECT ${lineSql(columns)} AS line
        FROM ${qualified(relation.schema, relation.name)}`);
      for (;;) {
        const rows = await tx.query<{ line: string }>(`FETCH ${PAGE} FROM underpin_archive`);
        if (rows.length === 0) break;
        await file.write(`${rows.map(({ line }) => line).join("\n")}\n`);
      }
    });
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.part`, path);
}

// Each at the value of a database dump: the file means the same wherever it is read.
const OUTPUT_SETTINGS = `SELECT pg_catalog.set_config('row_security', 'off', true), pg_catalog.set_config('DateStyle', 'ISO, YMD', true),
  pg_catalog.set_config('TimeZone', 'UTC', true), pg_catalog.set_config('IntervalStyle', 'postgres', true),
  pg_catalog.set_config('extra_float_digits', '1', true), pg_catalog.set_config('bytea_output', 'hex', true)`;

async function columnsOf(
  db: Queryable,
  { schema, name }: RelationName,
): Promise<readonly string[]> {
  const rows = await db.query<{ name: string }>(
    `SELECT a.attname AS name FROM pg_catalog.pg_attribute AS a
     WHERE a.attrelid = ${literal(qualified(schema, name))}::regclass AND a.attnum > 0
       AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum`,
  );
  return rows.map((row) => row.name);
}

/** NULL is nothing between two commas, and an empty text is two quotes. */
function lineSql(columns: readonly string[]): string {
  const quote = literal('"');
  const doubled = literal('""');
  const each = columns.map(
    (column) =>
      `coalesce(${quote} || pg_catalog.replace(${ident(column)}::text, ${quote}, ${doubled}) || ${quote}, '')`,
  );
  return each.join(" || ',' || ");
}

function csv(text: string): string {
  return ident(text);
}

/** Each table by its own name: a pg_dump of 15 knows no table with its children. */
async function dumpOut(
  { directory, url, binary = "pg_dump" }: Extract<Archive, { readonly kind: "pg_dump" }>,
  relation: RelationName,
  { executor }: HandlerContext,
): Promise<void> {
  await mkdir(directory, { recursive: true });
  const path = `${fileOf(directory, relation)}.dump`;
  const table = qualified(relation.schema, relation.name);
  const members = await executor.query<{ schema: string; name: string }>(
    `WITH RECURSIVE member (oid) AS (
       SELECT ${literal(table)}::regclass::oid
       UNION ALL SELECT i.inhrelid FROM member AS m JOIN pg_catalog.pg_inherits AS i ON i.inhparent = m.oid)
     SELECT n.nspname AS schema, c.relname AS name
     FROM member AS m JOIN pg_catalog.pg_class AS c ON c.oid = m.oid JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace`,
  );
  try {
    await promisify(execFile)(binary, [
      "--format=custom",
      `--file=${path}.part`,
      ...members.map(({ schema, name }) => `--table=${qualified(schema, name)}`),
      `--dbname=${url}`,
    ]);
  } catch (cause) {
    const { stderr = "" } = cause as { readonly stderr?: string };
    throw new UnderpinError({
      code: "invalidInput",
      message: `pg_dump did not archive ${table}: ${stderr.trim() === "" ? "it could not be started" : stderr.trim()}`,
      hint: 'Nothing was dropped. Name a pg_dump of the server\'s version or newer: archive: { kind: "pg_dump", binary: "/usr/lib/postgresql/18/bin/pg_dump", … }.',
    });
  }
  await rename(`${path}.part`, path);
}
