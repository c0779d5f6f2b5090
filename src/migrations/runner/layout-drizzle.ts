import { toError, UnderpinError } from "../../errors.ts";
import type { Finding } from "../../catalog/finding.ts";
import { folderError, folderWarning } from "./folder-finding.ts";
import { migrationOf } from "./migration-of.ts";
import type { FolderEntries, MigrationFolder } from "./migration.ts";
import { readDirectory, readText } from "./read-text.ts";
import { readSnapshot, siblings, type Snapshot } from "./snapshots.ts";

interface JournalEntry {
  readonly idx: number;
  readonly when: number;
  readonly tag: string;
}

/** Reads a folder of drizzle-kit up to 0.31: its journal says what there is, and in which order. */
export function readDrizzleFolder({ folder, shown, entries }: FolderEntries): MigrationFolder {
  const journal = readJournal(`${folder}/meta/_journal.json`, `${shown}/meta/_journal.json`);
  const files = new Set(entries);
  const findings: Finding[] = [...journalFaults(shown, journal)];
  const listed = new Set(journal.map(({ tag }) => tag));
  for (const name of entries)
    if (name.endsWith(".sql") && !name.endsWith(".down.sql") && !listed.has(name.slice(0, -4)))
      findings.push(
        folderError(
          "journal-unlisted",
          `${shown}/${name}`,
          `${shown}/${name} is in the folder and not in meta/_journal.json: a merge lost its entry`,
          "Generate it again on top of the others (delete the file, drizzle-kit generate), or put its entry back",
        ),
      );
  const there = journal.filter(({ tag }) => {
    if (files.has(`${tag}.sql`)) return true;
    findings.push(
      folderError(
        "journal-no-file",
        `${shown}/${tag}.sql`,
        `meta/_journal.json lists ${tag}, and ${shown}/${tag}.sql is not there`,
        "Bring the file back from version control, or take its entry out of the journal if it was never applied anywhere",
      ),
    );
    return false;
  });
  findings.push(...siblings(readSnapshots(folder, shown)));
  const beside = (name: string) => (files.has(name) ? name : undefined);
  return {
    folder,
    layout: "drizzle",
    migrations: there.map(({ tag, when }) =>
      migrationOf({
        version: tag,
        folder,
        shown,
        file: `${tag}.sql`,
        down: beside(`${tag}.down.sql`),
        planFile: beside(`${tag}.plan.json`),
        when,
      }),
    ),
    findings,
  };
}

function readJournal(path: string, shown: string): readonly JournalEntry[] {
  const broken = (why: string, cause?: unknown) =>
    new UnderpinError({
      code: "migrationFolder",
      message: `${shown} is no journal of drizzle-kit: ${why}`,
      hint: "A merge may have left its marks in it: bring it back from version control, or mend it by hand.",
      cause,
    });
  const text = readText(path, shown);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw broken(toError(error).message, error);
  }
  const { entries, dialect } = (value ?? {}) as { entries?: unknown; dialect?: unknown };
  if (dialect !== undefined && dialect !== "postgresql")
    throw broken(`its dialect is ${JSON.stringify(dialect)}, and underpin is for PostgreSQL`);
  if (!Array.isArray(entries)) throw broken('it has no list of "entries"');
  return (entries as readonly unknown[]).map((entry) => {
    const { idx, when, tag } = (entry ?? {}) as Record<string, unknown>;
    if (typeof tag !== "string" || typeof idx !== "number" || typeof when !== "number")
      throw broken(`an entry has no idx, when and tag: ${JSON.stringify(entry)}`);
    if (/[\\/]|^\.\.?$/.test(tag)) throw broken(`the tag ${JSON.stringify(tag)} is no name`);
    return { idx, when, tag };
  });
}

function journalFaults(shown: string, journal: readonly JournalEntry[]): readonly Finding[] {
  const at = `${shown}/meta/_journal.json`;
  return journal.flatMap((entry, index): readonly Finding[] => {
    const found: Finding[] = [];
    const earlier = journal.slice(0, index);
    const same = earlier.find(({ idx, tag }) => idx === entry.idx || tag === entry.tag);
    const number = /^\d+/.exec(entry.tag)?.[0];
    const sameNumber = earlier.find(({ tag }) => /^\d+/.exec(tag)?.[0] === number);
    const before = journal[index - 1];
    if (same !== undefined)
      found.push(
        folderError(
          "journal-twice",
          at,
          `${at} has ${same.tag} and ${entry.tag} both as number ${entry.idx}: two branches took it`,
          "Generate the later one again on top of the other: delete its files, take its entry out, drizzle-kit generate",
        ),
      );
    else if (number !== undefined && sameNumber !== undefined)
      found.push(
        folderWarning(
          "number-twice",
          `${shown}/${entry.tag}.sql`,
          `${sameNumber.tag} and ${entry.tag} have the same number in their names; the journal's order is what counts`,
          "Generate the later one again on top of the other",
        ),
      );
    else if (before !== undefined && entry.idx > before.idx + 1)
      found.push(
        folderError(
          "number-gap",
          at,
          `${at} goes from number ${before.idx} (${before.tag}) to ${entry.idx} (${entry.tag})`,
          "Bring back the entries between them; what comes after may build on them",
        ),
      );
    if (before !== undefined && entry.when <= before.when)
      found.push(
        folderWarning(
          "journal-moment",
          at,
          `${entry.tag} is dated before ${before.tag}, which stands ahead of it: Drizzle's own migrator would leave it out for good where that one is applied`,
          'underpin migrate runs it; for drizzle-kit migrate, raise its "when" in the journal',
        ),
      );
    return found;
  });
}

function readSnapshots(folder: string, shown: string): readonly Snapshot[] {
  return readDirectory(`${folder}/meta`, `${shown}/meta`)
    .filter((name) => name.endsWith("_snapshot.json"))
    .map((name) => readSnapshot(`${folder}/meta/${name}`, `${shown}/meta/${name}`));
}
