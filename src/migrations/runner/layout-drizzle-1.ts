import { existsSync } from "node:fs";
import type { Finding } from "../../catalog/finding.ts";
import { folderError } from "./folder-finding.ts";
import { migrationOf } from "./migration-of.ts";
import type { FolderEntries, MigrationFolder } from "./migration.ts";
import { readSnapshot, siblings } from "./snapshots.ts";

/** Reads a folder of drizzle-kit 1.0: a directory for each migration, in the order of their names. */
export function readDrizzleOneFolder(
  { folder, shown, entries }: FolderEntries,
  own: readonly string[],
): MigrationFolder {
  const names = own.map((name) => name.slice(0, -1));
  const is = (path: string) => existsSync(`${folder}/${path}`);
  const findings: Finding[] = [];
  for (const name of entries) {
    const isOther = name.endsWith("/")
      ? /^\d/.test(name) && !own.includes(name)
      : name.endsWith(".sql");
    if (isOther)
      findings.push(
        folderError(
          "folder-mixed",
          `${shown}/${name}`,
          `${shown}/${name} is in a folder of drizzle-kit 1.0 and has no migration.sql of its own`,
          "Bring its migration.sql back from version control, or move it out of the folder",
        ),
      );
  }
  const snapshots = names
    .map((name) => `${name}/snapshot.json`)
    .filter(is)
    .map((path) => readSnapshot(`${folder}/${path}`, `${shown}/${path}`));
  findings.push(...siblings(snapshots));
  return {
    folder,
    layout: "drizzle-1",
    migrations: names.map((version) =>
      migrationOf({
        version,
        folder,
        shown,
        file: `${version}/migration.sql`,
        down: is(`${version}/down.sql`) ? `${version}/down.sql` : undefined,
        planFile: is(`${version}/plan.json`) ? `${version}/plan.json` : undefined,
      }),
    ),
    findings,
  };
}
