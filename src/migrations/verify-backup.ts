import { readFile, stat } from "node:fs/promises";
import { compareCatalogs } from "../catalog/compare.ts";
import type { Finding } from "../catalog/finding.ts";
import { factsOf } from "../catalog/read-facts.ts";
import { isUnderpinError, UnderpinError } from "../errors.ts";
import type { DatabaseLike } from "../executor/connect.ts";
import type { Executor } from "../executor/executor.ts";
import { bootSandbox } from "../sandbox/boot.ts";
import { loadExtensions } from "../sandbox/load-extensions.ts";
import { ident } from "../sql/quote.ts";
import { findTool } from "./backup/client-tools.ts";
import { libpqVariables, variablesOfUrl, type LibpqVariables } from "./backup/connection-of.ts";
import { readFiles, readManifest, type BackupManifest } from "./backup/manifest.ts";
import { catalogOf, countRows } from "./backup/read-state.ts";
import { runTool } from "./backup/run-tool.ts";
import { inScratchDatabase, type ScratchDatabase } from "./backup/scratch-database.ts";

/** Where a backup is restored to. */
export interface VerifyBackupOptions {
  /** A scratch server, by a handle or URL of one of its databases: a new one is made there, and dropped. A backup of PGlite needs none. */
  readonly on?: DatabaseLike | string;
  /** Which pg_restore. @default the nearest one to the server's version that is found */
  readonly pgRestore?: string;
  /** How many tables are restored side by side. @default 2 */
  readonly jobs?: number;
  readonly signal?: AbortSignal;
}

/** What became of a backup that was restored. */
export interface BackupProof {
  readonly ok: boolean;
  readonly manifest: BackupManifest;
  /** How long the restore took: what a real one takes at least. */
  readonly restoreMs: number;
  readonly findings: readonly Finding[];
  /** What was not compared, and why. */
  readonly notLookedAt: readonly string[];
}

/**
 * Restores a backup into a scratch database, and compares its files, its rows and its catalog with what the manifest says of the original.
 *
 * A backup that nobody has restored is a hope.
 *
 * @example
 * import { verifyBackup } from "underpin/migrations";
 *
 * const { ok, findings, restoreMs } = await verifyBackup("backups/monday.dump", {
 *   on: process.env.SCRATCH_URL ?? "postgres://localhost:5432/postgres",
 * });
 */
export async function verifyBackup(
  backup: string,
  options: VerifyBackupOptions = {},
): Promise<BackupProof> {
  const manifest = await readManifest(backup);
  const damaged = await fileFindings(backup, manifest);
  if (damaged.length > 0)
    return { ok: false, manifest, restoreMs: 0, findings: damaged, notLookedAt: [NOT_RESTORED] };
  const restored =
    manifest.archive === "pglite"
      ? await restorePglite(backup, manifest)
      : await restoreServer(backup, manifest, options);
  const { findings } = restored;
  return { ok: findings.every(({ severity }) => severity !== "error"), manifest, ...restored };
}

const NOT_RESTORED = "rows and catalog: a damaged backup is not restored";

async function fileFindings(backup: string, manifest: BackupManifest): Promise<readonly Finding[]> {
  if ((await stat(backup).catch(() => undefined)) === undefined)
    return [finding("backup-file", backup, "it is not there, and its manifest is")];
  const found = new Map((await readFiles(backup)).map((file) => [file.name, file]));
  const named = manifest.files.map(({ name, sha256, bytes }): Finding | undefined => {
    const is = found.get(name);
    found.delete(name);
    const object = name === "" ? backup : `${backup}/${name}`;
    if (is === undefined) return finding("backup-file", object, "it is not there");
    if (is.sha256 === sha256) return undefined;
    return finding(
      "backup-file",
      object,
      `its content is another: ${is.bytes} bytes with sha256 ${is.sha256}, and the manifest says ${bytes} with ${sha256}`,
    );
  });
  const others = [...found.keys()].map((name) =>
    finding("backup-file", `${backup}/${name}`, "the manifest does not know it"),
  );
  return [...named.filter((each) => each !== undefined), ...others];
}

type Restored = Pick<BackupProof, "restoreMs" | "findings" | "notLookedAt">;

