import { explain } from "../plan/explain.ts";
import type { Plan } from "../plan/step.ts";
import { DEFAULT_RUN_OPTIONS } from "../run/options.ts";
import { findVersion, upTo } from "./runner/compare-ledger.ts";
import type { Allowance } from "./runner/folder-finding.ts";
import { planOfMigration } from "./runner/plan-of.ts";
import { readSoundFolder } from "./runner/read-folder.ts";
import { resolveMigration } from "./runner/resolve-migration.ts";
import type { Tenant } from "./runner/tenant.ts";

/** Which migrations to write out. */
export interface MigrationScriptOptions {
  readonly folder: string;
  /** Begin after this one: the last that the database has. */
  readonly after?: string;
  readonly to?: string;
  readonly allow?: readonly Allowance[];
  readonly runSchema?: string;
  readonly tenant?: Tenant;
}

/** The plans of a folder's migrations, as `migrate` would run them: for reading, without a database. */
export async function migrationPlans(options: MigrationScriptOptions): Promise<readonly Plan[]> {
  const { folder: path, after, to, allow, tenant } = options;
  const { runSchema = DEFAULT_RUN_OPTIONS.runSchema } = options;
  const { migrations } = readSoundFolder(path, allow);
  const versions = migrations.map(({ version }) => version);
  const from = after === undefined ? 0 : versions.indexOf(findVersion(versions, after)) + 1;
  const place = { runSchema, tenant: tenant?.schema ?? "" };
  const resolved = await Promise.all(upTo(migrations, to).slice(from).map(resolveMigration));
  return resolved.map((one) => planOfMigration(one, place, tenant));
}

/**
 * A folder's migrations as one SQL script for a person who runs it by hand, the rows of the ledger included, without a connection.
 *
 * Run with `psql -v ON_ERROR_STOP=1`; the ledger must be there. Gates, calls and backfills stand in it as comments.
 *
 * @example
 * const folder = process.env.MIGRATIONS ?? "./migrations";
 * console.log(await migrationScript({ folder, after: "003" }));
 */
export async function migrationScript(options: MigrationScriptOptions): Promise<string> {
  const plans = await migrationPlans(options);
  return `${plans.map((plan) => explain(plan, { format: "sql" })).join("\n\n")}\n`;
}
