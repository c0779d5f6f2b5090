import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Canonical } from "../../catalog/canonical.ts";
import { toError, UnderpinError } from "../../errors.ts";
import type { RelationName } from "../../plan/step.ts";

/** What a backup is: written beside it, last, so that a backup without one is none. */
export interface BackupManifest {
  readonly format: 1;
  readonly archive: BackupArchive;
  /** When its snapshot was taken, by the server's clock, in ISO 8601. */
  readonly takenAt: string;
  readonly server: {
    /** `server_version_num`: 180004 for 18.4. */
    readonly version: number;
    readonly database: string;
    /** Of the cluster: another one never has the same. Null where the login may not ask. */
    readonly systemIdentifier: string | null;
    /** Where the log was at the snapshot. */
    readonly lsn: string | null;
  };
  /** What wrote it, as it says itself. */
  readonly tool: string;
  readonly schemaOnly: boolean;
  readonly part: BackupPart;
  readonly files: readonly BackupFile[];
  /** Rows by table, of the very snapshot that was dumped; null where they were not counted. */
  readonly rows: Readonly<Record<string, number>> | null;
  /** Roles that own something or hold a privilege in it: they are the cluster's, and not in the backup. */
  readonly roles: readonly string[];
  /** The catalog of the snapshot. */
  readonly catalog: Canonical;
}

/** In which form a backup is kept. */
export type BackupArchive = "custom" | "directory" | "pglite";

/** Which part of a database is in a backup; null where all is. */
export interface BackupPart {
  readonly tables: readonly RelationName[] | null;
  readonly schemas: readonly string[] | null;
}

/** Whether a table is in a part. */
export function isIn({ tables, schemas }: BackupPart, { schema, name }: RelationName): boolean {
  return (
    (tables === null || tables.some((each) => each.schema === schema && each.name === name)) &&
    (schemas === null || schemas.includes(schema))
  );
}

/** One file of a backup. */
export interface BackupFile {
  /** Below the directory of the backup; empty for a backup that is one file. */
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** Where the manifest of a backup is. */
export function manifestPath(backup: string): string {
  return `${backup}.manifest.json`;
}

/** Reads and checks a manifest. */
export async function readManifest(backup: string): Promise<BackupManifest> {
  const path = manifestPath(backup);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new UnderpinError({
      code: "invalidInput",
      message: `${backup} has no manifest: ${path} cannot be read`,
      hint: "A backup that did not come to its end has none. Make one: underpin backup make FILE",
      cause,
    });
  }
  try {
    const manifest = JSON.parse(text) as BackupManifest;
    if ((manifest.format as unknown) === 1 && Array.isArray(manifest.files)) return manifest;
    throw new Error(`its format is ${JSON.stringify(manifest.format)}`);
  } catch (cause) {
    throw new UnderpinError({
      code: "invalidInput",
      message: `${path} is no manifest of a backup: ${toError(cause).message}`,
      hint: "Make the backup anew: underpin backup make FILE",
      cause,
    });
  }
}

/** Writes it under another name first: half of one is never found. */
export async function writeManifest(backup: string, manifest: BackupManifest): Promise<void> {
  const path = manifestPath(backup);
  await writeFile(`${path}.part`, `${JSON.stringify(manifest, null, 2)}\n`, { mode: 0o600 });
  await rename(`${path}.part`, path);
}

/** The files of a backup as they are now. */
export async function readFiles(backup: string): Promise<readonly BackupFile[]> {
  if (!(await stat(backup)).isDirectory()) return [await readOne(backup, "")];
  const names = (await readdir(backup)).sort();
  const files: BackupFile[] = [];
  for (const name of names) files.push(await readOne(join(backup, name), name));
  return files;
}

async function readOne(path: string, name: string): Promise<BackupFile> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return { name, bytes: (await stat(path)).size, sha256: hash.digest("hex") };
}
