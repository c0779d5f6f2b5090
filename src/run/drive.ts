import { UnderpinError } from "../errors.ts";
import type { CallStep, GateStep, Step } from "../plan/step.ts";
import { ident } from "../sql/quote.ts";
import { forgetRanges } from "./backfill/cut-ranges.ts";
import { runBackfill } from "./backfill/run-backfill.ts";
import { checkCancelled, isCancelled, type RunContext } from "./context.ts";
import { ofStep, StepFailed } from "./failure.ts";
import { runInside } from "./inside.ts";
import { writeStep } from "./journal.ts";
import { runOutside } from "./outside.ts";
import { acrossConnections } from "./reconnect.ts";
import { firstStep, type Unit } from "./unit.ts";

/** Why the engine stopped without a failure. */
export type Stop =
  | { readonly kind: "finished" }
  | { readonly kind: "paused" }
  | { readonly kind: "waiting"; readonly gate: GateStep };

/**
 * Runs what `readUnits` says is left, until nothing is, a gate waits, or somebody pauses the run.
 *
 * A lost connection leaves open whether the last transaction was committed. So nothing is assumed: the journal is read again on
 * a new connection, and the work goes on from what it says.
 */
export async function drive(
  context: RunContext,
  readUnits: () => Promise<readonly Unit[]>,
): Promise<Stop> {
  const isPaused = pauseReader(context);
  return acrossConnections(context, async (progressed): Promise<Stop> => {
    for (const unit of await readUnits()) {
      checkCancelled(context);
      if (await isPaused()) return { kind: "paused" };
      const stop = await runUnit(context, unit, isPaused, progressed).catch((error: unknown) => {
        throw ofStep(firstStep(unit), error, context.signal);
      });
      if (stop !== undefined) return stop;
      progressed();
    }
    return { kind: "finished" };
  });
}

async function runUnit(
  context: RunContext,
  unit: Unit,
  isPaused: () => Promise<boolean>,
  progressed: () => void,
): Promise<Stop | undefined> {
  switch (unit.kind) {
    case "inside":
      await runInside(context, unit.actions);
      return undefined;
    case "outside":
      await runOutside(context, unit.action, unit.statement, unit.claimed);
      return undefined;
    case "gate":
      return passGate(context, unit.step, unit.confirmed);
    case "call":
      await runCall(context, unit.step);
      return undefined;
    case "backfill": {
      const { step } = unit;
      if (unit.fresh) await forgetRanges(context, step);
      await mark(context, step.id, "claimed");
      const startedMs = performance.now();
      const end = await runBackfill(context, step, progressed);
      if (end === "paused") return { kind: "paused" };
      if (end === "ended") throw leaseGone(context);
      await mark(context, step.id, "applied");
      const elapsedMs = performance.now() - startedMs;
      context.emit({ type: "stepApplied", step: step.id, title: step.title, elapsedMs });
      return undefined;
    }
  }
}

/** A handler that a step names. */
export interface NamedHandler {
  readonly id: string;
  readonly handler: string;
  readonly version: number;
}

/** The handlers that a step names. */
export function handlersOf(step: Step): readonly NamedHandler[] {
  const { id } = step;
  if (step.kind === "call") return [{ id, handler: step.handler, version: step.version }];
  if (step.kind !== "backfill") return [];
  return [
    ...("transform" in step ? [step.transform] : []),
    ...(step.throttle === undefined ? [] : [step.throttle]),
  ].map(({ handler, version }) => ({ id, handler, version }));
}

async function passGate(
  context: RunContext,
  gate: GateStep,
  confirmed: boolean,
): Promise<Stop | undefined> {
  if (!confirmed) {
    context.emit({ type: "gateWaiting", step: gate.id, question: gate.question });
    return { kind: "waiting", gate };
  }
  await mark(context, gate.id, "applied");
  context.emit({ type: "stepApplied", step: gate.id, title: gate.title, elapsedMs: 0 });
  return undefined;
}

async function runCall(context: RunContext, step: CallStep): Promise<void> {
  const { id, title, argument } = step;
  const handler = context.handlers[step.handler];
  if (handler === undefined) throw new StepFailed(id, undefined, missingHandler(step));
  await mark(context, id, "claimed");
  context.emit({ type: "stepStarted", step: id, title });
  const startedMs = performance.now();
  try {
    await handler.run(argument, { executor: context.executor, signal: context.signal });
  } catch (cause) {
    // A handler that obeys the signal has not failed.
    if (isCancelled(cause, context.signal)) throw cause;
    throw new StepFailed(id, undefined, cause, undefined, "host");
  }
  await mark(context, id, "applied");
  context.emit({ type: "stepApplied", step: id, title, elapsedMs: performance.now() - startedMs });
}

/** Whoever ended the step, or takes it back, took the lease first. */
function leaseGone({ planName }: RunContext): UnderpinError {
  return new UnderpinError({
    code: "leaseLost",
    message: `"${planName}" was ended or is being taken back by another process`,
    hint: "Nothing more is written here. See where it is: runs(db).",
  });
}

/** The refusal of a plan whose handler was not handed over. */
export function missingHandler({ id, handler, version }: NamedHandler): UnderpinError {
  return new UnderpinError({
    code: "missingHandler",
    message: `step "${id}" calls the handler "${handler}" of version ${version}, which was not handed over`,
    hint: `apply(db, plan, { handlers: { ${JSON.stringify(handler)}: { version: ${version}, run: async (argument) => { … } } } })`,
  });
}

function mark(
  { executor, lease, runId }: RunContext,
  step: string,
  state: "claimed" | "applied",
): Promise<void> {
  return writeStep(executor, lease, runId, step, { state });
}

/** How old an answer to "is it paused?" may be: a pause need not be seen within the millisecond. */
const PAUSE_KNOWN_MS = 200;

function pauseReader({ executor, lease, runId }: RunContext): () => Promise<boolean> {
  let askedMs = Number.NEGATIVE_INFINITY;
  return async () => {
    if (performance.now() - askedMs < PAUSE_KNOWN_MS) return false;
    askedMs = performance.now();
    const rows = await executor.query(
      `SELECT id FROM ${ident(lease.schema)}.runs WHERE id = $1::text::bigint AND pause_requested`,
      [runId],
    );
    return rows.length > 0;
  };
}
