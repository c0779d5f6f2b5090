import { pathToFileURL } from "node:url";
import { resolve } from "node:path";
import { isUnderpinError, toError, UnderpinError } from "../../errors.ts";
import { validatePlan } from "../../plan/plan.ts";
import type { Plan } from "../../plan/step.ts";
import type { Body, Down, Migration, MigrationFunction } from "./migration.ts";

const EXPORTS =
  "Export a plan (export default plan(…)), or up and down: SQL as text, a plan, or functions of the transaction.";

/** What a module of a folder does, there and back. */
export interface LoadedModule {
  readonly body: Body;
  readonly down: Down;
  /** The SQL of `up`, where it is text. */
  readonly text: string | undefined;
}

/** Loads a module of a folder: TypeScript too, on every Node.js. */
export async function loadMigrationModule(migration: Migration): Promise<LoadedModule> {
  const exported = await importModule(migration.file, migration.path);
  const inner = exported["default"];
  const all: Exports = { ...(isObject(inner) ? inner : {}), ...exported };
  const plan = isPlan(inner) ? inner : all["plan"];
  const given =
    all["up"] ?? (typeof plan === "function" ? await called(migration.file, plan) : plan);
  const down = downOf(all["down"], migration.file);
  if (isPlan(given)) {
    validatePlan(given);
    return {
      body: { kind: "plan", plan: given },
      down: down.kind === "none" ? { kind: "plan" } : down,
      text: undefined,
    };
  }
  const text = textOf(given);
  if (text !== undefined) return { body: { kind: "sql" }, down, text };
  if (typeof given === "function")
    return { body: { kind: "functions", up: given as MigrationFunction }, down, text: undefined };
  throw refused(`${migration.file} exports neither a plan nor up`, EXPORTS);
}

type Exports = Readonly<Record<string, unknown>>;

function downOf(value: unknown, file: string): Down {
  if (value === undefined) return { kind: "none" };
  const text = textOf(value);
  if (text !== undefined) return { kind: "sql", text, file };
  if (typeof value === "function") return { kind: "function", down: value as MigrationFunction };
  if (isObject(value) && typeof value["irreversible"] === "string")
    return { kind: "irreversible", reason: value["irreversible"] };
  throw refused(
    `down of ${file} is none`,
    'Write SQL as text, a function of the transaction, or { irreversible: "why" }.',
  );
}

function textOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  const isList = Array.isArray(value) && value.every((one) => typeof one === "string");
  return isList ? (value as readonly string[]).join(";\n") : undefined;
}

async function called(file: string, make: unknown): Promise<unknown> {
  try {
    return await (make as () => unknown)();
  } catch (cause) {
    if (isUnderpinError(cause)) throw cause;
    throw refused(
      `the function that ${file} exports throws: ${toError(cause).message}`,
      EXPORTS,
      cause,
    );
  }
}

async function importModule(file: string, path: string): Promise<Exports> {
  const url = pathToFileURL(resolve(path)).href;
  try {
    if (!/\.[cm]?ts$/.test(path)) return (await import(url)) as Exports;
    const { createJiti } = await import("jiti");
    return await createJiti(url, { interopDefault: false }).import<Exports>(resolve(path));
  } catch (cause) {
    throw refused(
      `${file} cannot be loaded: ${toError(cause).message.split("\n").slice(0, 3).join("\n")}`,
      "The file itself throws or imports something that is not there: run it alone to see where.",
      cause,
    );
  }
}

function isObject(value: unknown): value is Exports {
  return typeof value === "object" && value !== null;
}

function isPlan(value: unknown): value is Plan {
  return isObject(value) && Array.isArray(value["steps"]);
}

function refused(message: string, hint: string, cause?: unknown): UnderpinError {
  return new UnderpinError({ code: "migrationFolder", message, hint, cause });
}
