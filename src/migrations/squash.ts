import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UnderpinError } from "../errors.ts";
import { migrate } from "./migrate.ts";
import { findVersion } from "./runner/compare-ledger.ts";
import type { Allowance } from "./runner/folder-finding.ts";
import type { Migration, MigrationFolder } from "./runner/migration.ts";
import { proveSquash } from "./runner/prove-squash.ts";
import { readSoundFolder } from "./runner/read-folder.ts";
import { readText } from "./runner/read-text.ts";
import { resolveMigration } from "./runner/resolve-migration.ts";
import { squashedText, type SquashedText } from "./runner/squashed-text.ts";

/** Which migrations to put into one. */
export interface SquashOptions {
  readonly folder: string;
  /** The last one that goes in: its version, or the beginning of one only. */
  readonly through: string;
  /** What the one migration is to be, where it is not all their statements: a dump of the schema, say. */
  readonly sql?: string;
  readonly allow?: readonly Allowance[];
}

/** What became of the files. */
export interface SquashReport {
  /** The one migration that is there now. */
  readonly version: string;
  readonly squashed: readonly string[];
  /** Files that are gone, and those that were written, below the folder. */
  readonly removed: readonly string[];
  readonly written: readonly string[];
}

/**
 * Replaces the first migrations of a folder by one, once an embedded PostgreSQL has shown that it makes the same catalog and as
 * many rows in each table. Databases that have all of them take it for applied; those that have a part refuse until the rest is.
 *
 * The old files are deleted: version control has them.
 *
 * @example
 * const folder = process.env.MIGRATIONS ?? "./migrations";
 * const { version } = await squash({ folder, through: "040" });
 */
export async function squash({
  folder: path,
  through,
  sql,
  allow,
}: SquashOptions): Promise<SquashReport> {
  const folder = readSoundFolder(path, allow);
  const versions = folder.migrations.map(({ version }) => version);
  const last = versions.indexOf(findVersion(versions, through));
  const parts = folder.migrations.slice(0, last + 1);
  const [first] = parts;
  const end = parts.at(-1);
  if (first === undefined || end === undefined || parts.length < 2)
    throw new UnderpinError({
      code: "invalidInput",
      message: `through ${through} there is only one migration: nothing to squash`,
      hint: `Name a later one: ${versions.slice(1).join(", ")}`,
    });
  const made = squashedText(await Promise.all(parts.map(resolveMigration)), folder.layout);
  const text = sql === undefined ? made : { ...made, up: withHead(made.up, sql) };
  const files = filesOf(folder, end, text);
  await prove(folder, end.version, files);
  return write(folder, parts, files);
}

function withHead(up: string, sql: string): string {
  return `${up.slice(0, up.indexOf("\n\n"))}\n\n${sql.trim()}\n`;
}

/** The files of the squash, by their paths below the folder. */
interface SquashFiles {
  readonly version: string;
  readonly written: Readonly<Record<string, string>>;
}

function filesOf(
  { folder, layout }: MigrationFolder,
  { version: last }: Migration,
  { up, down }: SquashedText,
): SquashFiles {
  const number = /^\d+/.exec(last)?.[0] ?? "0";
  const version = `${number}_squash`;
  switch (layout) {
    case "numbered":
      return { version, written: { [`${version}.sql`]: up, [`${version}.down.sql`]: down } };
    case "drizzle-1": {
      const snapshot = readText(`${folder}/${last}/snapshot.json`, `${last}/snapshot.json`);
      return {
        version,
        written: {
          [`${version}/migration.sql`]: up,
          [`${version}/down.sql`]: down,
          [`${version}/snapshot.json`]: asFirst(snapshot),
        },
      };
    }
    case "drizzle": {
      const name = `meta/${number}_snapshot.json`;
      const journal = JSON.parse(
        readText(`${folder}/meta/_journal.json`, "meta/_journal.json"),
      ) as { entries: readonly { tag: string }[] };
      const at = journal.entries.findIndex(({ tag }) => tag === last);
      const entries = journal.entries
        .slice(at)
        .map((entry) => (entry.tag === last ? { ...entry, tag: version } : entry));
      return {
        version,
        written: {
          [`${version}.sql`]: up,
          [`${version}.down.sql`]: down,
          [name]: asFirst(readText(`${folder}/${name}`, name)),
          "meta/_journal.json": JSON.stringify({ ...journal, entries }, null, 2),
        },
      };
    }
  }
}

/** What drizzle-kit says of the first snapshot of a history. */
const NO_SNAPSHOT = "00000000-0000-0000-0000-000000000000";

/** A snapshot that begins the history: what comes after it still follows it by its id. */
function asFirst(text: string): string {
  const snapshot = JSON.parse(text) as Record<string, unknown>;
  const previous = "prevIds" in snapshot ? { prevIds: [NO_SNAPSHOT] } : { prevId: NO_SNAPSHOT };
  return JSON.stringify({ ...snapshot, ...previous }, null, 2);
}

/** The squash alone, in a folder of its own, against the migrations up to the last of them. */
async function prove(
  { folder, layout }: MigrationFolder,
  last: string,
  { version, written }: SquashFiles,
): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), "underpin-squash-"));
  try {
    const only = Object.entries(written).filter(([path]) => !path.startsWith("meta/"));
    for (const [path, text] of only) writeBelow(scratch, path, text);
    if (layout === "drizzle")
      writeBelow(
        scratch,
        "meta/_journal.json",
        JSON.stringify({ entries: [{ idx: 0, when: 0, tag: version }] }),
      );
    const allow = ["gap", "out-of-order"] as const;
    await proveSquash(
      async (db) => mustApply(await migrate(db, { folder, to: last, allow })),
      async (db) => mustApply(await migrate(db, { folder: scratch })),
    );
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function mustApply({ outcome, failure }: Awaited<ReturnType<typeof migrate>>): void {
  if (outcome === "applied") return;
  throw new UnderpinError({
    code: "checkFailed",
    message: `an empty embedded PostgreSQL does not take it: ${failure?.version ?? ""}: ${failure?.message ?? outcome}`,
    hint: "Nothing was written. What only a server has (an extension, a role) cannot be proven here.",
  });
}

/** Writes the new files first and takes the old ones away after: stopped in between, nothing is lost. */
function write(
  { folder, layout }: MigrationFolder,
  parts: readonly Migration[],
  { version, written }: SquashFiles,
): SquashReport {
  const removed = parts
    .flatMap((part) => oldFilesOf(folder, layout, part))
    .filter((path) => !(path in written));
  for (const [path, text] of Object.entries(written)) writeBelow(folder, path, text);
  for (const path of removed) rmSync(join(folder, path), { recursive: true, force: true });
  return {
    version,
    squashed: parts.map((part) => part.version),
    removed,
    written: Object.keys(written),
  };
}

function oldFilesOf(
  folder: string,
  layout: MigrationFolder["layout"],
  { version, path, downPath, planPath }: Migration,
): readonly string[] {
  if (layout === "drizzle-1") return [version];
  const number = /^\d+/.exec(version)?.[0] ?? "";
  const files = [path, downPath, planPath]
    .filter((one) => one !== undefined)
    .map((one) => one.slice(folder.length + 1));
  return layout === "drizzle" ? [...files, `meta/${number}_snapshot.json`] : files;
}

function writeBelow(folder: string, path: string, text: string): void {
  const target = join(folder, path);
  mkdirSync(join(target, ".."), { recursive: true });
  // A reader sees the old file or the new one, never a half.
  writeFileSync(`${target}.new`, text);
  renameSync(`${target}.new`, target);
}
