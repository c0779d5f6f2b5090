import type { Findings } from "../catalog/finding.ts";
import { toExecutor, type DatabaseLike } from "../executor/connect.ts";
import { DEFAULT_RUN_OPTIONS } from "../run/options.ts";
import { compareLedger } from "./runner/compare-ledger.ts";
import { folderWarning } from "./runner/folder-finding.ts";
import { readDrizzleApplied, type DrizzleLedger } from "./runner/import-drizzle.ts";
import {
  BACK_PREFIX,
  readLedger,
  RUN_PREFIX,
  type LedgerRow,
  type MigrationRun,
} from "./runner/ledger.ts";
import type { Layout } from "./runner/migration.ts";
import { readFolder } from "./runner/read-folder.ts";
import { checkTenant, type Tenant } from "./runner/tenant.ts";

/** Of which folder, and where. */
export interface StatusOptions {
  readonly folder: string;
  readonly runSchema?: string;
  readonly tenant?: Tenant;
  readonly drizzleLedger?: DrizzleLedger | false;
}

/** How far a database is with a folder. */
export interface MigrationStatus {
  readonly layout: Layout;
  /** In the order in which they were applied. */
  readonly applied: readonly LedgerRow[];
  /** In the order in which they would be. */
  readonly pending: readonly string[];
  /** Applied by Drizzle's own migrator: the next migrate writes them into the ledger and does not run them. */
  readonly imported: readonly string[];
  /** Runs that stopped on their way, there or back. */
  readonly unfinished: readonly MigrationRun[];
  readonly findings: Findings;
}

/**
 * Says how far a database is with a folder, and all that is wrong with either. It changes nothing, and makes no ledger where there
 * is none.
 *
 * @example
 * const db = drizzle(new Pool({ connectionString: process.env.DATABASE_URL }));
 * const { applied, pending, findings } = await status(db, { folder: "./drizzle" });
 */
export async function status(
  db: DatabaseLike,
  {
    folder: path,
    runSchema = DEFAULT_RUN_OPTIONS.runSchema,
    tenant,
    drizzleLedger = {},
  }: StatusOptions,
): Promise<MigrationStatus> {
  const folder = readFolder(path);
  checkTenant(tenant, runSchema);
  const executor = toExecutor(db);
  const state = await readLedger(executor, { runSchema, tenant: tenant?.schema ?? "" });
  const { pending, squashed, findings } = compareLedger(folder, state);
  const looks = folder.layout !== "numbered" && drizzleLedger !== false && pending.length > 0;
  const found = looks
    ? await readDrizzleApplied(executor, drizzleLedger, pending, folder.migrations)
    : { migrations: [], findings: [] };
  const taken = new Set([...found.migrations, ...squashed]);
  const unfinished = [...state.runs.values()].filter(({ state: now }) => now !== "applied");
  return {
    layout: folder.layout,
    applied: state.rows,
    pending: pending.filter((migration) => !taken.has(migration)).map(({ version }) => version),
    imported: found.migrations.map(({ version }) => version),
    unfinished,
    findings: [
      ...folder.findings,
      ...findings.filter(({ object }) => !found.migrations.some((one) => one.version === object)),
      ...found.findings,
      ...unfinished.map(unfinishedFinding),
    ],
  };
}

function unfinishedFinding({ name, state, stepsApplied, stepsTotal }: MigrationRun) {
  const isBack = name.startsWith(BACK_PREFIX) || state === "undoing";
  const version = name.replace(RUN_PREFIX, "").replace(BACK_PREFIX, "");
  return folderWarning(
    "unfinished",
    version,
    `${name} is ${state}, ${stepsApplied} of ${stepsTotal} steps`,
    isBack
      ? "Go on with underpin rollback"
      : "Go on with underpin migrate: what is applied of it stays applied",
  );
}
