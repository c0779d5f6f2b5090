import { toError, UnderpinError } from "../../errors.ts";
import { validatePlan } from "../../plan/plan.ts";
import type { Plan } from "../../plan/step.ts";
import { loadMigrationModule } from "./load-module.ts";
import type { Body, Down, Migration, TextFile } from "./migration.ts";

/** A migration with what it does, loaded. */
export interface Resolved {
  readonly migration: Migration;
  readonly body: Body;
  readonly down: Down;
  /** The SQL of it, where it is made of SQL. */
  readonly text: string;
}

/** Finds out what a migration does: loads its module, or reads the plan beside its file. Modules are loaded only when they are run. */
export async function resolveMigration(migration: Migration): Promise<Resolved> {
  const { text, planFile } = migration;
  if (migration.language === "module") {
    const { body, down, text: sql } = await loadMigrationModule(migration);
    return {
      migration,
      body,
      down: down.kind === "none" ? fileDownOf(migration) : down,
      text: sql ?? "",
    };
  }
  if (planFile === undefined)
    return { migration, body: { kind: "sql" }, down: fileDownOf(migration), text };
  const plan = planOf(migration, planFile);
  return { migration, body: { kind: "plan", plan }, down: { kind: "plan" }, text };
}

/** What takes a migration back by the files beside it. */
export function fileDownOf({ down }: Migration): Down {
  if (down === undefined) return { kind: "none" };
  const { irreversible, text, file } = down;
  return irreversible === undefined
    ? { kind: "sql", text, file }
    : { kind: "irreversible", reason: irreversible };
}

function planOf({ file, checksum }: Migration, planFile: TextFile): Plan {
  const broken = (message: string, hint: string, cause?: unknown) =>
    new UnderpinError({ code: "migrationFolder", message, hint, cause });
  let value: { format?: unknown; sql?: unknown; plan?: unknown };
  try {
    value = (JSON.parse(planFile.text) ?? {}) as typeof value;
  } catch (cause) {
    throw broken(
      `${planFile.file} is not JSON: ${toError(cause).message.split("\n")[0]}`,
      "Generate the migration again, or delete the file: then the SQL is run as it stands.",
      cause,
    );
  }
  if (value.format !== 1 || typeof value.plan !== "object" || value.plan === null)
    throw broken(
      `${planFile.file} holds no plan of format 1`,
      "Generate the migration again with this version of underpin, or delete the file.",
    );
  if (value.sql !== checksum)
    throw broken(
      `${file} was edited after ${planFile.file} was made of it`,
      `Generate the migration again; or delete ${planFile.file}, and the SQL is run as it stands.`,
    );
  const plan = value.plan as Plan;
  validatePlan(plan);
  return plan;
}
