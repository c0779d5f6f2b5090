import { UnderpinError } from "../../errors.ts";
import type { DatabaseLike } from "../../executor/connect.ts";
import type { BackfillStep } from "../../plan/step.ts";
import { sleep } from "../backoff.ts";
import { isCancelled, type WorkContext } from "../context.ts";
import { handlersOf, missingHandler } from "../drive.ts";
import { causeOf } from "../failure.ts";
import { readLiveRun, type RunRecord, type RunState } from "../journal.ts";
import { newOwner } from "../lease.ts";
import type { RunOptions } from "../options.ts";
import { prepare } from "../prepare.ts";
import { acrossConnections } from "../reconnect.ts";
import { statesOf } from "../unit.ts";
import { joinBackfill } from "./run-backfill.ts";

/** How a process helps with the backfills of a run. */
export interface WorkOptions
  extends Pick<
    RunOptions,
    | "runSchema"
    | "lockTimeoutMs"
    | "lockBudgetMs"
    | "retryDelayMs"
    | "reconnectBudgetMs"
    | "leaseMs"
    | "handlers"
    | "signal"
    | "onEvent"
  > {
  /** How many batches at once. @default as many as the step says */
  readonly workers?: number;
}

/** What became of the run that a process helped with. */
export interface WorkReport {
  readonly plan: string;
  /** `cancelled` where the caller's signal ended the help. */
  readonly ended: Exclude<RunState, "running" | "waiting" | "paused"> | "cancelled";
}

/** How often a helper looks whether there is something to do. */
const LOOK_MS = 500;

/**
 * Helps with the backfills of a run from another process or host, until the run is over. The process that applies the plan goes on working
 * beside it; while the run is paused, or at another step, the helper waits.
 *
 * Helpers need no coordinator but the database: each claims ranges that nobody has, with SKIP LOCKED, and those of a helper that died
 * when their lease is over.
 *
 * @example
 * import { workBackfill } from "underpin";
 *
 * await apply(db, setNotNull({ table: "users", column: "email" }));
 * const { ended } = await workBackfill(db, "set-not-null-public-users-email");
 * ended; // "applied"
 */
export async function workBackfill(
  db: DatabaseLike,
  name: string,
  options: WorkOptions = {},
): Promise<WorkReport> {
  const { workers, handlers = {}, signal } = options;
  const prepared = await prepare(db, options);
  const { executor, settings, versionNum, emit } = prepared;
  const owner = newOwner();
  const across = { settings, signal, emit };
  try {
    for (;;) {
      const run = await acrossConnections(across, () =>
        readLiveRun(executor, settings.runSchema, name),
      );
      if (run === undefined) throw unknown(name);
      const { state } = run;
      if (state !== "running" && state !== "waiting" && state !== "paused")
        return { plan: name, ended: state };
      const step = state === "running" ? underWay(run) : undefined;
      if (step === undefined) {
        await sleep(LOOK_MS, signal);
        continue;
      }
      for (const named of handlersOf(step))
        if (handlers[named.handler]?.version !== named.version) throw missingHandler(named);
      const context: WorkContext = {
        ...{ executor, settings, versionNum, emit, handlers, signal },
        ...{ runId: run.id, planName: name },
      };
      const id = { schema: settings.runSchema, runId: run.id, stepId: step.id };
      const ours = workers === undefined ? step : { ...step, workers };
      const end = await acrossConnections(across, (progressed) =>
        joinBackfill(context, ours, id, owner, progressed),
      );
      // The process that runs the plan writes what comes next.
      if (end !== "ended") await sleep(LOOK_MS, signal);
    }
  } catch (error) {
    if (isCancelled(error, signal)) return { plan: name, ended: "cancelled" };
    // What carries a failure to a report stays inside: here is none.
    throw causeOf(error);
  }
}

/** The backfill that a run is at. */
function underWay(run: RunRecord): BackfillStep | undefined {
  const stateOf = statesOf(run);
  return run.plan.steps.find(
    (step): step is BackfillStep => step.kind === "backfill" && stateOf(step.id) === "claimed",
  );
}

function unknown(name: string): UnderpinError {
  return new UnderpinError({
    code: "unknownRun",
    message: `there is no run of "${name}"`,
    hint: "See what there is: runs(db), or on the command line: underpin runs",
  });
}
