import { toError, UnderpinError } from "../errors.ts";
import type { DatabaseLike } from "../executor/connect.ts";
import { toExecutor } from "../executor/connect.ts";
import { ident, literal } from "../sql/quote.ts";
import { migrate, type MigrateOptions } from "./migrate.ts";
import type { MigrationReport } from "./runner/report.ts";
import type { Tenant } from "./runner/tenant.ts";

/** One of many that the same folder is applied to: a database, or a schema of one. */
export interface FleetTarget {
  /** What reports call it. */
  readonly name: string;
  readonly db: DatabaseLike;
  readonly tenant?: Tenant;
}

/** How to apply a folder to many. */
export interface FleetOptions extends Omit<MigrateOptions, "tenant"> {
  /** How many at the same time. @default 4 */
  readonly concurrency?: number;
  /** The share that goes first, at least one of them; where one of these fails, no other is begun. @default 0.05 */
  readonly canaryShare?: number;
  /** After more failures than this no further one is begun. @default 0 */
  readonly errorBudget?: number;
  /** Make the schema of a tenant that is not there yet. @default false */
  readonly createSchemas?: boolean;
  /** Told when one has ended. */
  readonly onEnded?: (target: FleetEnd) => void;
}

/** How it ended for one. */
export interface FleetEnd {
  readonly name: string;
  /** Missing where it could not even be begun: then there is an error. */
  readonly report?: MigrationReport;
  readonly error?: { readonly message: string; readonly hint?: string };
}

/** What became of all. */
export interface FleetReport {
  readonly outcome: "applied" | "failed" | "cancelled";
  readonly ended: readonly FleetEnd[];
  /** Names of those that were not begun. */
  readonly notBegun: readonly string[];
  readonly next: string;
}

/** The defaults of {@link FleetOptions}. */
export const DEFAULT_FLEET_OPTIONS = { concurrency: 4, canaryShare: 0.05, errorBudget: 0 } as const;

/**
 * Applies one folder to many databases or schemas: a few first, and the others only if those are well; then so many at a time, until
 * all are done or more have failed than may. Each has its own ledger, so that calling it again goes on with those that are left.
 *
 * @example
 * const db = drizzle(new Pool({ connectionString: process.env.DATABASE_URL }));
 * const targets = ["acme", "globex"].map((schema) => ({ name: schema, db, tenant: { schema } }));
 * const report = await migrateFleet(targets, { folder: "./drizzle", createSchemas: true });
 */
export async function migrateFleet(
  targets: readonly FleetTarget[],
  options: FleetOptions,
): Promise<FleetReport> {
  const { concurrency, canaryShare, errorBudget, createSchemas, onEnded, ...migrateOptions } = {
    ...DEFAULT_FLEET_OPTIONS,
    ...options,
  };
  refuseFleet(targets, { concurrency, canaryShare, errorBudget });
  const ended: FleetEnd[] = [];
  const one = async (target: FleetTarget) => {
    const end = await endOf(target, migrateOptions, createSchemas === true);
    ended.push(end);
    onEnded?.(end);
  };
  const isOver = (budget: number) =>
    options.signal?.aborted === true || ended.filter(isFailed).length > budget;
  const canaries = Math.min(targets.length, Math.max(1, Math.ceil(targets.length * canaryShare)));
  await inParallel(targets.slice(0, canaries), concurrency, () => isOver(0), one);
  // A canary that fails is what canaries are for: no budget is spent on them.
  if (!isOver(0))
    await inParallel(targets.slice(canaries), concurrency, () => isOver(errorBudget), one);
  const names = new Set(ended.map(({ name }) => name));
  const notBegun = targets.map(({ name }) => name).filter((name) => !names.has(name));
  const failed = ended.filter(isFailed).map(({ name }) => name);
  const outcome =
    failed.length > 0
      ? "failed"
      : notBegun.length > 0 || ended.some(isUnfinished)
        ? "cancelled"
        : "applied";
  return {
    outcome,
    ended,
    notBegun,
    next:
      outcome === "applied"
        ? "Nothing: all of them are where the folder is."
        : `Look at ${failed.length > 0 ? failed.join(", ") : "those that stopped"} and call it again: those that are done are left alone.`,
  };
}

async function endOf(
  { name, db, tenant }: FleetTarget,
  options: MigrateOptions,
  createSchemas: boolean,
): Promise<FleetEnd> {
  try {
    if (createSchemas && tenant !== undefined) await createSchema(db, tenant.schema);
    const report = await migrate(db, tenant === undefined ? options : { ...options, tenant });
    return { name, report };
  } catch (error) {
    const { hint } = error as { hint?: unknown };
    const message = toError(error).message;
    return { name, error: { message, ...(typeof hint === "string" ? { hint } : {}) } };
  }
}

/** Even IF NOT EXISTS asks for the right to create schemas: so it is looked for first. */
async function createSchema(db: DatabaseLike, schema: string): Promise<void> {
  const executor = toExecutor(db);
  const there = await executor.query(
    `SELECT 1 AS one FROM pg_catalog.pg_namespace WHERE nspname = ${literal(schema)}`,
  );
  if (there.length === 0) await executor.query(`CREATE SCHEMA IF NOT EXISTS ${ident(schema)}`);
}

function isFailed({ report, error }: FleetEnd): boolean {
  return error !== undefined || report?.outcome === "failed";
}

function isUnfinished({ report }: FleetEnd): boolean {
  return report !== undefined && report.outcome !== "applied";
}

async function inParallel<T>(
  all: readonly T[],
  workers: number,
  isOver: () => boolean,
  work: (one: T) => Promise<void>,
): Promise<void> {
  const left = [...all];
  await Promise.all(
    Array.from({ length: Math.min(workers, all.length) }, async () => {
      for (let next = left.shift(); next !== undefined; next = left.shift()) {
        if (isOver()) return;
        await work(next);
      }
    }),
  );
}

function refuseFleet(
  targets: readonly FleetTarget[],
  {
    concurrency,
    canaryShare,
    errorBudget,
  }: Required<Pick<FleetOptions, "concurrency" | "canaryShare" | "errorBudget">>,
): void {
  const names = targets.map(({ name }) => name);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  const wrong =
    twice !== undefined
      ? `two targets are named ${JSON.stringify(twice)}`
      : !(Number.isInteger(concurrency) && concurrency > 0)
        ? `concurrency is ${concurrency}`
        : !(canaryShare >= 0 && canaryShare <= 1)
          ? `canaryShare is ${canaryShare}`
          : !(errorBudget >= 0)
            ? `errorBudget is ${errorBudget}`
            : undefined;
  if (wrong !== undefined)
    throw new UnderpinError({
      code: "invalidInput",
      message: wrong,
      hint: "Each target has a name of its own; concurrency is a whole number from 1 up, canaryShare is from 0 to 1, errorBudget is a number of failures.",
    });
}