async function restorePglite(backup: string, manifest: BackupManifest): Promise<Restored> {
  const names = Object.keys(manifest.catalog)
    .flatMap((path) => /^extension "(.*)"$/.exec(path)?.[1] ?? [])
    .map((name) => name.replaceAll('""', '"'))
    .filter((name) => name !== "plpgsql");
  const extensions = await loadExtensions(names);
  const started = performance.now();
  await using sandbox = await bootSandbox({
    from: new Blob([new Uint8Array(await readFile(backup))]),
    extensions,
  });
  const restoreMs = Math.round(performance.now() - started);
  return { restoreMs, ...(await compared(sandbox.executor, manifest)) };
}

async function restoreServer(
  backup: string,
  manifest: BackupManifest,
  options: VerifyBackupOptions,
): Promise<Restored> {
  const server = await serverOf(options);
  const { roles, part } = manifest;
  return inScratchDatabase(server, { prefix: "underpin_verify", roles }, async (scratch) => {
    const { executor } = scratch;
    // What a dump of some tables takes for granted.
    for (const schema of new Set((part.tables ?? []).map((table) => table.schema)))
      await executor.query(`CREATE SCHEMA IF NOT EXISTS ${ident(schema)}`);
    const started = performance.now();
    const refused = await restore(backup, scratch, options);
    const restoreMs = Math.round(performance.now() - started);
    const { findings, notLookedAt } = await compared(executor, manifest);
    return { restoreMs, findings: [...refused, ...findings], notLookedAt };
  });
}

async function serverOf({ on }: VerifyBackupOptions): Promise<LibpqVariables> {
  if (typeof on === "string") return variablesOfUrl(on);
  if (on !== undefined) return libpqVariables(on, undefined);
  throw new UnderpinError({
    code: "invalidInput",
    message: "a backup of a server needs a server to be restored on",
    hint: 'Name a scratch server: verifyBackup(file, { on: "postgres://…" }), underpin backup verify FILE --on URL.',
  });
}

/** What could not be restored is a finding: the rest is compared all the same. */
async function restore(
  backup: string,
  { executor, name, variables }: ScratchDatabase,
  { pgRestore, jobs = 2, signal }: VerifyBackupOptions,
): Promise<readonly Finding[]> {
  const [row] = await executor.query<{ major: number }>(
    "SELECT pg_catalog.current_setting('server_version_num')::int / 10000 AS major",
  );
  const { path } = await findTool("pg_restore", row?.major ?? 0, { given: pgRestore });
  const args = [
    "--no-password",
    `--jobs=${Math.max(1, Math.trunc(jobs))}`,
    `--dbname=${name}`,
    backup,
  ];
  try {
    await runTool({ path, args, variables, signal });
    return [];
  } catch (error) {
    if (!isUnderpinError(error) || !/errors ignored on restore/.test(error.message)) throw error;
    return [finding("restore-failed", backup, error.message)];
  }
}

async function compared(
  db: Executor,
  { rows, part, catalog, server, schemaOnly }: BackupManifest,
): Promise<Pick<Restored, "findings" | "notLookedAt">> {
  return db.session(async (session) => {
    const facts = await factsOf(session);
    const found = rows === null ? undefined : await countRows(session, part);
    const counts = Object.entries(rows ?? {}).filter(([table, n]) => found?.[table] !== n);
    const sameMajor = facts.server.major === Math.trunc(server.version / 10_000);
    const differences = sameMajor ? compareCatalogs(catalog, catalogOf(facts, part)) : [];
    return {
      findings: [
        ...counts.map(([table, n]) =>
          finding(
            "rows-restored",
            `table ${table}`,
            `it had ${n} rows and has ${found?.[table] ?? "none: it is not there"}`,
          ),
        ),
        ...differences.map(({ path, before, after }) =>
          finding("catalog-restored", path, `was ${before}, is ${after}`),
        ),
      ],
      notLookedAt: [
        ...(rows === null
          ? [`rows: ${schemaOnly ? "the backup holds none" : "they were not counted"}`]
          : []),
        ...(sameMajor
          ? []
          : [
              `the catalog: it was printed by PostgreSQL ${Math.trunc(server.version / 10_000)}, and ${facts.server.major} prints another way`,
            ]),
        "roles and tablespaces: they are the cluster's and in no backup of a database (pg_dumpall --globals-only)",
      ],
    };
  });
}

function finding(check: string, object: string, message: string): Finding {
  return { check, severity: "error", object, message, repair: null };
}
