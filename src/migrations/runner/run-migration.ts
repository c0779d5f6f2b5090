import { UnderpinError } from "../../errors.ts";
import { hashPlan } from "../../plan/hash.ts";
import type { Plan } from "../../plan/step.ts";
import { apply } from "../../run/apply.ts";
import { confirm } from "../../run/control.ts";
import type { Handler, RunOptions } from "../../run/options.ts";
import type { Report } from "../../run/report.ts";
import { undo } from "../../run/undo.ts";
import { upHandler } from "./function-handler.ts";
import type { LedgerState } from "./ledger.ts";
import { FUNCTION_HANDLER, planOfMigration } from "./plan-of.ts";
import type { Resolved } from "./resolve-migration.ts";
import type { RunnerContext } from "./runner-context.ts";

/** Runs one migration as a run of its own: lease, journal, lock retries, and resumed where an earlier try stopped. */
export async function runMigration(
  context: RunnerContext,
  resolved: Resolved,
  state: LedgerState,
  fresh: boolean,
): Promise<Report> {
  const { executor, settings, place, tenant } = context;
  const plan = planOfMigration(resolved, place, tenant);
  await clearEarlier(context, plan, state);
  const { body } = resolved;
  const handlers: Record<string, Handler> =
    body.kind === "functions"
      ? { [FUNCTION_HANDLER]: upHandler(resolved, body.up, place, settings) }
      : {};
  const options = withHandlers(context.runOptions, handlers);
  let report = await apply(executor, plan, options);
  // Nobody works with a database that was empty a moment ago: what a gate asks for is so.
  for (
    let passed = 0;
    fresh && report.outcome === "waiting" && passed < plan.steps.length;
    passed++
  ) {
    const gate = report.steps.find(({ state: now }) => now === "unapplied");
    await confirm(executor, plan.name, gate?.id ?? "", settings);
    report = await apply(executor, plan, options);
  }
  return report;
}

/** The options of a run with handlers of ours beside the host's. */
export function withHandlers(
  options: RunOptions,
  handlers: Readonly<Record<string, Handler>>,
): RunOptions {
  return { ...options, handlers: { ...options.handlers, ...handlers } };
}

/**
 * Clears the way for a run of this name: a try that failed before anything of it was kept is forgotten, so that a corrected file
 * can be run. One that has come further is gone on with, and only by the file that it was begun with.
 */
export async function clearEarlier(
  { executor, runOptions }: RunnerContext,
  plan: Plan,
  { runs }: Pick<LedgerState, "runs">,
): Promise<void> {
  const run = runs.get(plan.name);
  if (run === undefined || run.hash === hashPlan(plan)) return;
  const { stepsApplied, stepsClaimed, stepsTotal, state } = run;
  if (state === "undoing")
    throw new UnderpinError({
      code: "migrationLedger",
      message: `${plan.name} is half taken back`,
      hint: "Finish that first: underpin rollback; then migrate again.",
    });
  if (state === "applied" || stepsApplied + stepsClaimed > 0)
    throw new UnderpinError({
      code: "migrationLedger",
      message: `${plan.name} is half applied (${state === "applied" ? stepsTotal : stepsApplied} of ${stepsTotal} steps), and its file was changed since`,
      hint: `Put the file back as it was and migrate again: it goes on from where it stopped. Or bring the database to one side by hand and write that down: underpin repair --applied VERSION, or --unapplied VERSION.`,
    });
  await undo(executor, plan.name, runOptions);
}
