import type { DatabaseLike } from "../executor/connect.ts";
import type { Findings } from "../catalog/finding.ts";
import { isUnderpinError, UnderpinError } from "../errors.ts";
import type { Lease } from "../run/lease.ts";
import { acrossConnections } from "../run/reconnect.ts";
import type { Outcome } from "../run/report.ts";
import { groupsOf, isEmptyDatabase, runAtOnce, type Group } from "./runner/at-once.ts";
import { compareLedger, upTo } from "./runner/compare-ledger.ts";
import { refuseFindings, stopping, type Allowance } from "./runner/folder-finding.ts";
import { readDrizzleApplied, type DrizzleLedger } from "./runner/import-drizzle.ts";
import {
  backNameOf,
  ledgerRowOf,
  readLedger,
  runNameOf,
  type LedgerState,
} from "./runner/ledger.ts";
import type { Migration, MigrationFolder } from "./runner/migration.ts";
import { planOfMigration } from "./runner/plan-of.ts";
import { readSoundFolder } from "./runner/read-folder.ts";
import { resolveMigration, type Resolved } from "./runner/resolve-migration.ts";
import { failureOf, nextOfMigrate, type MigrationReport } from "./runner/report.ts";
import { runMigration } from "./runner/run-migration.ts";
import { writeDown, writeSquashes } from "./runner/write-down.ts";
import {
  asOnlyRunner,
  openRunner,
  type RunnerContext,
  type RunnerOptions,
} from "./runner/runner-context.ts";

/** How to apply a folder of migrations. */
export interface MigrateOptions extends RunnerOptions {
  /** The folder: of drizzle-kit, of numbered files, or of modules. */
  readonly folder: string;
  /** The last migration to apply: its version, or the beginning of one only. @default the last one */
  readonly to?: string;
  /** What is allowed though it looks like a mistake. @default [] */
  readonly allow?: readonly Allowance[];
  /** Where Drizzle's own migrator has written what it applied; false where it is not to be looked for. */
  readonly drizzleLedger?: DrizzleLedger | false;
}

/**
 * Applies what a folder has and the ledger has not, each migration as a run of its own: with a lease, lock retries, CONCURRENTLY
 * outside of transactions, and resumed where a killed process left it. The row of the ledger is committed with the migration.
 *
 * What is applied already is compared by checksum first, and one that was edited stops everything with the difference. An empty
 * database has nobody to protect: there many migrations share a transaction, each journaled all the same.
 *
 * @example
 * import { mkdtempSync, writeFileSync } from "node:fs";
 *
 * const folder = mkdtempSync("/tmp/migrations-");
 * writeFileSync(`${folder}/001_notes.sql`, "CREATE TABLE notes (body text)");
 * const report = await migrate(db, { folder });
 * report.outcome; // "applied"
 * report.applied[0]; // "001_notes"
 */
export async function migrate(db: DatabaseLike, options: MigrateOptions): Promise<MigrationReport> {
  const { folder: path, to, allow, drizzleLedger, ...runnerOptions } = options;
  const folder = readSoundFolder(path, allow);
  const context = await openRunner(db, runnerOptions);
  const scope: Scope = { folder, to, allow, drizzleLedger };
  return asOnlyRunner(
    context,
    async () => {
      const look = await lookAt(context, scope);
      return look.pending.length + look.imported.length + look.squashed.length === 0
        ? reportOf(look, "applied", [], false)
        : undefined;
    },
    async () =>
      reportOf(
        await lookAt(context, scope),
        runnerOptions.signal?.aborted === true ? "cancelled" : "busy",
        [],
        false,
      ),
    (lease) => {
      const applied: string[] = [];
      // What a lost connection left open, the ledger answers: it is read again.
      return acrossConnections({ ...context, signal: runnerOptions.signal }, () =>
        applyPending(context, lease, scope, applied),
      );
    },
  );
}

interface Scope {
  readonly folder: MigrationFolder;
  readonly to: string | undefined;
  readonly allow: readonly Allowance[] | undefined;
  readonly drizzleLedger: DrizzleLedger | false | undefined;
}

/** The folder beside the database, as it is now. */
interface Look {
  readonly state: LedgerState;
  readonly pending: readonly Migration[];
  /** Applied by Drizzle's own migrator, and only to be written down. */
  readonly imported: readonly Migration[];
  readonly squashed: readonly Migration[];
  readonly findings: Findings;
}

