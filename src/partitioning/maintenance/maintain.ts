import type { Finding, Findings } from "../../catalog/finding.ts";
import type { Scheme } from "../../definition/scheme.ts";
import { UnderpinError } from "../../errors.ts";
import type { DatabaseLike } from "../../executor/connect.ts";
import type { Executor } from "../../executor/executor.ts";
import { toExecutor } from "../../executor/connect.ts";
import { hashPlan } from "../../plan/hash.ts";
import type { Plan } from "../../plan/step.ts";
import { apply } from "../../run/apply.ts";
import { exclusively } from "../../run/exclusively.ts";
import { readInterrupted } from "../../run/interrupted.ts";
import { DEFAULT_RUN_OPTIONS, type RunOptions } from "../../run/options.ts";
import type { Outcome, Report } from "../../run/report.ts";
import { serveRequests, type FailedRequest } from "../provision-requested.ts";
import { archiveHandlers, type Archive } from "./archive.ts";
import { pruneRuns } from "./prune-runs.ts";
import { maintenanceName, planMaintenance, type MaintenancePlan } from "./plan-maintenance.ts";
import { readMaintenance, type MaintenanceOptions } from "./read-maintenance.ts";

/** How partitions are maintained. */
export interface MaintainOptions extends MaintenanceOptions, Omit<RunOptions, "whenBusy"> {
  /**
   * Where the rows of a partition go before it is dropped. Without it, detached partitions stay, and each is a finding;
   * `{ kind: "none" }` drops them with their rows.
   */
  readonly archive?: Archive;
  /** Read and plan only. @default false */
  readonly dryRun?: boolean;
  /** How many days the journal of maintenance and provisioning is kept. That of other plans is kept for ever. @default 30 */
  readonly keepRunsDays?: number;
}

/** What became of a maintenance. */
export interface MaintenanceReport extends Report {
  /** What it left to a person. */
  readonly findings: Findings;
  /** What was to do; undefined where there was nothing, or where another process was at it. */
  readonly planned: Plan | undefined;
}

/**
 * Looks after the partitions of schemes: makes those that are about to be needed, moves rows out of default partitions, mends what
 * partitions lack, and lets go of what is no longer retained.
 *
 * Call it every minute from every host: under a lease one of them reads, plans and applies, and the others are told `busy`. It
 * works from the catalog alone, so that what a killed call left is finished by the next.
 *
 * @example
 * import { maintain } from "underpin/partitioning";
 *
 * const { outcome, findings } = await maintain(db, []);
 * outcome; // "applied"
 */
export async function maintain(
  db: DatabaseLike,
  schemes: readonly Scheme[],
  options: MaintainOptions = {},
): Promise<MaintenanceReport> {
  refuseBadDays(options);
  if (schemes.length === 0)
    return ended("maintain", "applied", true, { plan: undefined, findings: [] });
  const name = maintenanceName(schemes);
  if (options.dryRun === true) return dryRun(name, await planned(toExecutor(db), schemes, options));
  const run: RunOptions = {
    ...options,
    whenBusy: "return",
    handlers: { ...options.handlers, ...archiveHandlers(options.archive) },
  };
  const done = await exclusively(
    db,
    `${name}all`,
    async (executor): Promise<MaintenanceReport> => {
      const schema = options.runSchema ?? DEFAULT_RUN_OPTIONS.runSchema;
      for (const left of await readInterrupted(executor, schema, name)) {
        const report = await apply(db, left, run);
        if (report.outcome === "busy") return { ...report, findings: [], planned: undefined };
      }
      await pruneRuns(executor, schema, options.keepRunsDays ?? 30);
      const requested = await serveRequests({ db, executor, schema }, schemes, run);
      const { plan, findings: found } = await planned(executor, schemes, options);
      const findings = [...requested.failed.map(failedRequest), ...found];
      if (plan === undefined) return ended(name, "applied", true, { plan, findings });
      return { ...(await apply(db, plan, run)), findings, planned: plan };
    },
    options,
  );
  return done.kind === "done"
    ? done.value
    : ended(name, "busy", false, { plan: undefined, findings: [] });
}

function failedRequest({ table, values, message }: FailedRequest): Finding {
  return {
    check: "partition-request",
    severity: "error",
    object: table,
    message: `partitions were asked for and could not be made, for ${Object.values(values).join(", ")}: ${message}`,
    repair: null,
  };
}

async function planned(
  executor: Executor,
  schemes: readonly Scheme[],
  options: MaintainOptions,
): Promise<MaintenancePlan> {
  const readings = [];
  for (const scheme of schemes) readings.push(await readMaintenance(executor, scheme, options));
  const { archive } = options;
  return planMaintenance(readings, archive === undefined ? {} : { archive });
}

function ended(
  name: string,
  outcome: Outcome,
  ranHere: boolean,
  { plan, findings }: MaintenancePlan,
): MaintenanceReport {
  const next =
    outcome === "busy"
      ? "Another process is at it: nothing is to be done here."
      : "There was nothing to do.";
  return { plan: name, hash: "", outcome, ranHere, steps: [], next, findings, planned: plan };
}

function dryRun(name: string, { plan, findings }: MaintenancePlan): MaintenanceReport {
  if (plan === undefined) return ended(name, "applied", true, { plan, findings });
  return {
    plan: plan.name,
    hash: hashPlan(plan),
    outcome: "waiting",
    ranHere: false,
    steps: plan.steps.map(({ id, title }) => ({ id, title, state: "unapplied", attempts: 0 })),
    next: "Nothing was done. Print it with explain(report.planned), and do it without dryRun.",
    findings,
    planned: plan,
  };
}

function refuseBadDays({ graceDays, keepRunsDays }: MaintainOptions): void {
  for (const [name, days] of Object.entries({ graceDays, keepRunsDays })) {
    if (days === undefined || (Number.isFinite(days) && days >= 0)) continue;
    throw new UnderpinError({
      code: "invalidInput",
      message: `${name} is ${days}: it must be a number of days, 0 or more`,
      hint: `maintain(db, schemes, { ${name}: 7 })`,
    });
  }
}
