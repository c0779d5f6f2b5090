import { canonical, type Canonical } from "../catalog/canonical.ts";
import { compareCatalogs } from "../catalog/compare.ts";
import { readFacts } from "../catalog/read-facts.ts";
import { UnderpinError } from "../errors.ts";
import { toExecutor, type DatabaseLike } from "../executor/connect.ts";
import type { Executor } from "../executor/executor.ts";
import type { Plan } from "../plan/step.ts";
import { DEFAULT_RUN_OPTIONS, type RunOptions } from "../run/options.ts";
import type { Report } from "../run/report.ts";
import { undo } from "../run/undo.ts";
import { applyThroughGates } from "../run/measure/through-gates.ts";

/** Where and how a plan is tried. */
export interface ExpectReversibleOptions extends RunOptions {
  /** The database to try it on: a scratch one, with the tables that the plan is about. */
  readonly on: DatabaseLike;
}

/**
 * Applies a plan, takes it back, and throws when the catalog is not what it was, or when the plan changed nothing at all.
 *
 * Equal means equal by name, definition, privilege and flag; see `compareCatalogs` for what is left out. Gates are confirmed.
 */
export async function expectReversible(
  plan: Plan,
  { on, ...options }: ExpectReversibleOptions,
): Promise<void> {
  const db = toExecutor(on);
  const runSchema = options.runSchema ?? DEFAULT_RUN_OPTIONS.runSchema;
  const before = await look(db, runSchema);
  mustEnd(plan, await applyThroughGates(db, plan, options), "applied");
  const between = await look(db, runSchema);
  mustEnd(plan, await undo(db, plan, options), "undone");
  const after = await look(db, runSchema);
  mustBeAsBefore(plan, before, between, after);
}

/** Throws when the catalog after the undo is not the one before, or the one between is. */
export function mustBeAsBefore(
  plan: Plan,
  before: Canonical,
  between: Canonical,
  after: Canonical,
): void {
  const left = compareCatalogs(before, after);
  if (left.length > 0)
    throw failed(
      plan,
      `its undo leaves another catalog:\n  ${left.map(({ path, before: was, after: is }) => `${path}: was ${was}, is ${is}`).join("\n  ")}`,
    );
  const changes = plan.steps.some(({ kind }) => kind === "sql");
  if (changes && compareCatalogs(before, between).length === 0)
    throw failed(plan, "it changed nothing in the catalog, so that its undo proves nothing");
}

async function look(db: Executor, runSchema: string) {
  return canonical(await readFacts(db), { leaveOut: [runSchema] });
}

function mustEnd(plan: Plan, { outcome, failure }: Report, expected: Report["outcome"]): void {
  if (outcome !== expected)
    throw failed(plan, `it ended ${outcome}: ${failure?.message ?? "no failure was reported"}`);
}

function failed({ name }: Plan, what: string): UnderpinError {
  return new UnderpinError({
    code: "checkFailed",
    message: `"${name}" cannot be taken back whole: ${what}`,
    hint: "Correct the undo of the step that makes the difference.",
  });
}
