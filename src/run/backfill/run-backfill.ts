import { UnderpinError } from "../../errors.ts";
import { backfillText } from "../../plan/backfill-text.ts";
import type { BackfillStep } from "../../plan/step.ts";
import { checkCancelled, type RunContext, type WorkContext } from "../context.ts";
import { StepFailed } from "../failure.ts";
import { refuseOverLockBudget } from "../preflight.ts";
import { refuseBadKey } from "./check-key.ts";
import { cutRanges, readEstimate } from "./cut-ranges.ts";
import { createPace } from "./pace.ts";
import type { BackfillProgress } from "./backfill-progress.ts";
import { readProgress } from "./progress.ts";
import type { BackfillId } from "./ranges.ts";
import { watchThrottle } from "./throttle.ts";
import { workRanges, type WorkerEnd } from "./work-ranges.ts";

/** How often progress is read and told: it is the sum of what all workers on all hosts did. */
const TOLD_MS = 200;

/**
 * Changes the rows of a table in batches by ascending key, with as many workers as the step says, beside any number in other
 * processes. Killed anywhere it goes on from the last committed batch of each range.
 */
export async function runBackfill(
  context: RunContext,
  step: BackfillStep,
  progressed: () => void,
): Promise<WorkerEnd> {
  const { executor, emit, lease, runId } = context;
  const lock = { ...step.table, mode: "rowExclusive", partitions: true } as const;
  await refuseOverLockBudget(executor, [lock], 0, step.id);
  emit({ type: "stepStarted", step: step.id, title: step.title, sql: backfillText(step) });
  const id: BackfillId = { schema: lease.schema, runId, stepId: step.id };
  await refuseBadKey(executor, step);
  await cutRanges(context, step, id);
  for (;;) {
    const end = await joinBackfill(context, step, id, lease.owner, progressed);
    if (end !== "done") return end;
    const last = await readProgress(executor, id);
    // Rows that were set aside may have been given back this very moment.
    if (last.rangesDone < last.rangesTotal) continue;
    if (last.rowsSetAside > 0) throw rowsFailed(context, step, last);
    return "done";
  }
}

/** Works at a backfill whose ranges are cut, until nothing is left or it is stopped. */
export async function joinBackfill(
  context: WorkContext,
  step: BackfillStep,
  id: BackfillId,
  owner: string,
  progressed: () => void = () => undefined,
): Promise<WorkerEnd> {
  const { executor, emit } = context;
  const rowsEstimated = await readEstimate(executor, step);
  const pace = createPace(step);
  const abort = new AbortController();
  const inner: WorkContext = { ...context, signal: both(context.signal, abort.signal) };
  const throttle = watchThrottle(inner, step, pace);
  const tell = teller(async () => {
    const progress = await readProgress(executor, id);
    emit({
      type: "progress",
      step: step.id,
      rowsChanged: progress.rowsChanged,
      rowsEstimated,
      backfill: progress,
    });
  });
  // PGlite is one session: a second worker would only stand in its queue.
  const count = executor.driver === "pglite" ? 1 : Math.max(1, step.workers ?? 1);
  const workers = Array.from({ length: count }, (_, at) =>
    workRanges({
      ...{ context: inner, step, id, pace },
      name: `${owner}/${at + 1}`,
      progressed: async () => {
        progressed();
        await tell();
      },
    }).catch((error: unknown): never => {
      abort.abort(error);
      throw error;
    }),
  );
  const ends = await Promise.allSettled(workers);
  await throttle.stop();
  checkCancelled(context);
  const failed = ends.filter((end) => end.status === "rejected");
  // The others were only told to stop by the first.
  const first = failed.find(({ reason }) => reason === abort.signal.reason) ?? failed[0];
  if (first !== undefined) throw first.reason;
  await tell(true);
  const values = ends.flatMap((end) => (end.status === "fulfilled" ? [end.value] : []));
  return values.find((end) => end !== "done") ?? "done";
}

/** Tells progress at most every fifth of a second, one reading at a time; the last always. */
function teller(read: () => Promise<void>): (now?: boolean) => Promise<void> {
  let toldMs = Number.NEGATIVE_INFINITY;
  let reading = false;
  return async (now = false) => {
    if (!now && (reading || performance.now() - toldMs < TOLD_MS)) return;
    reading = true;
    try {
      await read();
    } finally {
      toldMs = performance.now();
      reading = false;
    }
  };
}

function both(outer: AbortSignal | undefined, inner: AbortSignal): AbortSignal {
  return outer === undefined ? inner : AbortSignal.any([outer, inner]);
}

function rowsFailed(
  { planName }: RunContext,
  step: BackfillStep,
  { rowsSetAside, failures }: BackfillProgress,
): StepFailed {
  const names = step.key.map(({ name }) => name).join(", ");
  const shown = failures.map(
    ({ key, sqlState, message }) =>
      `  (${names}) = (${key.join(", ")}): ${sqlState === null ? "" : `${sqlState} `}${message}`,
  );
  const more = rowsSetAside - failures.length;
  return new StepFailed(
    step.id,
    undefined,
    new UnderpinError({
      code: "rowsFailed",
      message: `${rowsSetAside} row${rowsSetAside === 1 ? "" : "s"} could not be changed; all others are done:\n${shown.join("\n")}${more > 0 ? `\n  and ${more} more` : ""}`,
      hint: `Mend those rows, then retryFailed(db, ${JSON.stringify(planName)}), or on the command line: underpin backfill retry ${planName}`,
    }),
  );
}
