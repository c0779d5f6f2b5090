import type { Definition } from "../definition/definition.ts";
import { UnderpinError } from "../errors.ts";
import { toExecutor, type DatabaseLike } from "../executor/connect.ts";
import type { Queryable } from "../executor/executor.ts";
import { ident, literal } from "../sql/quote.ts";
import { readProofCatalog } from "./proof/catalog.ts";
import { leftoverCells } from "./proof/context-cells.ts";
import { POSTURE_FUNCTIONS } from "./proof/declared-policies.ts";
import { lookupProbes } from "./proof/lookup-probes.ts";
import { planCells, type CellPlan } from "./proof/plan-cells.ts";
import { judgeCells } from "./proof/judge.ts";
import { modelOf, schemasOf } from "./proof/model.ts";
import { mutationsOf } from "./proof/mutations.ts";
import { runMutations } from "./proof/run-mutations.ts";
import type { Cell, MutationResult, Proof } from "./proof/proof.ts";
import { ask, prepareRunner } from "./proof/runner.ts";
import { refreshes } from "./proof/view-cells.ts";
import { INSERT, makeWorld, type World } from "./proof/world.ts";
import type { WorldOptions } from "./proof/world-options.ts";

/** How a proof is made. */
export interface ProofOptions extends WorldOptions {
  /** Whether the proof is itself tried, by breaking the protection in every way it knows. @default true */
  readonly mutate?: boolean;
}

/**
 * Proves that nobody reads or writes across tenants, in a database where the definition is installed.
 *
 * It makes two or three tenants of the same shape, with rows against the rules; tries every persona, object, command and context that the
 * catalog has; compares with the declared matrix, which it evaluates itself; asks the same with keys that another tenant has and with keys that nobody
 * has, which must be answered alike; and then breaks the protection in every way it knows, each of which must turn a cell red.
 *
 * All of it happens in transactions that are rolled back, as a superuser, in a database of tests: a table with many rows is read whole, and
 * some of what is tried takes ACCESS EXCLUSIVE.
 *
 * @example
 * import { pgTable, primaryKey, uuid } from "drizzle-orm/pg-core";
 * import { apply, defineDatabase, planInstall } from "underpin";
 * import { defineAccess, proveIsolation, tenant } from "underpin/rls";
 *
 * const access = defineAccess({ schema: "till", tenantColumn: "shopId", personas: ["clerk"] });
 * const sales = pgTable(
 *   "sales",
 *   { shopId: uuid("shop_id").notNull(), id: uuid("id").notNull().defaultRandom() },
 *   (t) => [
 *     primaryKey({ name: "sales_pkey", columns: [t.shopId, t.id] }),
 *     ...access.rules(t, { select: { clerk: tenant }, insert: { clerk: tenant } }),
 *   ],
 * ).enableRLS();
 * const definition = defineDatabase({ name: "till", tables: { sales }, access });
 * await apply(db, planInstall(definition));
 * const { ok, score } = await proveIsolation(db, definition);
 * console.log(ok, `${score.shown} of ${score.total} ways to break it were noticed`);
 */
export async function proveIsolation(
  db: DatabaseLike,
  definition: Definition,
  options: ProofOptions = {},
): Promise<Proof> {
  const started = performance.now();
  if (definition.access.length === 0) throw withoutAccess(definition);
  return toExecutor(db).session(async (session) => {
    const done: Inside[] = [];
    const takeBack = new Error("rolled back, as meant");
    await session
      .transaction(async (transaction) => {
        done.push(await insideOf(transaction, definition, options));
        throw takeBack;
      })
      .catch((error: unknown) => {
        if (error !== takeBack) throw error;
      });
    const [inside] = done;
    if (inside === undefined) throw takeBack;
    const leftover: Cell[] = [];
    await session
      .transaction(async (transaction) => {
        leftover.push(...(await afterwards(transaction, definition)));
        throw takeBack;
      })
      .catch((error: unknown) => {
        if (error !== takeBack) throw error;
      });
    return proofOf(definition, inside, leftover, options, performance.now() - started);
  });
}

