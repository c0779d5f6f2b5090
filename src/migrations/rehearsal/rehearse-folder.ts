import { UnderpinError } from "../../errors.ts";
import type { Executor } from "../../executor/executor.ts";
import type { Plan } from "../../plan/step.ts";
import { confirm } from "../../run/control.ts";
import { readRuns, type RunRecord } from "../../run/journal.ts";
import { DEFAULT_RUN_OPTIONS, type RunOptions } from "../../run/options.ts";
import type { Report, StepReport } from "../../run/report.ts";
import { baseline } from "../baseline.ts";
import { migrate } from "../migrate.ts";
import { rollback } from "../rollback.ts";
import { findVersion } from "../runner/compare-ledger.ts";
import { backNameOf, runNameOf } from "../runner/ledger.ts";
import type { Migration } from "../runner/migration.ts";
import { readSoundFolder } from "../runner/read-folder.ts";
import type { MigrationReport } from "../runner/report.ts";
import { resolveMigration, type Resolved } from "../runner/resolve-migration.ts";
import { irreversibleSteps, refusedReport, type Rehearsable } from "./rehearse-plan.ts";
import type { Walked } from "./rehearse-way.ts";

/** The migrations of a folder that are rehearsed, and what brings a database to where they begin. */
export interface RehearsableFolder {
  readonly items: readonly Rehearsable[];
  /** All that the folder says, for what it needs of the database. */
  readonly texts: readonly string[];
  /** Brings a database to the state before the first of them; one that was made by a base has it already. */
  readonly prepare: (db: Executor, hasBase: boolean) => Promise<void>;
}

/** Reads a folder. What is not the first of the rehearsed migrations and stands before it belongs to the state before. */
export async function rehearsableFolder(
  folder: string,
  { first, hasBase }: { readonly first: string | undefined; readonly hasBase: boolean },
  options: RunOptions,
): Promise<RehearsableFolder> {
  const { migrations } = readSoundFolder(folder);
  const at = firstOf(folder, migrations, first, hasBase);
  const before = migrations[at - 1];
  const resolved = await Promise.all(migrations.slice(at).map(resolveMigration));
  return {
    items: resolved.map((one) => rehearsableMigration(folder, one, options)),
    texts: migrations.flatMap(({ text, planFile }) => [text, planFile?.text ?? ""]),
    prepare: async (db, isMade) => {
      if (before === undefined) return;
      const { version } = before;
      if (isMade) return void (await baseline(db, { folder, version, ...options }));
      const report = await throughGates(db, folder, version, options);
      if (report.outcome === "applied") return;
      throw new UnderpinError({
        code: "migrationFolder",
        message: `the state before cannot be made: ${report.failure?.version ?? version}: ${report.failure?.message ?? report.outcome}`,
        hint: "The migrations before the rehearsed ones have to run on an empty database. Or hand over the state before: { base }.",
      });
    },
  };
}

function firstOf(
  folder: string,
  migrations: readonly Migration[],
  first: string | undefined,
  hasBase: boolean,
): number {
  if (migrations.length === 0)
    throw new UnderpinError({
      code: "migrationFolder",
      message: `there is no migration in ${folder}`,
      hint: "Name the folder that holds the migrations themselves.",
    });
  const versions = migrations.map(({ version }) => version);
  if (first !== undefined) return versions.indexOf(findVersion(versions, first));
  return hasBase ? 0 : versions.length - 1;
}

