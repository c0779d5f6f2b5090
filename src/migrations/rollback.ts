import { existsSync } from "node:fs";
import { UnderpinError } from "../errors.ts";
import type { DatabaseLike } from "../executor/connect.ts";
import { apply } from "../run/apply.ts";
import { readLiveRun } from "../run/journal.ts";
import type { Outcome, Report } from "../run/report.ts";
import { undo } from "../run/undo.ts";
import { findVersion } from "./runner/compare-ledger.ts";
import { downHandler } from "./runner/function-handler.ts";
import {
  readLedger,
  RUN_PREFIX,
  runNameOf,
  versionOf,
  type LedgerRow,
  type LedgerState,
} from "./runner/ledger.ts";
import {
  FUNCTION_HANDLER,
  isOfMigration,
  planOfDownFunction,
  planOfRollback,
} from "./runner/plan-of.ts";
import { readFolder } from "./runner/read-folder.ts";
import { resolveMigration } from "./runner/resolve-migration.ts";
import { failureOf, nextOfRollback, type MigrationReport } from "./runner/report.ts";
import { clearEarlier, withHandlers } from "./runner/run-migration.ts";
import {
  asOnlyRunner,
  openRunner,
  type RunnerContext,
  type RunnerOptions,
} from "./runner/runner-context.ts";

/** How far to go back. Without `steps` and `to` it is one migration. */
export interface RollbackOptions extends RunnerOptions {
  /** The folder: needed only where `down` is a function of a module. What is text is in the ledger. */
  readonly folder?: string;
  /** How many migrations to take back, the last applied first. @default 1 */
  readonly steps?: number;
  /** Take back what was applied after this one: its version, or the beginning of one only; `"0"` takes back all. */
  readonly to?: string;
}

/**
 * Takes applied migrations back, the last applied first, each by what was stored when it was applied: its file may be gone.
 *
 * What cannot be taken back refuses before anything is touched. Each is a run of its own, and its row of the ledger goes in the
 * transaction of its way back, so that a way back that fails has taken nothing.
 *
 * @example
 * const db = drizzle(new Pool({ connectionString: process.env.DATABASE_URL }));
 * const { outcome, takenBack } = await rollback(db, { folder: "./drizzle", steps: 1 });
 */
export async function rollback(
  db: DatabaseLike,
  options: RollbackOptions = {},
): Promise<MigrationReport> {
  const { folder, steps, to, ...runnerOptions } = options;
  refuseSteps(steps, to);
  const context = await openRunner(db, runnerOptions);
  const wanted = async () => {
    const state = await readLedger(context.executor, context.place);
    const half = halfDone(state, context.place.tenant);
    return { state, rows: rowsToTake([...state.rows, ...half], steps, to) };
  };
  return asOnlyRunner(
    context,
    async () => {
      const { state, rows } = await wanted();
      for (const row of rows) await refuseIrreversible(context, state, row);
      return rows.length === 0 ? reportOf([], [], "undone", false) : undefined;
    },
    async () =>
      reportOf(
        (await wanted()).rows,
        [],
        runnerOptions.signal?.aborted === true ? "cancelled" : "busy",
        false,
      ),
    async () => {
      const { state, rows } = await wanted();
      return takeBack(context, state, rows, folder);
    },
  );
}

/**
 * Migrations that are applied, or taken back, in part and have no row: they go before all others, since a person who rolls back
 * after a failure means what failed.
 */
function halfDone({ rows, runs }: LedgerState, tenant: string): readonly LedgerRow[] {
  const known = new Set(rows.map(({ version }) => runNameOf(version, tenant)));
  return [...runs.values()]
    .filter(
      ({ name, state, stepsApplied, stepsClaimed }) =>
        name.startsWith(RUN_PREFIX) &&
        !known.has(name) &&
        state !== "applied" &&
        (state === "undoing" || stepsApplied + stepsClaimed > 0),
    )
    .map(({ name }) => ({
      version: versionOf(name, tenant),
      appliedAt: "",
      appliedBy: "",
      checksum: "",
      rollbackSql: null,
      irreversible: null,
      migrationSql: null,
      way: "applied",
      partOf: null,
      back: "plan",
    }));
}

function refuseSteps(steps: number | undefined, to: string | undefined): void {
  if (steps !== undefined && to !== undefined)
    throw new UnderpinError({
      code: "invalidInput",
      message: "rollback was given both steps and to",
      hint: 'Leave one of them out: { steps: 2 }, or { to: "0003" }.',
    });
  if (steps !== undefined && !(Number.isInteger(steps) && steps > 0))
    throw new UnderpinError({
      code: "invalidInput",
      message: `steps is ${steps}, not a number of migrations`,
      hint: "Write a whole number from 1 up: { steps: 1 }.",
    });
}

