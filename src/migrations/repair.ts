import type { Findings } from "../catalog/finding.ts";
import type { DatabaseLike } from "../executor/connect.ts";
import { ident, literal } from "../sql/quote.ts";
import { compareLedger, findVersion } from "./runner/compare-ledger.ts";
import {
  backNameOf,
  deleteSql,
  insertSql,
  ledgerRowOf,
  readLedger,
  runNameOf,
  type LedgerPlace,
  type LedgerRow,
  type LedgerState,
  type MigrationRun,
} from "./runner/ledger.ts";
import type { Migration, MigrationFolder } from "./runner/migration.ts";
import { readFolder } from "./runner/read-folder.ts";
import { resolveMigration } from "./runner/resolve-migration.ts";
import { asOnlyRunner, openRunner, type RunnerOptions } from "./runner/runner-context.ts";
import { unrunRows } from "./runner/write-down.ts";

/** What to mend. What is certain is mended in any case. */
export interface RepairOptions extends RunnerOptions {
  readonly folder: string;
  /** Migrations that were applied by hand: written down, not run. */
  readonly applied?: readonly string[];
  /** Migrations that were taken back by hand: their rows are taken away, nothing else. */
  readonly unapplied?: readonly string[];
}

/** One thing that was mended. */
export interface Repaired {
  readonly version: string;
  /** What was done, in words. */
  readonly what: string;
}

/** What became of a repair. */
export interface RepairReport {
  readonly outcome: "repaired" | "busy";
  readonly repaired: readonly Repaired[];
  /** What only a person can decide. */
  readonly findings: Findings;
  readonly next: string;
}

/**
 * Mends the ledger, and runs no SQL of any migration: the checksum of a file that was edited, a way back that was corrected, a row
 * that is gone though its run is applied, a try that came to nothing, and what `applied` and `unapplied` say was done by hand.
 *
 * @example
 * const db = drizzle(new Pool({ connectionString: process.env.DATABASE_URL }));
 * await repair(db, { folder: "./migrations", applied: ["004"] });
 */
export async function repair(db: DatabaseLike, options: RepairOptions): Promise<RepairReport> {
  const { folder: path, applied = [], unapplied = [], ...runnerOptions } = options;
  const folder = readFolder(path);
  const context = await openRunner(db, runnerOptions);
  const { executor, place } = context;
  return asOnlyRunner<RepairReport>(
    context,
    () => Promise.resolve(undefined),
    () =>
      Promise.resolve({
        outcome: "busy",
        repaired: [],
        findings: [],
        next: "Another process migrates: try again later.",
      }),
    async () => {
      const state = await readLedger(executor, place);
      const work = await workOf({ folder, state, place, applied, unapplied });
      if (work.length > 0)
        await executor.transaction(async (tx) => {
          for (const { sql } of work) await tx.query(sql);
        });
      const after = compareLedger(folder, await readLedger(executor, place));
      const findings = [...folder.findings, ...after.findings];
      return {
        outcome: "repaired",
        repaired: work.map(({ version, what }) => ({ version, what })),
        findings,
        next:
          findings.length === 0
            ? "See where it is with status(db, { folder })."
            : "What is left only a person can decide: see the findings.",
      };
    },
  );
}

interface Scope {
  readonly folder: MigrationFolder;
  readonly state: LedgerState;
  readonly place: LedgerPlace;
  readonly applied: readonly string[];
  readonly unapplied: readonly string[];
}

type Work = Repaired & { readonly sql: string };