function rehearsableMigration(
  folder: string,
  { migration, down, body }: Resolved,
  options: RunOptions,
): Rehearsable {
  const { version } = migration;
  const runSchema = options.runSchema ?? DEFAULT_RUN_OPTIONS.runSchema;
  const declares = body.kind === "plan";
  const irreversible =
    down.kind === "irreversible"
      ? [`it cannot be taken back: ${down.reason}`]
      : down.kind === "none"
        ? ["no way back was written for it"]
        : declares && down.kind === "plan"
          ? irreversibleSteps(body.plan)
          : [];
  return {
    name: version,
    source: body.kind === "plan" ? body.plan : migration.language === "sql" ? migration.text : "",
    irreversible,
    wholeWay: irreversible.length === 0,
    up: (db) =>
      walked(db, runSchema, [[runNameOf(version, ""), "apply"]], declares, () =>
        throughGates(db, folder, version, options),
      ),
    down:
      irreversible.length > 0
        ? undefined
        : (db) =>
            walked(
              db,
              runSchema,
              [
                [backNameOf(version, ""), "apply"],
                [runNameOf(version, ""), "undo"],
              ],
              declares,
              () => rollback(db, { folder, steps: 1, ...options }),
            ),
  };
}

/** Applies a folder up to a version; on a scratch database there is nobody to ask at a gate. */
async function throughGates(
  db: Executor,
  folder: string,
  to: string,
  options: RunOptions,
): Promise<MigrationReport> {
  const runSchema = options.runSchema ?? DEFAULT_RUN_OPTIONS.runSchema;
  let report = await migrate(db, { folder, to, ...options });
  while (report.outcome === "waiting") {
    const [version = to] = report.left;
    const [run] = await readRuns(db, runSchema, runNameOf(version, ""));
    const gate = run?.plan.steps.find(
      ({ id, kind }) =>
        kind === "gate" && run.steps.some((step) => step.id === id && step.state === "pending"),
    );
    if (run === undefined || gate === undefined) return report;
    await confirm(db, run.name, gate.id, options);
    report = await migrate(db, { folder, to, ...options });
  }
  return report;
}

/** The run that a call of the runner made, as the journal has it. */
async function walked(
  db: Executor,
  runSchema: string,
  names: readonly (readonly [name: string, direction: Walked["direction"]])[],
  declares: boolean,
  call: () => Promise<MigrationReport>,
): Promise<Walked> {
  const [[first = "", direction] = ["", "apply" as const]] = names;
  const nothing: Plan = { format: 1, name: first, steps: [] };
  let ended: MigrationReport;
  try {
    ended = await call();
  } catch (error) {
    return { plan: nothing, direction, declares, report: refusedReport(first, error) };
  }
  for (const [name, way] of names) {
    const [run] = await readRuns(db, runSchema, name);
    const isThis = run !== undefined && (way === "apply" || run.state.startsWith("und"));
    if (isThis)
      return { plan: run.plan, direction: way, declares, report: reportOf(run, way, ended) };
  }
  const outcome = ended.outcome === "applied" || ended.outcome === "undone" ? direction : undefined;
  return {
    plan: nothing,
    direction,
    declares,
    report: {
      ...reportOf({ ...EMPTY, name: first, plan: nothing }, direction, ended),
      outcome: outcome === undefined ? "failed" : outcome === "apply" ? "applied" : "undone",
    },
  };
}

const EMPTY: Pick<RunRecord, "hash" | "steps"> = { hash: "", steps: [] };

function reportOf(
  { name, hash, plan, steps }: Pick<RunRecord, "name" | "hash" | "plan" | "steps">,
  direction: Walked["direction"],
  ended: MigrationReport,
): Report {
  const isDone = ended.outcome === "applied" || ended.outcome === "undone";
  const states = new Map(steps.map(({ id, state, attempts }) => [id, { state, attempts }]));
  return {
    plan: name,
    hash,
    outcome: isDone ? (direction === "apply" ? "applied" : "undone") : "failed",
    ranHere: true,
    steps: plan.steps.map(({ id, title }): StepReport => {
      const { state, attempts = 0 } = states.get(id) ?? {};
      return { id, title, attempts, state: shown(state) };
    }),
    ...(ended.failure === undefined ? {} : { failure: ended.failure }),
    next: ended.next,
  };
}

function shown(state: RunRecord["steps"][number]["state"] | undefined): StepReport["state"] {
  if (state === "applied" || state === "skipped") return state;
  return state === "claimed" ? "inDoubt" : "unapplied";
}
