import type { DatabaseLike } from "../executor/connect.ts";
import { compareLedger, findVersion, upTo } from "./runner/compare-ledger.ts";
import { refuseFindings, stopping, type Allowance } from "./runner/folder-finding.ts";
import { readLedger } from "./runner/ledger.ts";
import { readSoundFolder } from "./runner/read-folder.ts";
import type { MigrationReport } from "./runner/report.ts";
import { asOnlyRunner, openRunner, type RunnerOptions } from "./runner/runner-context.ts";
import { writeDown } from "./runner/write-down.ts";

/** What a database has already. */
export interface BaselineOptions extends RunnerOptions {
  readonly folder: string;
  /** The last migration that the database has: its version, or the beginning of one only. */
  readonly version: string;
  /** Only this one, and not those before it. @default false */
  readonly only?: boolean;
  readonly allow?: readonly Allowance[];
}

/**
 * Marks the migrations up to a version as applied without running them: for a database that was there before its folder.
 *
 * Nothing proves that the database has what they say: compare it first. The next migrate begins after them; each can be taken back
 * by its down file all the same.
 *
 * @example
 * const db = drizzle(new Pool({ connectionString: process.env.DATABASE_URL }));
 * await baseline(db, { folder: "./migrations", version: "004" });
 */
export async function baseline(
  db: DatabaseLike,
  { folder: path, version: word, only = false, allow, ...runnerOptions }: BaselineOptions,
): Promise<MigrationReport> {
  const folder = readSoundFolder(path, allow);
  const version = findVersion(
    folder.migrations.map((migration) => migration.version),
    word,
  );
  const context = await openRunner(db, runnerOptions);
  const { executor, place } = context;
  const look = async () => {
    const state = await readLedger(executor, place);
    const compared = compareLedger(folder, state);
    const own = compared.findings.filter(({ check }) => check === "applied-changed");
    refuseFindings(stopping(own), "migrationLedger");
    const wanted = upTo(folder.migrations, version);
    const asked = only ? wanted.slice(-1) : wanted;
    return { compared, missing: asked.filter((migration) => compared.pending.includes(migration)) };
  };
  const report = (applied: readonly string[], outcome: "applied" | "busy"): MigrationReport => ({
    outcome,
    ranHere: applied.length > 0,
    applied,
    takenBack: [],
    left: [],
    findings: folder.findings,
    next:
      outcome === "busy"
        ? "Another process migrates: try again later."
        : `The next migrate begins after ${version}. Taken back by mistake: underpin repair --unapplied VERSION.`,
  });
  return asOnlyRunner(
    context,
    async () => ((await look()).missing.length === 0 ? report([], "applied") : undefined),
    () => Promise.resolve(report([], "busy")),
    async () => {
      const { missing } = await look();
      await writeDown(context, missing, "baseline");
      return report(
        missing.map((migration) => migration.version),
        "applied",
      );
    },
  );
}
