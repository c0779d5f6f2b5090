import type { Finding, Findings } from "../../catalog/finding.ts";
import { UnderpinError } from "../../errors.ts";
import { folderError, folderWarning } from "./folder-finding.ts";
import type { LedgerRow, LedgerState } from "./ledger.ts";
import type { Migration, MigrationFolder } from "./migration.ts";
import { textDifference } from "./text-difference.ts";

/** What is applied, what is not, and where the two sides contradict each other. */
export interface Comparison {
  /** In the order of the folder. */
  readonly pending: readonly Migration[];
  /** Squashes whose parts are all applied: they count as applied, and are only to be written down. */
  readonly squashed: readonly Migration[];
  readonly findings: Findings;
}

/**
 * Compares a folder with the ledger. What is pending is the difference of two sets: a high-water mark would leave out for good what
 * a branch brought in late.
 */
export function compareLedger({ migrations }: MigrationFolder, { rows }: LedgerState): Comparison {
  const applied = new Map(rows.map((row) => [row.version, row]));
  const partsOf = (migration: Migration) =>
    migration.squashes.filter(({ version }) => applied.has(version)).length;
  const unapplied = migrations.filter(({ version }) => !applied.has(version));
  const isSquashed = (migration: Migration) =>
    migration.squashes.length > 0 && partsOf(migration) === migration.squashes.length;
  const squashed = unapplied.filter(isSquashed);
  const pending = unapplied.filter((migration) => !isSquashed(migration));
  const known = new Set(
    migrations.flatMap(({ version, squashes }) => [version, ...squashes.map((s) => s.version)]),
  );
  const newest = migrations.findLast(
    (migration) => applied.has(migration.version) || squashed.includes(migration),
  );
  const newestAt = newest === undefined ? -1 : migrations.indexOf(newest);
  return {
    pending,
    squashed,
    findings: [
      ...migrations.flatMap((migration) => {
        const row = applied.get(migration.version);
        return row === undefined ? [] : changed(migration, row);
      }),
      ...rows
        .filter(({ version, partOf }) => partOf === null && !known.has(version))
        .map(({ version }) => missing(version, pending.length > 0)),
      ...pending.filter((migration) => partsOf(migration) > 0).map((m) => halfSquashed(m, applied)),
      ...pending
        .filter((migration) => migrations.indexOf(migration) < newestAt && partsOf(migration) === 0)
        .map((migration) => outOfOrder(migration, newest?.version ?? "")),
    ],
  };
}

function changed({ version, file, checksum, text }: Migration, row: LedgerRow): readonly Finding[] {
  if (row.checksum === checksum) return [];
  const difference =
    row.migrationSql === null ? "" : `:\n${textDifference(row.migrationSql, text)}\n`;
  return [
    folderError(
      "applied-changed",
      version,
      `${file} was edited after it was applied here on ${row.appliedAt}${difference}`,
      `Put the file back and write the change as a new migration; or, where the database has the change already: underpin repair`,
    ),
  ];
}

function missing(version: string, stops: boolean): Finding {
  const message = `${version} is applied here and is not in the folder`;
  return stops
    ? folderError(
        "applied-missing",
        version,
        message,
        "A newer version of the application may have been here: bring the file back before anything else is applied",
      )
    : folderWarning(
        "applied-missing",
        version,
        message,
        "A newer version of the application may have been here; it can be taken back all the same, by the SQL in the ledger",
      );
}

function outOfOrder({ version, file }: Migration, newest: string): Finding {
  return folderError(
    "out-of-order",
    version,
    `${file} was never applied here, and ${newest}, which comes after it, was: a branch brought it in late`,
    "If the two have nothing to do with each other, allow it; else give it a number after the others",
  );
}

function halfSquashed(
  { file, squashes }: Migration,
  applied: ReadonlyMap<string, unknown>,
): Finding {
  const left = squashes
    .filter(({ version }) => !applied.has(version))
    .map(({ version }) => version);
  return folderError(
    "squash-half-applied",
    file,
    `${file} is a squash, and here only a part of what it was made of is applied; left: ${left.join(", ")}`,
    "Apply those first, with the folder as it was before the squash",
  );
}

/** The migrations up to and including the one that `to` names: its version, or the beginning of one only. */
export function upTo(
  migrations: readonly Migration[],
  to: string | undefined,
): readonly Migration[] {
  if (to === undefined) return migrations;
  const found = findVersion(
    migrations.map(({ version }) => version),
    to,
  );
  return migrations.slice(0, migrations.findIndex(({ version }) => version === found) + 1);
}

/** The one version that a word names. */
export function findVersion(versions: readonly string[], word: string): string {
  if (versions.includes(word)) return word;
  const found = versions.filter((version) => word !== "" && version.startsWith(word));
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  throw new UnderpinError({
    code: "invalidInput",
    message:
      found.length > 1
        ? `${JSON.stringify(word)} may mean ${found.join(", ")}`
        : `there is no migration ${JSON.stringify(word)}`,
    hint:
      versions.length === 0
        ? "There are none at all."
        : `Name one of them: ${versions.slice(-10).join(", ")}`,
  });
}
