import { relative } from "node:path";
import { readDirectory } from "./read-text.ts";
import { readDrizzleFolder } from "./layout-drizzle.ts";
import { readDrizzleOneFolder } from "./layout-drizzle-1.ts";
import { readNumberedFolder } from "./layout-numbered.ts";
import { refuseFindings, stopping, type Allowance } from "./folder-finding.ts";
import type { FolderEntries, MigrationFolder } from "./migration.ts";

/**
 * Reads a folder of migrations, whichever of the three layouts it has, with all that is wrong with it.
 *
 * @example
 * const { layout, migrations, findings } = readFolder(process.env.MIGRATIONS ?? "./drizzle");
 */
export function readFolder(folder: string): MigrationFolder {
  const shown = shownPath(folder);
  const entries = readDirectory(folder, shown).filter(
    (name) => !name.startsWith(".") && name !== "underpin/",
  );
  const at: FolderEntries = { folder, shown, entries };
  if (
    entries.includes("meta/") &&
    readDirectory(`${folder}/meta`, `${shown}/meta`).includes("_journal.json")
  )
    return readDrizzleFolder(at);
  const own = entries.filter(
    (name) =>
      name.endsWith("/") &&
      name !== "rollback/" &&
      readDirectory(`${folder}/${name}`, `${shown}/${name}`).includes("migration.sql"),
  );
  return own.length > 0 ? readDrizzleOneFolder(at, own) : readNumberedFolder(at);
}

/** The same, refused where something is wrong with it. */
export function readSoundFolder(folder: string, allow?: readonly Allowance[]): MigrationFolder {
  const read = readFolder(folder);
  refuseFindings(stopping(read.findings, allow), "migrationFolder");
  return read;
}

function shownPath(folder: string): string {
  const near = relative(process.cwd(), folder);
  return near === "" ? "." : near.startsWith("..") ? folder : near;
}
