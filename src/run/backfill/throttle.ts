import { toError } from "../../errors.ts";
import type { BackfillStep } from "../../plan/step.ts";
import { sleep } from "../backoff.ts";
import { isCancelled, type WorkContext } from "../context.ts";
import type { HealthSample } from "../health/health-sample.ts";
import { sampleHealth } from "../health/sample-health.ts";
import { throttleReason, type ThrottleLimits } from "../health/throttle.ts";
import type { Pace } from "./pace.ts";

/** How often the database and the host are asked how they are. */
const LOOK_MS = 1_000;

/** Looks every second how the database and the host are, and slows the pace while one of them suffers. */
export function watchThrottle(
  context: WorkContext,
  step: BackfillStep,
  pace: Pace,
): { readonly stop: () => Promise<void> } {
  const ended = new AbortController();
  const signal =
    context.signal === undefined ? ended.signal : AbortSignal.any([context.signal, ended.signal]);
  const watching = watch({ ...context, signal }, step, pace).catch((error: unknown) => {
    if (!isCancelled(error, signal)) throw error;
  });
  return {
    stop: async () => {
      ended.abort(new Error("the backfill is over"));
      await watching;
    },
  };
}

async function watch(context: WorkContext, step: BackfillStep, pace: Pace): Promise<void> {
  const { emit, signal } = context;
  let told: string | undefined;
  for (let before: HealthSample | undefined; ; ) {
    await sleep(LOOK_MS, signal);
    let reason: string | undefined;
    try {
      const seen = await lookAtDatabase(context, step, before);
      before = seen?.sample ?? before;
      reason = seen?.reason ?? (await askHost(context, step));
      told = undefined;
    } catch (error) {
      if (isCancelled(error, signal)) throw error;
      // Full speed is what was asked for; that nobody could look is said, once for each reason.
      const { message } = toError(error);
      if (message !== told) emit({ type: "watchFailed", step: step.id, message });
      told = message;
    }
    const was = pace.reason();
    pace.suffers(reason);
    if (reason !== was) emit({ type: "throttled", step: step.id, reason, restMs: pace.restMs() });
  }
}

async function lookAtDatabase(
  { executor, settings }: WorkContext,
  { table, throttleLimits }: BackfillStep,
  before: HealthSample | undefined,
): Promise<{ readonly sample: HealthSample; readonly reason: string | undefined } | undefined> {
  // On PGlite there is nobody else to suffer.
  if (throttleLimits === false || executor.driver === "pglite") return undefined;
  const sample = await sampleHealth(executor, {
    tables: [{ schema: table.schema, table: table.name }],
    runSchema: settings.runSchema,
  });
  const limits: Partial<ThrottleLimits> = throttleLimits ?? {};
  return { sample, reason: throttleReason(before, sample, limits) };
}

async function askHost(
  { handlers, executor, signal }: WorkContext,
  { throttle }: BackfillStep,
): Promise<string | undefined> {
  const handler = throttle === undefined ? undefined : handlers[throttle.handler];
  if (handler === undefined) return undefined;
  const answer: unknown = await handler.run(null, { executor, signal });
  return typeof answer === "string" && answer !== "" ? answer : undefined;
}
