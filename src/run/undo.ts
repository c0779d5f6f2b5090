import { UnderpinError } from "../errors.ts";
import type { DatabaseLike } from "../executor/connect.ts";
import { refuseIrreversible } from "../plan/reverse.ts";
import type { Plan, Step } from "../plan/step.ts";
import { conclude, reportOf } from "./conclude.ts";
import type { RunContext } from "./context.ts";
import { drive } from "./drive.ts";
import { holdLease } from "./hold.ts";
import { readRuns, writeRunState, type RunRecord } from "./journal.ts";
import type { Lease } from "./lease.ts";
import type { RunOptions } from "./options.ts";
import { settleClaim } from "./outside.ts";
import { prepare, type Prepared } from "./prepare.ts";
import type { Report } from "./report.ts";
import { backwardUnits, statesOf, stepsToUndo } from "./unit.ts";

/** How to take back. */
export interface UndoOptions extends RunOptions {
  /** Take back the last steps only, down to and including this one. */
  readonly upTo?: string;
}

/**
 * Takes a run back: the undo of each applied step, last first, with the protections of apply.
 *
 * What was applied in one transaction is taken back in one. A step that cannot be taken back refuses before anything is
 * touched. Interrupted, it goes on when it is called again.
 *
 * @example
 * await apply(db, setNotNull({ table: "users", column: "email" }));
 * const report = await undo(db, "set-not-null-public-users-email");
 * report.outcome; // "undone"
 */
export async function undo(
  db: DatabaseLike,
  planOrName: Plan | string,
  options: UndoOptions = {},
): Promise<Report> {
  const name = typeof planOrName === "string" ? planOrName : planOrName.name;
  const prepared = await prepare(db, options);
  const { executor, settings, emit } = prepared;
  const { signal } = options;
  return holdLease(
    { executor, settings, name, signal, emit },
    async () => {
      const run = await mustRead(prepared, name);
      if (run.state === "undone") return reportOf(run, "undone", { ranHere: false });
      refuseIrreversible(name, stepsToUndo(run.plan, run, checkedUpTo(run, options.upTo)));
      return undefined;
    },
    async () =>
      reportOf(await mustRead(prepared, name), signal?.aborted === true ? "cancelled" : "busy", {
        ranHere: false,
      }),
    (lease) => runBackward(prepared, lease, name, options),
  );
}

async function runBackward(
  prepared: Prepared,
  lease: Lease,
  name: string,
  { handlers = {}, signal, upTo: asked }: UndoOptions,
): Promise<Report> {
  const { executor, emit } = prepared;
  const run = await mustRead(prepared, name);
  if (run.state === "undone") return reportOf(run, "undone", { ranHere: false });
  const context: RunContext = {
    ...prepared,
    lease,
    runId: run.id,
    planName: name,
    handlers,
    signal,
  };
  const { plan } = run;
  // Called again after an interruption it goes as far as was asked the first time.
  const upTo = asked ?? run.undoUpTo ?? undefined;
  emit({
    type: "runStarted",
    plan: name,
    steps: plan.steps.length,
    resumed: run.state === "undoing",
  });
  const whole = upTo === undefined || plan.steps[0]?.id === upTo;
  return conclude(context, whole ? "undone" : "partlyUndone", () =>
    drive(context, async () => {
      const now = await mustRead(prepared, name);
      // A claim that the way forward left open is settled first: once the run is `undoing`, a claim is one of the undo.
      if (now.state !== "undoing") {
        await settleClaims(context, now);
        await writeRunState(executor, lease, run.id, "undoing", upTo);
      }
      return backwardUnits(plan, await mustRead(prepared, name), upTo);
    }),
  );
}

async function settleClaims(context: RunContext, run: RunRecord): Promise<void> {
  const stateOf = statesOf(run);
  for (const step of run.plan.steps)
    if (stateOf(step.id) === "claimed" && isOutside(step))
      await settleClaim(context, step.id, step);
}

function isOutside(step: Step): step is Extract<Step, { transaction: "outside" }> {
  return step.kind === "sql" && step.transaction === "outside";
}

async function mustRead({ executor, settings }: Prepared, name: string): Promise<RunRecord> {
  const [run] = await readRuns(executor, settings.runSchema, name);
  if (run !== undefined) return run;
  throw new UnderpinError({
    code: "unknownRun",
    message: `there is no run of "${name}" in schema "${settings.runSchema}"`,
    hint: "See what there is: runs(db), or on the command line: underpin runs",
  });
}

function checkedUpTo({ name, plan }: RunRecord, upTo: string | undefined): string | undefined {
  if (upTo === undefined || plan.steps.some(({ id }) => id === upTo)) return upTo;
  throw new UnderpinError({
    code: "invalidInput",
    message: `"${name}" has no step "${upTo}"`,
    hint: `Its steps: ${plan.steps.map(({ id }) => id).join(", ")}`,
  });
}
