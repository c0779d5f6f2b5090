import { isConnectionError, isUnderpinError } from "../errors.ts";
import { isCancelled, type RunContext } from "./context.ts";
import type { Stop } from "./drive.ts";
import { toFailure } from "./failure.ts";
import {
  readRuns,
  writeRunState,
  writeStep,
  type RunRecord,
  type RunState,
  type StepState,
} from "./journal.ts";
import { acrossConnections } from "./reconnect.ts";
import type { Failure, Outcome, Report, StepReport } from "./report.ts";

/** Runs `work` to its end, journals how it ended, and reports. */
export async function conclude(
  context: RunContext,
  finished: "applied" | "undone" | "partlyUndone",
  work: () => Promise<Stop>,
): Promise<Report> {
  const { executor, lease, runId, emit, signal, planName } = context;
  const end = await work().then(
    (stop): End => endOf(stop, finished),
    (error: unknown): End => {
      if (isUnderpinError(error) && error.code === "leaseLost") throw error;
      if (isCancelled(error, signal)) return { outcome: "cancelled" };
      return { outcome: "failed", failure: toFailure(error) };
    },
  );
  const { outcome, failure } = end;
  const keeps = finished !== "applied" && outcome !== finished;
  try {
    // Its own signal is of no concern here: how it ended must be written.
    await acrossConnections({ ...context, signal: undefined }, async () => {
      if (failure?.step !== undefined) await journalFailure(context, failure);
      await writeRunState(executor, lease, runId, keeps ? "undoing" : STATE[outcome]);
    });
  } catch (error) {
    // The server cannot be reached: the journal says what was committed, and the next apply goes on from it.
    if (!isConnectionError(error) || failure === undefined) throw error;
  }
  if (failure !== undefined)
    emit({
      type: "stepFailed",
      step: failure.step ?? "",
      message: failure.message,
      sqlState: failure.sqlState,
    });
  emit({ type: "runEnded", plan: planName, outcome });
  const run = await readRuns(executor, lease.schema, planName).then(
    (all) => all.find(({ id }) => id === runId),
    () => undefined,
  );
  return reportOf(run ?? unreadable(context), outcome, {
    ranHere: true,
    undoing: finished !== "applied",
    ...(failure === undefined ? {} : { failure }),
    ...(end.gate === undefined ? {} : { gate: end.gate }),
  });
}

interface End {
  readonly outcome: Outcome;
  readonly failure?: Failure;
  readonly gate?: string;
}

function endOf(stop: Stop, finished: "applied" | "undone" | "partlyUndone"): End {
  switch (stop.kind) {
    case "finished":
      return { outcome: finished };
    case "paused":
      return { outcome: "paused" };
    case "waiting":
      return { outcome: "waiting", gate: stop.gate.id };
  }
}

const STATE: Readonly<Record<Outcome, RunState>> = {
  applied: "applied",
  undone: "undone",
  partlyUndone: "stopped",
  waiting: "waiting",
  paused: "paused",
  cancelled: "stopped",
  failed: "failed",
  busy: "running",
};

/**
 * Journals why a step failed. One that runs outside a transaction keeps its claim where nobody knows what became of it; one
 * that could not be taken back is still applied.
 */
async function journalFailure(
  { executor, lease, runId, planName }: RunContext,
  failure: Failure,
): Promise<void> {
  const [run] = await readRuns(executor, lease.schema, planName);
  const step = run?.steps.find(({ id }) => id === failure.step);
  const kind = run?.plan.steps.find(({ id }) => id === failure.step)?.kind;
  if (step === undefined || (step.state === "claimed" && kind === "sql")) return;
  const state = step.state === "applied" ? "applied" : "failed";
  await writeStep(executor, lease, runId, step.id, { state, failure });
}

interface ReportDetails {
  readonly ranHere: boolean;
  readonly failure?: Failure;
  /** The gate that waits. */
  readonly gate?: string;
  /** Whether the way is back. @default false */
  readonly undoing?: boolean;
}

/** The report of a run as the journal has it. */
export function reportOf(
  run: RunRecord,
  outcome: Outcome,
  { ranHere, failure, gate, undoing = false }: ReportDetails,
): Report {
  const titles = new Map(run.plan.steps.map(({ id, title }) => [id, title]));
  return {
    plan: run.name,
    hash: run.hash,
    outcome,
    ranHere,
    steps: run.steps.map(
      ({ id, state, attempts }): StepReport => ({
        id,
        title: titles.get(id) ?? id,
        state: REPORTED[state],
        attempts,
      }),
    ),
    ...(failure === undefined ? {} : { failure }),
    next: undoing ? whatNextBack(run.name, outcome) : whatNext(run.name, outcome, gate),
  };
}

const REPORTED: Readonly<Record<StepState, StepReport["state"]>> = {
  pending: "unapplied",
  confirmed: "unapplied",
  failed: "unapplied",
  undone: "unapplied",
  skipped: "skipped",
  claimed: "inDoubt",
  applied: "applied",
};

function whatNext(name: string, outcome: Outcome, gate: string | undefined): string {
  const quoted = JSON.stringify(name);
  switch (outcome) {
    case "applied":
      return `Take it back with undo(db, ${quoted}).`;
    case "undone":
      return "Nothing is left of it but its record; it can be applied again.";
    case "partlyUndone":
    case "cancelled":
      return "Go on with apply(db, plan), or take it back with undo(db, plan).";
    case "waiting":
      return `Make sure of what the gate asks, then confirm(db, ${quoted}, ${JSON.stringify(gate)}) and apply again.`;
    case "paused":
      return `Go on with resume(db, ${quoted}).`;
    case "failed":
      return "Mend the cause and apply again: it goes on from the failed step. Or take it back with undo(db, plan).";
    case "busy":
      return 'Another process runs it: apply again later, or wait for it with whenBusy: "wait".';
  }
}

function whatNextBack(name: string, outcome: Outcome): string {
  const quoted = JSON.stringify(name);
  switch (outcome) {
    case "cancelled":
      return `Go on taking it back with undo(db, ${quoted}): it goes as far as was asked.`;
    case "failed":
      return `Mend the cause, then undo(db, ${quoted}): it goes on from the failed step, as far as was asked.`;
    default:
      return whatNext(name, outcome, undefined);
  }
}

/** When the journal cannot be read at the end, nothing is known of the steps. */
function unreadable({ runId, planName }: RunContext): RunRecord {
  return {
    id: runId,
    name: planName,
    hash: "",
    plan: { format: 1, name: planName, steps: [] },
    state: "running",
    pauseRequested: false,
    pauseReason: null,
    undoUpTo: null,
    startedAt: "",
    changedAt: "",
    steps: [],
  };
}
