import type { Finding } from "../../catalog/finding.ts";
import { folderError } from "./folder-finding.ts";
import { migrationOf } from "./migration-of.ts";
import type { FolderEntries, MigrationFolder } from "./migration.ts";
import { readDirectory } from "./read-text.ts";

/** `NNN_name.sql`, `.ts` and other modules. */
const MIGRATION = /^(\d+)[_.-].*\.(?:sql|ts|mts|cts|js|mjs|cjs)$/;

/** What lies beside a migration. */
const BESIDE = /\.(?:down\.sql|plan\.json|d\.[cm]?ts)$/;

/** As long as a date: numbers that are moments have gaps by nature. */
const DATE_DIGITS = 8;

interface Numbered {
  readonly name: string;
  readonly number: bigint;
  readonly digits: number;
}

/** Reads a folder of numbered files. */
export function readNumberedFolder({ folder, shown, entries }: FolderEntries): MigrationFolder {
  const findings: Finding[] = [];
  const files = entries
    .filter((name) => MIGRATION.test(name) && !BESIDE.test(name))
    .map(numberedOf)
    .sort((a, b) =>
      a.number < b.number ? -1 : a.number > b.number ? 1 : a.name < b.name ? -1 : 1,
    );
  findings.push(...twiceAndGaps(shown, files));
  for (const name of entries)
    if (name.endsWith(".sql") && !MIGRATION.test(name))
      findings.push(
        folderError(
          "file-unnumbered",
          `${shown}/${name}`,
          `${shown}/${name} has no number, so that nobody can say when it is to be run`,
          "Begin its name with one, as 004_name.sql, or move it out of the folder",
        ),
      );
  const inRollback = entries.includes("rollback/")
    ? readDirectory(`${folder}/rollback`, `${shown}/rollback`).filter((name) =>
        name.endsWith(".sql"),
      )
    : [];
  const rollbacks = inRollback.filter((name) => /^\d+[_.-]/.test(name)).map(numberedOf);
  for (const name of inRollback)
    if (!/^\d+[_.-]/.test(name))
      findings.push(
        folderError(
          "rollback-orphan",
          `${shown}/rollback/${name}`,
          `${shown}/rollback/${name} has no number, so that nobody can say what it takes back`,
          "Begin its name with the number of its migration, as 004_rollback_name.sql",
        ),
      );
  for (const { name, number } of rollbacks)
    if (!files.some((file) => file.number === number))
      findings.push(
        folderError(
          "rollback-orphan",
          `${shown}/rollback/${name}`,
          `${shown}/rollback/${name} takes back a migration that is not there`,
          "Give it the number of the migration that it is for, or delete it",
        ),
      );
  const migrations = files.map(({ name, number }) => {
    const version = name.replace(/\.[cm]?[jt]s$|\.sql$/, "");
    const own = rollbacks.filter((rollback) => rollback.number === number);
    const beside = entries.includes(`${version}.down.sql`) ? [`${version}.down.sql`] : [];
    const downs = [...beside, ...own.map((rollback) => `rollback/${rollback.name}`)];
    if (downs.length > 1)
      findings.push(
        folderError(
          "rollback-twice",
          `${shown}/${name}`,
          `${shown}/${name} would be taken back by ${downs.join(" and by ")}`,
          "Leave one of them",
        ),
      );
    const planFile = entries.includes(`${version}.plan.json`) ? `${version}.plan.json` : undefined;
    return migrationOf({ version, folder, shown, file: name, down: downs[0], planFile });
  });
  return { folder, layout: "numbered", migrations, findings };
}

function numberedOf(name: string): Numbered {
  const digits = /^\d+/.exec(name)?.[0] ?? "0";
  return { name, number: BigInt(digits), digits: digits.length };
}

/** Two branches that each took the next number, and numbers that somebody left behind. */
function twiceAndGaps(shown: string, files: readonly Numbered[]): readonly Finding[] {
  return files.flatMap((file, at): readonly Finding[] => {
    const before = files[at - 1];
    if (before === undefined) return [];
    if (before.number === file.number)
      return [
        folderError(
          "number-twice",
          `${shown}/${file.name}`,
          `${shown}/${before.name} and ${shown}/${file.name} have the same number: two branches took it`,
          "Give the one that is not applied anywhere the next free number",
        ),
      ];
    if (before.digits >= DATE_DIGITS || file.digits >= DATE_DIGITS) return [];
    const missing = file.number - before.number - 1n;
    if (missing === 0n) return [];
    const first = String(before.number + 1n).padStart(file.digits, "0");
    return [
      folderError(
        "number-gap",
        `${shown}/${file.name}`,
        `between ${shown}/${before.name} and ${shown}/${file.name} number ${first} is missing${missing > 1n ? `, and ${missing - 1n} more` : ""}`,
        "Bring the file back from version control; what comes after it may build on it",
      ),
    ];
  });
}
