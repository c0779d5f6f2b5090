import { isUnderpinError, toError } from "../errors.ts";
import { hashPlan } from "../plan/hash.ts";
import { validatePlan } from "../plan/plan.ts";
import type { Plan } from "../plan/step.ts";
import type { Handler } from "../run/options.ts";
import { loadFile, type Loaded } from "./load-module.ts";
import { misuse } from "./misuse.ts";

/** What a plan file holds. */
export interface PlanFile {
  readonly plans: readonly Plan[];
  readonly handlers: Readonly<Record<string, Handler>>;
}

const EXPORTS_A_PLAN =
  'Export one: export default plan("name", [ … ]); an array of plans, or a function that returns one, will do too.';

/**
 * Reads the plans and handlers of a file: a JSON plan, or a module whose default export, or else its export `plan`, is a
 * plan, an array of plans, or a function that returns one.
 */
export async function readPlanFile(file: string): Promise<PlanFile> {
  const loaded = await loadFile(file);
  const exported = unwrap(loaded);
  const value = typeof exported === "function" ? await call(file, exported as Maker) : exported;
  const all = isPlanList(value) ? value.plans : value;
  if (all === undefined || all === null) throw misuse(`${file} exports no plan`, EXPORTS_A_PLAN);
  const plans = Array.isArray(all) ? (all as readonly unknown[]) : [all];
  if (plans.length === 0) throw misuse(`${file} exports an empty list of plans`, EXPORTS_A_PLAN);
  const checked = plans.map((plan) => checkedPlan(file, plan));
  const names = checked.map(({ name }) => name);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined)
    throw misuse(
      `${file} exports two plans named "${twice}"`,
      "The journal keeps runs apart by name: give one of them another.",
    );
  return { plans: checked, handlers: handlersOf(file, loaded) };
}

/** Reads the handlers of a module. */
export async function readHandlers(
  file: string,
  needed: "needed" | "if there are any" = "needed",
): Promise<Readonly<Record<string, Handler>>> {
  const loaded = await loadFile(file);
  if (needed === "needed" && member(loaded, "handlers") === undefined)
    throw misuse(
      `${file} has no export "handlers"`,
      "Export them: export const handlers = { archive: { version: 1, run: async (argument) => { … } } };",
    );
  return handlersOf(file, loaded);
}

type Maker = () => unknown;

async function call(file: string, make: Maker): Promise<unknown> {
  try {
    return await make();
  } catch (error) {
    if (isUnderpinError(error)) throw error;
    throw misuse(
      `the function that ${file} exports throws: ${toError(error).message}`,
      "It is called without arguments and returns a plan, or a promise of one.",
      error,
    );
  }
}

/** The default export or `plan`; a CommonJS module has both once more inside its default export. */
function unwrap(loaded: Loaded): unknown {
  const fallback = loaded["default"];
  const inner = typeof fallback === "object" && fallback !== null ? (fallback as Loaded) : {};
  if (isPlanLike(inner)) return inner;
  return inner["default"] ?? inner["plan"] ?? fallback ?? loaded["plan"];
}

function member(loaded: Loaded, name: string): unknown {
  const fallback = loaded["default"];
  return (
    loaded[name] ??
    (typeof fallback === "object" && fallback !== null ? (fallback as Loaded)[name] : undefined)
  );
}

function handlersOf(file: string, loaded: Loaded): Readonly<Record<string, Handler>> {
  const handlers = member(loaded, "handlers") ?? {};
  for (const [name, handler] of Object.entries(handlers as Record<string, unknown>)) {
    const { version, run } = (handler ?? {}) as { version?: unknown; run?: unknown };
    if (typeof version !== "number" || typeof run !== "function")
      throw misuse(
        `the handler "${name}" of ${file} is not { version: number, run: function }`,
        `export const handlers = { ${JSON.stringify(name)}: { version: 1, run: async (argument) => { … } } };`,
      );
  }
  return handlers as Readonly<Record<string, Handler>>;
}

function isPlanLike(value: unknown): value is { steps: unknown } {
  return typeof value === "object" && value !== null && "steps" in value;
}

function isPlanList(value: unknown): value is { plans: unknown } {
  return typeof value === "object" && value !== null && !isPlanLike(value) && "plans" in value;
}

const KINDS = new Set(["sql", "check", "gate", "call", "backfill"]);
const UNDOS = new Set(["statement", "nothing", "irreversible"]);

function checkedPlan(file: string, value: unknown): Plan {
  if (!isPlanLike(value) || !Array.isArray(value.steps))
    throw misuse(
      `${file} exports something that is no plan: it has no list of steps`,
      EXPORTS_A_PLAN,
    );
  const { hash, ...plan } = value as unknown as Plan & { hash?: unknown };
  for (const [at, step] of (plan.steps as readonly unknown[]).entries()) {
    const { id, kind, undo } = (step ?? {}) as { id?: unknown; kind?: unknown; undo?: unknown };
    const undoKind = ((undo ?? {}) as { kind?: unknown }).kind;
    if (typeof id !== "string" || !KINDS.has(String(kind)) || !UNDOS.has(String(undoKind)))
      throw misuse(
        `step ${at + 1} of plan "${plan.name}" in ${file} is no step: id ${show(id)}, kind ${show(kind)}, undo ${show(undoKind)}`,
        "Make steps with the recipes of underpin/migrations; each has an id, a kind and an undo.",
      );
  }
  validatePlan(plan);
  if (typeof hash === "string" && hash !== hashPlan(plan))
    throw misuse(
      `plan "${plan.name}" in ${file} was changed after it was printed: its hash says ${hash}, its content is ${hashPlan(plan)}`,
      "Print it anew with underpin plan FILE --format json, or take the line with the hash out.",
    );
  return plan;
}

function show(value: unknown): string {
  return value === undefined ? "missing" : JSON.stringify(value);
}