async function workOf(scope: Scope): Promise<readonly Work[]> {
  const { folder, state, place } = scope;
  const versions = folder.migrations.map(({ version }) => version);
  const rows = new Map(state.rows.map((row) => [row.version, row]));
  const applied = new Set(scope.applied.map((word) => findVersion(versions, word)));
  const begun = versions.filter((version) => state.runs.has(runNameOf(version, place.tenant)));
  const known = [...new Set([...rows.keys(), ...begun])];
  const unapplied = new Set(scope.unapplied.map((word) => findVersion(known, word)));
  const work: Work[] = [];
  for (const version of unapplied)
    work.push({
      version,
      what: "taken out of the ledger: it was taken back by hand",
      sql: `${deleteSql(place, version)}; ${forgetSql(place, runNameOf(version, place.tenant))}`,
    });
  for (const migration of folder.migrations) {
    const { version } = migration;
    if (unapplied.has(version)) continue;
    const row = rows.get(version);
    const run = state.runs.get(runNameOf(version, place.tenant));
    if (row !== undefined) work.push(...(await refreshed(migration, row, place)));
    else if (applied.has(version)) work.push(await writtenDown(migration, place));
    else if (run?.state === "applied") work.push(await broughtBack(migration, place));
    else if (run !== undefined) work.push(...forgotten(version, run, place));
    const back = state.runs.get(backNameOf(version, place.tenant));
    if (back !== undefined && back.state !== "applied")
      work.push(...forgotten(version, back, place));
  }
  return work;
}

/** The row of a file that is not as it was: its checksum, its text, and what takes it back. */
async function refreshed(
  migration: Migration,
  row: LedgerRow,
  place: LedgerPlace,
): Promise<readonly Work[]> {
  const [fresh] = await unrunRows([migration], "repaired");
  if (fresh === undefined) return [];
  const edited = fresh.checksum !== row.checksum;
  // The undo of a stored plan is what was applied: no file changes it.
  const back = row.back === "plan" ? row : fresh;
  const corrected =
    row.back !== "plan" &&
    (fresh.rollbackSql !== row.rollbackSql ||
      fresh.irreversible !== row.irreversible ||
      fresh.back !== row.back);
  if (!edited && !corrected) return [];
  const text = (value: string | null) => (value === null ? "NULL" : literal(value));
  return [
    {
      version: migration.version,
      what: [
        ...(edited ? ["its checksum is that of the file as it is now"] : []),
        ...(corrected ? ["its way back is that of the files as they are now"] : []),
      ].join(", "),
      sql: `UPDATE ${ident(place.runSchema)}.schema_migrations
SET checksum = ${literal(fresh.checksum)}, migration_sql = ${text(fresh.migrationSql)},
  rollback_sql = ${text(back.rollbackSql)}, irreversible = ${text(back.irreversible)}, back = ${literal(back.back)}
WHERE tenant = ${literal(place.tenant)} AND version = ${literal(migration.version)}`,
    },
  ];
}

async function writtenDown(migration: Migration, place: LedgerPlace): Promise<Work> {
  const rows = await unrunRows([migration], "repaired");
  return {
    version: migration.version,
    what: "written into the ledger: it was applied by hand",
    sql: `${insertSql(place, rows)}; ${forgetSql(place, runNameOf(migration.version, place.tenant))}`,
  };
}

/** Its run is applied, with its plan: the row is what it was. */
async function broughtBack(migration: Migration, place: LedgerPlace): Promise<Work> {
  const { down } = await resolveMigration(migration);
  return {
    version: migration.version,
    what: "written into the ledger again: its run says that it is applied",
    sql: insertSql(place, [ledgerRowOf(migration, down, "repaired")]),
  };
}

function forgotten(version: string, run: MigrationRun, place: LedgerPlace): readonly Work[] {
  if (run.stepsApplied + run.stepsClaimed > 0) return [];
  return [
    {
      version,
      what: `a try that came to nothing is forgotten (${run.name})`,
      sql: forgetSql(place, run.name),
    },
  ];
}

/** A run whose effect is accounted for otherwise: its name is free again. */
function forgetSql({ runSchema }: LedgerPlace, name: string): string {
  return `UPDATE ${ident(runSchema)}.runs SET state = 'undone', changed_at = pg_catalog.clock_timestamp()
WHERE name = ${literal(name)} AND state <> 'undone'`;
}
