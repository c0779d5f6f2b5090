import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { toError, UnderpinError } from "../../errors.ts";
import type { Snapshot } from "../../install/snapshot.ts";

/** One migration as drizzle-kit's journal has it. */
export interface JournalEntry {
  readonly idx: number;
  readonly when: number;
  readonly tag: string;
}

interface Journal {
  readonly entries: readonly JournalEntry[];
}

/** The folder of migrations as it was before a command, so that a failed one leaves nothing. */
export interface FolderBefore {
  readonly journal: string | undefined;
  readonly entries: readonly JournalEntry[];
}

const journalPath = (folder: string) => join(folder, "meta", "_journal.json");

/** What the journal of a folder says; nothing where there is no folder yet. */
export function readFolderBefore(folder: string): FolderBefore {
  const path = journalPath(folder);
  if (!existsSync(path)) return { journal: undefined, entries: [] };
  const journal = readFileSync(path, "utf8");
  return { journal, entries: entriesOf(path, journal) };
}

function entriesOf(path: string, text: string): readonly JournalEntry[] {
  try {
    const { entries } = JSON.parse(text) as Partial<Journal>;
    if (entries !== undefined && Array.isArray(entries)) return entries as Journal["entries"];
  } catch (error) {
    throw broken(path, toError(error).message, error);
  }
  throw broken(path, "it has no list of entries");
}

function broken(path: string, why: string, cause?: unknown): UnderpinError {
  return new UnderpinError({
    code: "invalidInput",
    message: `${path} is no journal of drizzle-kit: ${why}`,
    hint: "A merge may have left its marks in it: bring it back from version control.",
    cause,
  });
}

/** The text of a migration as drizzle-kit wrote it, without its marks between statements. */
export function readMigration(folder: string, tag: string): string {
  return readFileSync(join(folder, `${tag}.sql`), "utf8");
}

const snapshotPath = (folder: string, tag: string) => join(folder, "underpin", `${tag}.json`);

/** The snapshot that was written with a migration. */
export function readSnapshot(folder: string, tag: string): Snapshot {
  const path = snapshotPath(folder, tag);
  if (!existsSync(path))
    throw new UnderpinError({
      code: "invalidInput",
      message: `the migration ${tag} has no snapshot ${path}: it was not written by underpin generate`,
      hint: "The objects that are there are not known. Begin a folder with underpin generate, and take the database over with underpin baseline.",
    });
  return JSON.parse(readFileSync(path, "utf8")) as Snapshot;
}

/** The files of one migration beside drizzle-kit's own. */
export interface MigrationFiles {
  readonly tag: string;
  readonly sql: string;
  readonly down: string;
  readonly plan: string;
  readonly snapshot: Snapshot;
}

/** Writes a migration over the one that drizzle-kit wrote. Returns the names of the files. */
export function writeMigration(
  folder: string,
  { tag, sql, down, plan, snapshot }: MigrationFiles,
): readonly string[] {
  mkdirSync(join(folder, "underpin"), { recursive: true });
  const files: readonly (readonly [name: string, text: string])[] = [
    [`${tag}.sql`, sql],
    [`${tag}.down.sql`, down],
    [`${tag}.plan.json`, plan],
    [join("underpin", `${tag}.json`), `${JSON.stringify(snapshot)}\n`],
  ];
  for (const [name, text] of files) writeFileSync(join(folder, name), text);
  return files.map(([name]) => name);
}

/** Takes back what a command that failed had written: the journal, and the files of what is new in it. */
export function restoreFolder(folder: string, before: FolderBefore): void {
  const path = journalPath(folder);
  if (!existsSync(path)) return;
  const known = new Set(before.entries.map(({ tag }) => tag));
  for (const { tag } of readFolderBefore(folder).entries) {
    if (known.has(tag)) continue;
    const [number = tag] = tag.split("_");
    for (const name of [
      `${tag}.sql`,
      `${tag}.down.sql`,
      `${tag}.plan.json`,
      join("meta", `${number}_snapshot.json`),
      join("underpin", `${tag}.json`),
    ])
      rmSync(join(folder, name), { force: true });
  }
  if (before.journal === undefined) rmSync(path, { force: true });
  else writeFileSync(path, before.journal);
}
