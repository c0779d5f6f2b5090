import { toExecutor, type DatabaseLike } from "../executor/connect.ts";
import type { Executor } from "../executor/executor.ts";
import { UnderpinError } from "../errors.ts";
import type { Plan } from "../plan/step.ts";
import { compareWithDeclared } from "../run/measure/declared-locks.ts";
import { meterLocks, type MeasuredLock } from "../run/measure/measure-locks.ts";
import { applyThroughGates } from "../run/measure/through-gates.ts";
import { DEFAULT_RUN_OPTIONS, type RunOptions } from "../run/options.ts";
import { undo } from "../run/undo.ts";

/** Where and how a plan is tried. */
export interface ExpectLocksOptions extends RunOptions {
  /** The database to try it on: a scratch one, with the tables that the plan is about. */
  readonly on: DatabaseLike;
}

/** What was measured, step by step. */
export interface MeasuredStep {
  readonly step: string;
  readonly direction: "apply" | "undo";
  readonly locks: readonly MeasuredLock[];
}

/**
 * Applies a plan and takes it back, and throws when a step held other locks than it declares, or another number of them.
 *
 * Locks are read from `pg_locks` inside each step's own transaction. For a statement outside a transaction they are read while
 * it is made to wait, which needs a server: on PGlite such steps are not measured and not returned. Gates are confirmed.
 */
export async function expectLocks(
  plan: Plan,
  { on, ...options }: ExpectLocksOptions,
): Promise<readonly MeasuredStep[]> {
  const steps: MeasuredStep[] = [];
  const problems: string[] = [];
  for (const direction of ["apply", "undo"] as const) {
    const measured = await measureRun(toExecutor(on), plan, direction, options);
    steps.push(...measured.steps);
    problems.push(...measured.problems);
  }
  if (problems.length > 0) throw failed(plan, problems);
  return steps;
}

/** What one way of a plan was measured to lock, and where that is not what it declares. */
export interface MeasuredRun {
  readonly steps: readonly MeasuredStep[];
  readonly problems: readonly string[];
}

/** Applies a plan through its gates, or takes it back, and measures its locks; throws when it does not come to its end. */
export async function measureRun(
  db: Executor,
  plan: Plan,
  direction: "apply" | "undo",
  options: RunOptions,
): Promise<MeasuredRun> {
  const meter = meterLocks(db, options.runSchema ?? DEFAULT_RUN_OPTIONS.runSchema);
  const report =
    direction === "apply"
      ? await applyThroughGates(meter.executor, plan, options)
      : await undo(meter.executor, plan, options);
  if (report.outcome !== (direction === "apply" ? "applied" : "undone"))
    throw failed(plan, [`${direction} ended ${report.outcome}: ${report.failure?.message ?? ""}`]);
  const found = await compareWithDeclared(db, plan, direction, report, meter);
  return {
    steps: found.flatMap(({ step, measured }) =>
      measured === undefined ? [] : [{ step, direction, locks: measured }],
    ),
    problems: found.flatMap(({ step, problems }) =>
      problems.map((problem) => `${direction} ${step}: ${problem}`),
    ),
  };
}

function failed({ name }: Plan, problems: readonly string[]): UnderpinError {
  return new UnderpinError({
    code: "checkFailed",
    message: `"${name}" does not hold the locks that it declares:\n  ${problems.join("\n  ")}`,
    hint: "Correct the step's `locks` and `creates`: readers of the plan rely on them.",
  });
}