function rowsToTake(
  rows: readonly LedgerRow[],
  steps: number | undefined,
  to: string | undefined,
): readonly LedgerRow[] {
  // What went into a squash goes back with it.
  const newestFirst = rows.filter(({ partOf }) => partOf === null).toReversed();
  if (to === undefined) return newestFirst.slice(0, steps ?? 1);
  const versions = rows.map(({ version }) => version);
  if (to === "0" && !versions.includes(to)) return newestFirst;
  const kept = findVersion(versions, to);
  return newestFirst.slice(
    0,
    newestFirst.findIndex(({ version }) => version === kept),
  );
}

/** Refuses, before anything is touched, what nothing takes back. */
async function refuseIrreversible(
  { executor, place }: RunnerContext,
  { runs }: LedgerState,
  { version, back, irreversible }: LedgerRow,
): Promise<void> {
  const refused = (why: string, hint: string) =>
    new UnderpinError({
      code: "irreversible",
      message: `${version} cannot be taken back: ${why}`,
      hint: `Nothing was touched. ${hint}`,
    });
  if (back === "nothing")
    throw refused(
      irreversible ?? "no down was written for it",
      irreversible === null
        ? "Write its down file and take that over with underpin repair; then roll back."
        : "Write a new migration that repairs what it did.",
    );
  if (back !== "plan") return;
  const name = runNameOf(version, place.tenant);
  const run = await readLiveRun(executor, place.runSchema, name);
  if (run === undefined || !runs.has(name))
    throw refused(
      "the run with its plan is gone",
      "Write its down file and take that over with underpin repair; then roll back.",
    );
  if (run.state !== "applied" && run.plan.steps.some(({ undo: how }) => isOfMigration(how)))
    throw refused(
      "it is half applied, and its down takes back the whole of it only",
      `Go on with underpin migrate; or bring the database to one side by hand and write that down: underpin repair --applied ${version}, or --unapplied ${version}.`,
    );
  const reasons = run.plan.steps.flatMap(({ id, undo: { ...how } }) =>
    how.kind === "irreversible" ? [`step ${id}: ${how.reason}`] : [],
  );
  if (reasons.length > 0)
    throw refused(reasons.join("; "), "Write a new migration that repairs what it did.");
}

async function takeBack(
  context: RunnerContext,
  state: LedgerState,
  rows: readonly LedgerRow[],
  folder: string | undefined,
): Promise<MigrationReport> {
  const takenBack: string[] = [];
  const reports: Report[] = [];
  for (const row of rows) {
    if (context.runOptions.signal?.aborted === true)
      return reportOf(rows, takenBack, "cancelled", reports.length > 0);
    const report = await takeOneBack(context, state, row, folder);
    reports.push(report);
    if (report.outcome !== "applied" && report.outcome !== "undone")
      return {
        ...reportOf(rows, takenBack, report.outcome, true, row.version),
        ...(report.outcome === "failed" ? { failure: failureOf(row.version, report) } : {}),
      };
    takenBack.push(row.version);
  }
  return reportOf(
    rows,
    takenBack,
    "undone",
    reports.some(({ ranHere }) => ranHere),
  );
}

async function takeOneBack(
  context: RunnerContext,
  state: LedgerState,
  row: LedgerRow,
  folder: string | undefined,
): Promise<Report> {
  const { executor, place, tenant, runOptions } = context;
  if (row.back === "plan") return undo(executor, runNameOf(row.version, place.tenant), runOptions);
  if (row.back === "sql") {
    const plan = planOfRollback(row, place, tenant);
    await clearEarlier(context, plan, state);
    return apply(executor, plan, runOptions);
  }
  const down = await downOf(row, folder);
  const handler = downHandler(row.version, down, place, context.settings);
  const plan = planOfDownFunction(row, place);
  await clearEarlier(context, plan, state);
  return apply(executor, plan, withHandlers(runOptions, { [FUNCTION_HANDLER]: handler }));
}

async function downOf({ version, checksum }: LedgerRow, folder: string | undefined) {
  const refused = (why: string) =>
    new UnderpinError({
      code: "migrationLedger",
      message: `${version} is taken back by a function, ${why}`,
      hint: "Bring the file back as it was when it was applied: a function cannot be stored with the ledger as SQL can.",
    });
  if (folder === undefined || !existsSync(folder))
    throw refused("and no folder was named that has its file");
  const migration = readFolder(folder).migrations.find((one) => one.version === version);
  if (migration === undefined) throw refused(`and its file is not in ${folder}`);
  if (migration.checksum !== checksum) throw refused("and its file was edited since");
  const { down } = await resolveMigration(migration);
  if (down.kind !== "function") throw refused("and its file exports none");
  return down.down;
}

function reportOf(
  rows: readonly LedgerRow[],
  takenBack: readonly string[],
  outcome: Outcome,
  ranHere: boolean,
  at?: string,
): MigrationReport {
  const done = new Set(takenBack);
  return {
    outcome,
    ranHere,
    applied: [],
    takenBack,
    left: rows.map(({ version }) => version).filter((version) => !done.has(version)),
    findings: [],
    next: nextOfRollback(outcome, at),
  };
}
