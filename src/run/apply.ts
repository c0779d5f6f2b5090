import { UnderpinError } from "../errors.ts";
import type { DatabaseLike } from "../executor/connect.ts";
import { hashPlan } from "../plan/hash.ts";
import { validatePlan } from "../plan/plan.ts";
import type { Plan } from "../plan/step.ts";
import { conclude, reportOf } from "./conclude.ts";
import type { RunContext } from "./context.ts";
import { describeChange } from "./difference.ts";
import { drive, handlersOf, missingHandler } from "./drive.ts";
import { holdLease } from "./hold.ts";
import { createRun, readLiveRun, writeRunState, type RunRecord } from "./journal.ts";
import type { Lease } from "./lease.ts";
import type { RunOptions } from "./options.ts";
import { prepare, type Prepared } from "./prepare.ts";
import { acrossConnections } from "./reconnect.ts";
import type { Report } from "./report.ts";
import { firstStep, forwardUnits } from "./unit.ts";

/**
 * Runs a plan, or goes on with it where it stopped: after a crash, a failure, a gate or a pause.
 *
 * A plan is known by its name and content. Done before, it says so and touches nothing; the same name with other content is
 * refused with the difference. Of many processes that apply it at once exactly one runs it. What fails is in the report; only
 * misuse throws.
 *
 * @example
 * const report = await apply(db, setNotNull({ table: "users", column: "email" }));
 * report.outcome; // "applied"
 */
export async function apply(
  db: DatabaseLike,
  plan: Plan,
  options: RunOptions = {},
): Promise<Report> {
  validatePlan(plan);
  refuseMissingHandlers(plan, options);
  const prepared = await prepare(db, options);
  const { executor, settings, emit } = prepared;
  const { runSchema: schema } = settings;
  const { signal } = options;
  let before: RunRecord | undefined;
  return holdLease(
    { executor, settings, name: plan.name, signal, emit },
    async (waited) => {
      const run = await readLiveRun(executor, schema, plan.name);
      if (run !== undefined) refuseOther(run, plan);
      if (!waited) before = run;
      return run === undefined ? undefined : endedElsewhere(run, waited ? before : run);
    },
    async () =>
      reportOf(
        (await readLiveRun(executor, schema, plan.name)) ?? notBegun(plan),
        signal?.aborted === true ? "cancelled" : "busy",
        { ranHere: false },
      ),
    (lease) => runForward(prepared, lease, plan, options),
  );
}

/**
 * The report of a run that needs nothing more from us: done, or stopped for a reason by the process that we waited for. Of
 * twenty that wait for a run which fails, nineteen do not try the same again.
 *
 * A run that stands as it stood when we came was not run meanwhile: its last process died before it gave the lease back.
 */
function endedElsewhere(run: RunRecord, before: RunRecord | undefined): Report | undefined {
  const { state } = run;
  if (state === "applied") return reportOf(run, "applied", { ranHere: false });
  const stands = run.id === before?.id && run.changedAt === before.changedAt;
  if (stands || (state !== "failed" && state !== "waiting" && state !== "paused")) return undefined;
  const failure = run.steps.find(({ error }) => error !== null)?.error;
  const gate = forwardUnits(run.plan, run).find(({ kind }) => kind === "gate");
  return reportOf(run, state, {
    ranHere: false,
    ...(failure == null ? {} : { failure }),
    ...(gate === undefined ? {} : { gate: firstStep(gate) }),
  });
}

/** A run that its process is only about to write. */
function notBegun(plan: Plan): RunRecord {
  return {
    id: "",
    name: plan.name,
    hash: hashPlan(plan),
    plan,
    state: "running",
    pauseRequested: false,
    pauseReason: null,
    undoUpTo: null,
    startedAt: "",
    changedAt: "",
    steps: plan.steps.map(({ id }) => ({ id, state: "pending", attempts: 0, error: null })),
  };
}

async function runForward(
  prepared: Prepared,
  lease: Lease,
  plan: Plan,
  { handlers = {}, signal }: RunOptions,
): Promise<Report> {
  const { executor, emit, versionNum } = prepared;
  // The state may have changed between the look and the lease.
  const { before, run } = await acrossConnections({ ...prepared, signal }, async () => {
    const found = await readLiveRun(executor, lease.schema, plan.name);
    if (found === undefined) await createRun(executor, lease, plan, versionNum);
    else refuseOther(found, plan);
    return { before: found, run: found ?? (await mustRead(prepared, plan)) };
  });
  if (before?.state === "applied") return reportOf(before, "applied", { ranHere: false });
  const context: RunContext = {
    ...prepared,
    lease,
    runId: run.id,
    planName: plan.name,
    handlers,
    signal,
  };
  if (before !== undefined) await writeRunState(executor, lease, run.id, "running");
  emit({
    type: "runStarted",
    plan: plan.name,
    steps: plan.steps.length,
    resumed: before !== undefined,
  });
  return conclude(context, "applied", () =>
    drive(context, async () => forwardUnits(plan, await mustRead(prepared, plan))),
  );
}

async function mustRead({ executor, settings }: Prepared, { name }: Plan): Promise<RunRecord> {
  const run = await readLiveRun(executor, settings.runSchema, name);
  if (run !== undefined) return run;
  throw new UnderpinError({
    code: "unknownRun",
    message: `there is no run of "${name}"`,
    hint: "It is being created or was just taken back: call apply again.",
  });
}

function refuseOther(run: RunRecord, plan: Plan): void {
  if (run.state === "undoing")
    throw new UnderpinError({
      code: "runState",
      message: `"${plan.name}" is being taken back`,
      hint: `Finish that first: undo(db, ${JSON.stringify(plan.name)}); then it can be applied again.`,
    });
  if (run.hash !== hashPlan(plan))
    throw new UnderpinError({
      code: "planChanged",
      message: `"${plan.name}" was begun with other content:\n${describeChange(run.plan, plan)}`,
      hint: "Give the changed plan a new name, or take the old one back first: undo(db, name).",
    });
}

function refuseMissingHandlers({ steps }: Plan, { handlers }: RunOptions): void {
  for (const named of steps.flatMap(handlersOf))
    if (handlers?.[named.handler]?.version !== named.version) throw missingHandler(named);
}
