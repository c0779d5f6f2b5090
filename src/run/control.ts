import { sqlStateOf, UnderpinError } from "../errors.ts";
import { toExecutor, type DatabaseLike } from "../executor/connect.ts";
import type { Plan } from "../plan/step.ts";
import { ident } from "../sql/quote.ts";
import { apply } from "./apply.ts";
import { reopenFailures } from "./backfill/progress.ts";
import { readLiveRun, type RunRecord } from "./journal.ts";
import { DEFAULT_RUN_OPTIONS, type RunOptions } from "./options.ts";
import { prepare, type Prepared } from "./prepare.ts";
import type { Report } from "./report.ts";
import { undo } from "./undo.ts";
import { statesOf } from "./unit.ts";

/** Where the run's own tables are. */
export type ControlOptions = Pick<RunOptions, "runSchema">;

/**
 * Asks a run to stop after the statement or batch that it is at. Its process returns a report with the outcome `paused`.
 */
export async function pause(
  db: DatabaseLike,
  name: string,
  options: ControlOptions = {},
): Promise<void> {
  const prepared = await prepare(db, options);
  const run = await mustBeLive(prepared, name);
  if (run.state === "applied") throw notNow(run, "paused");
  await setPause(prepared, run, true);
}

/** Takes the pause back and goes on with the run, there or back, by the plan that is stored with it. */
export async function resume(
  db: DatabaseLike,
  name: string,
  options: RunOptions = {},
): Promise<Report> {
  const prepared = await prepare(db, options);
  const run = await mustBeLive(prepared, name);
  await setPause(prepared, run, false);
  return run.state === "undoing" ? undo(db, name, options) : apply(db, run.plan, options);
}

/**
 * Gives the rows that a backfill could not change back to it, once their cause is mended, and goes on with the run.
 *
 * A row that fails again is set aside again; nothing else is done twice.
 */
export async function retryFailed(
  db: DatabaseLike,
  name: string,
  options: RunOptions = {},
): Promise<Report> {
  const prepared = await prepare(db, options);
  const run = await mustBeLive(prepared, name);
  if (run.state === "undoing") throw notNow(run, "tried again");
  await reopenFailures(prepared.executor, {
    schema: prepared.settings.runSchema,
    runId: run.id,
  });
  await setPause(prepared, run, false);
  return apply(db, run.plan, options);
}

/**
 * Confirms a gate: what it asks for is so. The run goes on at the next apply.
 *
 * Only a gate that the run has come to can be confirmed: an answer given before the steps ahead of it would be about another
 * database.
 */
export async function confirm(
  db: DatabaseLike,
  name: string,
  gateId: string,
  options: ControlOptions = {},
): Promise<void> {
  const { executor, settings, ...rest } = await prepare(db, options);
  const run = await mustBeLive({ executor, settings, ...rest }, name);
  const stateOf = statesOf(run);
  const next = run.plan.steps.find(({ id }) => !["applied", "skipped"].includes(stateOf(id)));
  if (next?.id !== gateId || next.kind !== "gate") {
    const gates = run.plan.steps.filter(({ kind }) => kind === "gate").map(({ id }) => id);
    throw new UnderpinError({
      code: "runState",
      message: `"${name}" does not wait at "${gateId}": ${next === undefined ? "every step is applied" : `the next step is "${next.id}" (${next.kind})`}`,
      hint:
        gates.length === 0
          ? "This plan has no gates."
          : `Its gates: ${gates.join(", ")}. Apply until the run waits at one, then confirm that one.`,
    });
  }
  await executor.query(
    `UPDATE ${ident(settings.runSchema)}.steps
     SET state = 'confirmed', confirmed_by = SESSION_USER, changed_at = pg_catalog.clock_timestamp()
     WHERE run_id = $1::text::bigint AND id = $2::text AND state IN ('pending', 'undone')`,
    [run.id, gateId],
  );
}

/**
 * The phase that a run has reached: the `phase` of its last applied step, `none` before the first.
 *
 * An application reads it as its feature flag: it only reads, and needs USAGE on the run schema and SELECT on its tables. An
 * undo takes the phase back with the step.
 */
export async function phaseOf(
  db: DatabaseLike,
  planOrName: Plan | string,
  { runSchema = DEFAULT_RUN_OPTIONS.runSchema }: ControlOptions = {},
): Promise<string> {
  const name = typeof planOrName === "string" ? planOrName : planOrName.name;
  try {
    const run = await readLiveRun(toExecutor(db), runSchema, name);
    return run === undefined ? "none" : phaseOfRun(run);
  } catch (error) {
    // No run schema, no run: nothing was ever applied here.
    if (["3F000", "42P01"].includes(sqlStateOf(error) ?? "")) return "none";
    throw error;
  }
}

/** The phase of a run as the journal has it. */
export function phaseOfRun(run: RunRecord): string {
  const stateOf = statesOf(run);
  const reached = run.plan.steps.findLast(
    ({ id, phase }) => phase !== undefined && stateOf(id) === "applied",
  );
  return reached?.phase ?? "none";
}

async function mustBeLive({ executor, settings }: Prepared, name: string): Promise<RunRecord> {
  const run = await readLiveRun(executor, settings.runSchema, name);
  if (run !== undefined) return run;
  throw new UnderpinError({
    code: "unknownRun",
    message: `there is no run of "${name}" in schema "${settings.runSchema}"`,
    hint: "See what there is: runs(db), or on the command line: underpin runs",
  });
}

function notNow({ name, state }: RunRecord, what: string): UnderpinError {
  return new UnderpinError({
    code: "runState",
    message: `"${name}" is ${state} and cannot be ${what}`,
    hint: "See where it is: underpin runs",
  });
}

async function setPause(
  { executor, settings }: Prepared,
  { id }: RunRecord,
  requested: boolean,
): Promise<void> {
  await executor.query(
    `UPDATE ${ident(settings.runSchema)}.runs SET pause_requested = $2::text::boolean, pause_reason = NULL
     WHERE id = $1::text::bigint`,
    [id, String(requested)],
  );
}
