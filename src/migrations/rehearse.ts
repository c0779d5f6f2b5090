import { canonical, type Canonical } from "../catalog/canonical.ts";
import { compareCatalogs } from "../catalog/compare.ts";
import type { Finding } from "../catalog/finding.ts";
import { readFacts, type Facts } from "../catalog/read-facts.ts";
import { UnderpinError } from "../errors.ts";
import { toExecutor, type DatabaseLike } from "../executor/connect.ts";
import type { Executor } from "../executor/executor.ts";
import { validatePlan } from "../plan/plan.ts";
import type { Plan, RelationName } from "../plan/step.ts";
import { DEFAULT_RUN_OPTIONS, type RunOptions } from "../run/options.ts";
import type { WorldOptions } from "../rls/proof/world-options.ts";
import { bootSandbox } from "../sandbox/boot.ts";
import { loadExtensions } from "../sandbox/load-extensions.ts";
import type { PostgresMajor } from "./lint/versions.ts";
import {
  extensionsIn,
  makeBase,
  readBase,
  type ReadBase,
  type RehearsalBase,
} from "./rehearsal/base.ts";
import { lostData, readData, type Data } from "./rehearsal/data.ts";
import { fillTables, userSchemas } from "./rehearsal/fill.ts";
import {
  catalogFindings,
  finding,
  nameOf,
  stepFindings,
  undeclaredFindings,
} from "./rehearsal/findings.ts";
import type { Rehearsal, RehearsedPlan, RehearsedStep } from "./rehearsal/rehearsal.ts";
import { notLookedAt } from "./rehearsal/not-looked-at.ts";
import { olderServerFindings } from "./rehearsal/older-server.ts";
import { rehearsableFolder, type RehearsableFolder } from "./rehearsal/rehearse-folder.ts";
import { rehearsablePlan, type Rehearsable } from "./rehearsal/rehearse-plan.ts";
import { rehearseWay, type MeasuredWay } from "./rehearsal/rehearse-way.ts";
import { chooseViewers, readView, viewChanges } from "./rehearsal/visibility.ts";

/** From where and on what a rehearsal runs. */
export interface RehearseOptions extends Pick<RunOptions, "handlers" | "runSchema" | "signal"> {
  /** The state before: a definition, or SQL as `pg_dump --schema-only` prints it. @default an empty database */
  readonly base?: RehearsalBase;
  /**
   * Of a folder, the first migration that is rehearsed: its version, or the beginning of one only. Those before it belong to the state before.
   * @default the last one; with a base all of them
   */
  readonly first?: string;
  /**
   * An empty database of a scratch server, with a login that is superuser: there CONCURRENTLY steps are measured too. What the rehearsal made
   * is left in it. @default a PGlite that lives as long as the call
   */
  readonly on?: DatabaseLike;
  /** The oldest server that it is for: what that would refuse is a finding. @default not looked for; `on` a server of that version it refuses itself */
  readonly postgres?: PostgresMajor;
  /** Rows of each table; where a definition has tenants, of each tenant. @default 20 */
  readonly rows?: number;
  /** Values for tables whose checks cannot be guessed, by the name of the table. */
  readonly generate?: WorldOptions["generate"];
}

/**
 * Runs plans, or the migrations of a folder, up and down where nobody waits, from the state before them, with rows in every table, and tells what was measured.
 *
 * For each statement: the locks that `pg_locks` shows before its commit, which tables it wrote anew and read whole, what failed; then
 * whether the way down restores the catalog and the rows, and how many rows each persona sees before and after. A lock that
 * makes readers or writers wait while rows are read or written is a finding; held for a moment it is only told.
 *
 * @example
 * import { createIndex, rehearse } from "underpin/migrations";
 *
 * const { ok, findings } = await rehearse(createIndex({ table: "users", parts: ["email"] }), {
 *   base: "CREATE TABLE users (id int PRIMARY KEY, email text NOT NULL)",
 * });
 * ok; // true
 */
export async function rehearse(
  what: Plan | readonly Plan[] | string,
  options: RehearseOptions = {},
): Promise<Rehearsal> {
  const base = readBase(options.base);
  const work = await workOf(what, options);
  if (options.on !== undefined) {
    const db = toExecutor(options.on);
    await refuseUsed(db);
    return rehearseOn(db, base, work, options);
  }
  const needed = [...base.extensions, ...work.texts.flatMap(extensionsIn)];
  await using sandbox = await bootSandbox({
    extensions: await loadExtensions([...new Set(needed)]),
  });
  return await rehearseOn(sandbox.executor, base, work, options);
}

async function workOf(
  what: Plan | readonly Plan[] | string,
  options: RehearseOptions,
): Promise<RehearsableFolder> {
  const running = runOptionsOf(options);
  const { base, first } = options;
  if (typeof what === "string")
    return rehearsableFolder(what, { first, hasBase: base !== undefined }, running);
  const plans = "steps" in what ? [what] : what;
  for (const plan of plans) validatePlan(plan);
  return {
    items: plans.map((plan) => rehearsablePlan(plan, running)),
    texts: plans.flatMap(({ steps }) => steps.map((step) => (step.kind === "sql" ? step.sql : ""))),
    prepare: () => Promise.resolve(),
  };
}

/** Nobody waits, and a machine that is busy with other tests shall not fail a step. */
const PATIENCE_MS = 60_000;

function runOptionsOf({ handlers, runSchema, signal }: RehearseOptions): RunOptions {
  return {
    lockTimeoutMs: PATIENCE_MS,
    lockBudgetMs: PATIENCE_MS,
    ...(handlers === undefined ? {} : { handlers }),
    ...(runSchema === undefined ? {} : { runSchema }),
    ...(signal === undefined ? {} : { signal }),
  };
}