interface Inside {
  readonly server: string;
  readonly plan: CellPlan;
  readonly world: World;
  readonly cells: readonly Cell[];
  readonly mutations: readonly MutationResult[];
}

async function insideOf(
  db: Queryable,
  definition: Definition,
  options: ProofOptions,
): Promise<Inside> {
  const server = await prepare(db, definition);
  const model = modelOf(definition, await readProofCatalog(db, schemasOf(definition)));
  const world = await makeWorld(db, model, options);
  const filled = refreshes(model);
  if (filled.length > 0) await db.query(filled.join(";\n"));
  const plan = await planCells(db, model, world);
  const answers = await ask(
    db,
    plan.cells.map(({ question }) => question),
    plan.askers,
  );
  const cells = judgeCells(plan.cells, answers, world, plan);
  const mutations =
    options.mutate === false
      ? []
      : await runMutations(db, mutationsOf(model), { plan, answers, cells });
  return { server, plan, world, cells, mutations };
}

/** What no part of the transaction before may have left in the session. */
async function afterwards(db: Queryable, definition: Definition): Promise<readonly Cell[]> {
  await prepareRunner(db);
  const { cells, askers } = leftoverCells(definition);
  const answers = await ask(
    db,
    cells.map(({ question }) => question),
    askers,
  );
  return judgeCells(cells, answers, undefined);
}

/** Who is not asked by row security and can put triggers to sleep is needed to make rows and to see all. */
async function prepare(db: Queryable, definition: Definition): Promise<string> {
  const [who] = await db.query<{ superuser: boolean; name: string; version: string }>(
    `SELECT r.rolsuper AS superuser, r.rolname AS name, pg_catalog.current_setting('server_version') AS version
     FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user`,
  );
  if (who?.superuser !== true)
    throw new UnderpinError({
      code: "missingRight",
      message: `${who?.name ?? "the login"} is no superuser: it cannot make rows for several tenants and see which are hidden`,
      hint: "Prove isolation in a test database, as its superuser: createTestDatabase() of underpin/testing is one.",
    });
  const path = [...schemasOf(definition), "public", "extensions"].map(ident).join(", ");
  await prepareRunner(db);
  await db.query(`${[INSERT, ...POSTURE_FUNCTIONS, ...lookupProbes(definition)].join(";\n")};
    SET LOCAL search_path TO ${path};
    SET LOCAL lc_messages TO ${literal("C").trim()};
    SET LOCAL session_replication_role TO replica;
    SET LOCAL row_security TO on;
    SET LOCAL jit TO off;
    SET LOCAL plan_cache_mode TO force_generic_plan`);
  return `PostgreSQL ${who.version}`;
}

function proofOf(
  definition: Definition,
  { server, world, cells, mutations, plan }: Inside,
  leftover: readonly Cell[],
  options: ProofOptions,
  milliseconds: number,
): Proof {
  const possible = mutations.filter(({ status }) => status !== "impossible");
  const shown = possible.filter(({ status }) => status === "shown");
  const all = [...cells, ...leftover];
  const rows = Object.fromEntries(
    plan.tables.map(({ path, sql }) => [path, (world.rows.get(sql) ?? []).length]),
  );
  return {
    definition: definition.name,
    ok:
      all.every(({ status }) => status === "held" || status === "accepted") &&
      shown.length === possible.length &&
      world.problems.length === 0,
    server,
    seed: options.seed ?? 1,
    rows,
    cells: all,
    mutations,
    score: {
      shown: shown.length,
      total: possible.length,
      byBehaviour: shown.filter(({ shownBy }) => shownBy === "behaviour").length,
    },
    problems: world.problems,
    milliseconds: Math.round(milliseconds),
  };
}

function withoutAccess({ name }: Definition): UnderpinError {
  return new UnderpinError({
    code: "invalidInput",
    message: `the definition "${name}" declares no access: there is nothing to prove`,
    hint: "Hand an access to it: defineDatabase({ …, access }).",
  });
}