async function lookAt(context: RunnerContext, scope: Scope): Promise<Look> {
  const { folder, to, allow, drizzleLedger = {} } = scope;
  const state = await readLedger(context.executor, context.place);
  const wanted = upTo(folder.migrations, to);
  let compared = compareLedger(folder, state);
  let imported: Look["imported"] = [];
  let notes: Findings = [];
  const looks = folder.layout !== "numbered" && drizzleLedger !== false;
  if (looks && compared.pending.length > 0) {
    const found = await readDrizzleApplied(
      context.executor,
      drizzleLedger,
      compared.pending,
      folder.migrations,
    );
    imported = found.migrations;
    notes = found.findings;
    const rows = imported.map((migration) => ({
      ...ledgerRowOf(migration, { kind: "none" }, "imported"),
      partOf: null,
      appliedAt: "",
      appliedBy: "",
    }));
    compared = compareLedger(folder, { ...state, rows: [...state.rows, ...rows] });
  }
  const pending = compared.pending.filter((migration) => wanted.includes(migration));
  const isAsked = ({ check, object }: Findings[number]) =>
    check !== "out-of-order" || pending.some(({ version }) => version === object);
  const findings = [...folder.findings, ...compared.findings.filter(isAsked), ...notes];
  refuseFindings(stopping(findings, allow), "migrationLedger");
  return { state, pending, imported, squashed: compared.squashed, findings };
}

/** A run that is applied and has no row, or has a row and is half taken back: somebody wrote into the ledger by hand. */
function refuseHalfDone(
  { place }: RunnerContext,
  { runs, rows }: LedgerState,
  { migrations }: MigrationFolder,
  pending: readonly Migration[],
): void {
  for (const { version } of pending)
    if (runs.get(runNameOf(version, place.tenant))?.state === "applied")
      throw new UnderpinError({
        code: "migrationLedger",
        message: `${version} was applied here, and its row in the ledger is gone`,
        hint: "Write it down again without running it: underpin repair",
      });
  for (const { version } of migrations) {
    const back = runs.get(backNameOf(version, place.tenant));
    if (back !== undefined && back.state !== "applied" && back.stepsApplied > 0)
      throw new UnderpinError({
        code: "migrationLedger",
        message: `${version} is half taken back (${back.stepsApplied} of ${back.stepsTotal} steps)`,
        hint: "Finish that first: underpin rollback; then migrate again.",
      });
    if (runs.get(runNameOf(version, place.tenant))?.state === "undoing")
      throw new UnderpinError({
        code: "migrationLedger",
        message: `${version} is half taken back`,
        hint: `Finish that first: underpin ${rows.some((row) => row.version === version) ? "rollback" : `undo ${JSON.stringify(runNameOf(version, place.tenant))}`}; then migrate again.`,
      });
  }
}

async function applyPending(
  context: RunnerContext,
  lease: Lease,
  scope: Scope,
  applied: string[],
): Promise<MigrationReport> {
  // What was read before the lease may be old, and what is half done then may be another process at work.
  const look = await lookAt(context, scope);
  refuseHalfDone(context, look.state, scope.folder, look.pending);
  const { executor, place, settings } = context;
  const resolved = await Promise.all(look.pending.map(resolveMigration));
  // All of them are read to the end before the first is run.
  for (const one of resolved) planOfMigration(one, place, context.tenant);
  await writeDown(context, look.imported, "imported");
  await writeSquashes(context, look.squashed);
  const { rows, runs } = look.state;
  const isNew = rows.length === 0 && runs.size === 0 && look.imported.length === 0;
  const fresh =
    isNew && resolved.length > 0 && (await isEmptyDatabase(executor, settings.runSchema));
  const groups: readonly Group[] = fresh
    ? groupsOf(context, resolved)
    : resolved.map((one) => ({ kind: "alone", resolved: one }));
  let ranHere = applied.length + look.imported.length + look.squashed.length > 0;
  for (const group of groups) {
    const members =
      group.kind === "alone" ? [group.resolved] : group.all.map((one) => one.resolved);
    if (context.runOptions.signal?.aborted === true)
      return reportOf(look, "cancelled", applied, ranHere);
    if (group.kind === "shared" && (await runAtOnce(context, lease, group.all))) {
      applied.push(...members.map(({ migration }) => migration.version));
      ranHere = true;
      continue;
    }
    for (const one of members) {
      const ended = await runOne(context, one, look, fresh);
      ranHere ||= ended.ranHere;
      const { version } = one.migration;
      if (ended.outcome !== "applied")
        return {
          ...reportOf(look, ended.outcome, applied, ranHere, version),
          ...(ended.outcome === "failed" ? { failure: failureOf(version, ended) } : {}),
        };
      applied.push(version);
    }
  }
  return reportOf(look, "applied", applied, ranHere);
}

async function runOne(context: RunnerContext, one: Resolved, { state }: Look, fresh: boolean) {
  const { version } = one.migration;
  try {
    return await runMigration(context, one, state, fresh);
  } catch (cause) {
    if (!isUnderpinError(cause)) throw cause;
    const { code, message, hint } = cause;
    throw new UnderpinError({ code, message: `${version}: ${message}`, hint, cause });
  }
}

function reportOf(
  { pending, findings }: Look,
  outcome: Outcome,
  applied: readonly string[],
  ranHere: boolean,
  at?: string,
): MigrationReport {
  const done = new Set(applied);
  return {
    outcome,
    ranHere,
    applied,
    takenBack: [],
    left: pending.map(({ version }) => version).filter((version) => !done.has(version)),
    findings,
    next: nextOfMigrate(outcome, at, applied.length),
  };
}