async function refuseUsed(db: Executor): Promise<void> {
  const [row] = await db.query<{ database: string; tables: string }>(
    `SELECT pg_catalog.current_database()::text AS database, pg_catalog.count(c.oid)::text AS tables
     FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
     WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_'
       AND n.nspname <> 'information_schema'
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d WHERE d.objid = c.oid AND d.deptype = 'e')`,
  );
  if (row === undefined || row.tables === "0") return;
  throw new UnderpinError({
    code: "invalidInput",
    message: `database "${row.database}" is not empty: it holds ${row.tables} tables and views`,
    hint: "A rehearsal makes rows, runs the plan and takes it back. Hand over an empty database: CREATE DATABASE rehearsal; and the state before as `base`.",
  });
}

interface Ran {
  readonly item: Rehearsable;
  readonly up: MeasuredWay;
  readonly before: Canonical;
  down?: MeasuredWay;
}

async function rehearseOn(
  db: Executor,
  base: ReadBase,
  { items, prepare }: RehearsableFolder,
  options: RehearseOptions,
): Promise<Rehearsal> {
  const runSchema = options.runSchema ?? DEFAULT_RUN_OPTIONS.runSchema;
  await makeBase(db, base);
  await prepare(db, base.texts.length > 0);
  const filled = await fillTables(db, {
    definition: base.definition,
    rows: options.rows ?? 20,
    generate: options.generate,
    runSchema,
  });
  const schemas = await userSchemas(db, runSchema);
  const data = await readData(db, schemas);
  const first = await readFacts(db);
  const viewers = await chooseViewers(db, filled);
  const viewBefore = await readView(db, filled, viewers);
  const projected = (facts: Facts) => canonical(facts, { leaveOut: [runSchema] });
  const look = async () => projected(await readFacts(db));

  const findings: Finding[] = [];
  const ran: Ran[] = [];
  for (const item of items) {
    const before = ran.length === 0 ? projected(first) : await look();
    const up = await rehearseWay(db, runSchema, item.up);
    ran.push({ item, up, before });
    findings.push(...undeclaredFindings(item.name, "", up.undeclared));
    if (up.way.outcome === "failed") break;
  }
  const cameUp = ran.every(({ up }) => up.way.outcome === "done");
  const after = await readFacts(db);
  const visibility = viewChanges(filled, viewers, viewBefore, await readView(db, filled, viewers));
  const whole = cameUp && (await goDown(db, runSchema, ran, look, findings));
  if (whole)
    for (const { table, what } of lostData(data, await readData(db, schemas)))
      findings.push(
        finding(
          "rows-not-restored",
          "error",
          `table ${table}`,
          `after all was taken back: ${what}`,
        ),
      );
  const old = oldNames(first, after);
  const sources = { data, wasThere: (relation: RelationName) => old.has(nameOf(relation)) };
  const plans = ran.map((one) => planOf(one, data));
  for (const item of options.postgres === undefined ? [] : items)
    findings.push(...(await olderServerFindings(item, options.postgres ?? 18)));
  findings.unshift(...plans.flatMap((plan) => stepFindings(plan, sources)));
  return {
    format: 1,
    server: serverText(db, first),
    ok: findings.every(({ severity }) => severity === "info"),
    rows: Object.fromEntries([...data].map(([table, { rows }]) => [table, rows])),
    plans,
    findings,
    visibility,
    notLookedAt: notLookedAt({ items, plans, filled, data, first, after }),
  };
}

/** Takes all back, last first; returns whether the state before is reached. */
async function goDown(
  db: Executor,
  runSchema: string,
  ran: readonly Ran[],
  look: () => Promise<Canonical>,
  findings: Finding[],
): Promise<boolean> {
  for (const one of ran.toReversed()) {
    const { item, before } = one;
    findings.push(
      ...item.irreversible.map((why) => finding("irreversible", "warning", `"${item.name}"`, why)),
    );
    if (item.down === undefined) return false;
    const down = await rehearseWay(db, runSchema, item.down);
    one.down = down;
    findings.push(...undeclaredFindings(item.name, ", taken back", down.undeclared));
    if (down.way.outcome === "failed") {
      const why = down.report.failure?.message ?? "no failure was reported";
      findings.push(finding("not-taken-back", "error", `"${item.name}"`, why));
      return false;
    }
    if (!item.wholeWay) return false;
    findings.push(...catalogFindings(item.name, compareCatalogs(before, await look())));
  }
  return true;
}

/** What was there before, by the names that it had then and has later. */
function oldNames(first: Facts, after: Facts): ReadonlySet<string> {
  const oids = new Set([...first.tables, ...first.views].map(({ oid }) => oid));
  const later = [...after.tables, ...after.views].filter(({ oid }) => oids.has(oid));
  return new Set([...first.tables, ...first.views, ...later].map(nameOf));
}

function planOf({ item, up, down }: Ran, data: Data): RehearsedPlan {
  // A few rows that were looked up are no reading of the whole table.
  const whole = (step: RehearsedStep): RehearsedStep => ({
    ...step,
    scanned: step.scanned.filter((table) => table.rows >= (data.get(nameOf(table))?.rows ?? 1)),
  });
  return {
    name: item.name,
    up: { ...up.way, steps: up.way.steps.map(whole) },
    down: down === undefined ? null : { ...down.way, steps: down.way.steps.map(whole) },
  };
}

function serverText({ driver }: Executor, { server: { version } }: Facts): string {
  return `${driver === "pglite" ? "PGlite, " : ""}PostgreSQL ${Math.trunc(version / 10_000)}.${version % 10_000}`;
}
