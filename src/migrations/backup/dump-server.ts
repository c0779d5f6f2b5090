import { createWriteStream } from "node:fs";
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { pipeline } from "node:stream/promises";
import { sqlStateOf, toError, UnderpinError } from "../../errors.ts";
import type { Executor, Queryable } from "../../executor/executor.ts";
import { ident, qualified } from "../../sql/quote.ts";
import { findTool } from "./client-tools.ts";
import type { LibpqVariables } from "./connection-of.ts";
import {
  isIn,
  readFiles,
  writeManifest,
  type BackupManifest,
  type BackupPart,
} from "./manifest.ts";
import type { BackupOptions } from "./options.ts";
import { readState } from "./read-state.ts";
import { runTool } from "./run-tool.ts";

/** How long pg_dump waits for its locks: behind a migration that holds ACCESS EXCLUSIVE it would wait for ever, and others behind it. */
const LOCK_WAIT_MS = 10_000;

/** Dumps a server by pg_dump, of one snapshot with the rows that are counted and the catalog that is read. */
export async function dumpServer(
  executor: Executor,
  variables: LibpqVariables,
  options: BackupOptions,
): Promise<BackupManifest> {
  const { to, archive = "custom", schemaOnly = false } = options;
  const { tables = null, schemas = null } = options;
  if (archive === "pglite")
    throw new UnderpinError({
      code: "invalidInput",
      message: "a server has no dump of its data directory by this way",
      hint: 'Take archive: "custom" or "directory".',
    });
  const [server] = await executor.query<{ major: number }>(
    "SELECT pg_catalog.current_setting('server_version_num')::int / 10000 AS major",
  );
  const tool = await findTool("pg_dump", server?.major ?? 0, { given: options.pgDump });
  await refuseExisting(to);
  await mkdir(dirname(to), { recursive: true });
  const part = `${to}.part`;
  await rm(part, { recursive: true, force: true });
  try {
    const state = await inSnapshot(executor, async (db, snapshot) => {
      if (!schemaOnly) await refuseHiddenRows(db, { tables, schemas });
      const dumped = runTool({
        path: tool.path,
        variables,
        signal: options.signal,
        args: [
          `--format=${archive}`,
          `--snapshot=${snapshot}`,
          `--lock-wait-timeout=${options.lockWaitMs ?? LOCK_WAIT_MS}`,
          "--no-password",
          "--strict-names",
          ...(schemaOnly ? ["--schema-only"] : []),
          ...(options.compress === undefined ? [] : [`--compress=${options.compress}`]),
          // Patterns of psql: in quotes nothing in a name means anything.
          ...(tables ?? []).map(({ schema, name }) => `--table=${qualified(schema, name)}`),
          ...(schemas ?? []).map((schema) => `--schema=${ident(schema)}`),
          ...(archive === "directory"
            ? [`--file=${part}`, `--jobs=${Math.max(1, Math.trunc(options.jobs ?? 2))}`]
            : []),
        ],
        ...(archive === "custom"
          ? { output: (stdout) => pipeline(stdout, createWriteStream(part, { mode: 0o600 })) }
          : {}),
      });
      const read = readState(db, {
        part: { tables, schemas },
        count: !schemaOnly && options.count !== false,
      });
      const [dumpEnd, readEnd] = await Promise.allSettled([dumped, read]);
      // A reading that fails takes the snapshot with it: a pg_dump that comes later says only that there is none.
      const isSecond =
        dumpEnd.status === "rejected" && /snapshot/.test(toError(dumpEnd.reason).message);
      if (dumpEnd.status === "rejected" && !(isSecond && readEnd.status === "rejected"))
        throw dumpEnd.reason;
      if (readEnd.status === "rejected") throw readingFailed(readEnd.reason);
      return readEnd.value;
    });
    const files = await readFiles(part);
    if (archive === "custom") await flush(part);
    await rename(part, to);
    const manifest: BackupManifest = {
      format: 1,
      archive,
      ...state,
      tool: tool.version,
      schemaOnly,
      part: { tables, schemas },
      files,
    };
    await writeManifest(to, manifest);
    return manifest;
  } catch (error) {
    await rm(part, { recursive: true, force: true });
    throw error;
  }
}

function readingFailed(cause: unknown): unknown {
  if (sqlStateOf(cause) !== "42501") return cause;
  return new UnderpinError({
    code: "missingRight",
    message: `the login may not read all that is backed up: ${toError(cause).message}`,
    hint: "Dump as the owner of all tables, or GRANT pg_read_all_data TO the login (rows under row security need BYPASSRLS too).",
    cause,
  });
}

async function flush(file: string): Promise<void> {
  const handle = await open(file, "r+");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Runs work within a snapshot that others may take too. */
function inSnapshot<T>(
  executor: Executor,
  work: (db: Queryable, snapshot: string) => Promise<T>,
): Promise<T> {
  return executor.session(async (session) => {
    await session.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    try {
      // Rows that a policy hides are an error and no smaller count; and a dump takes as long as it takes.
      await session.query(
        `SELECT pg_catalog.set_config(s.name, CASE s.name WHEN 'row_security' THEN 'off' ELSE '0' END, true)
         FROM pg_catalog.pg_settings AS s
         WHERE s.name IN ('row_security', 'statement_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout')`,
      );
      const [row] = await session.query<{ snapshot: string }>(
        "SELECT pg_catalog.pg_export_snapshot() AS snapshot",
      );
      return await work(session, row?.snapshot ?? "");
    } finally {
      await session.query("ROLLBACK").catch(() => undefined);
    }
  });
}

async function refuseHiddenRows(db: Queryable, part: BackupPart): Promise<void> {
  const found = await db.query<{ schema: string; name: string; who: string }>(
    `SELECT n.nspname::text AS schema, c.relname::text AS name, current_user::text AS who
     FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p') AND c.relrowsecurity AND pg_catalog.row_security_active(c.oid)
     ORDER BY n.nspname, c.relname`,
  );
  const hidden = found.filter((table) => isIn(part, table));
  if (hidden.length === 0) return;
  const names = hidden.map(({ schema, name }) => qualified(schema, name));
  throw new UnderpinError({
    code: "rowSecurity",
    message: `row security would hide rows of ${names.slice(0, 5).join(", ")}${names.length > 5 ? ` and ${names.length - 5} more` : ""} from ${hidden[0]?.who}`,
    hint: "Under FORCE ROW LEVEL SECURITY the owner is held too. Dump as a role with BYPASSRLS or as a superuser; never with --enable-row-security, which leaves rows out without a word.",
  });
}

async function refuseExisting(to: string): Promise<void> {
  const found = await stat(to).catch(() => undefined);
  if (found === undefined) return;
  throw new UnderpinError({
    code: "invalidInput",
    message: `${to} is there already`,
    hint: "A backup is never written over another one: name a new file.",
  });
}
