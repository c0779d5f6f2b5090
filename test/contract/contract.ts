import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readFacts, type Facts } from "../../src/catalog/read-facts.ts";
import { toExecutor } from "../../src/executor/connect.ts";
import type { Executor } from "../../src/executor/executor.ts";
import type { Plan } from "../../src/plan/step.ts";
import { apply } from "../../src/run/apply.ts";
import { DEFAULT_RUN_OPTIONS, type RunOptions } from "../../src/run/options.ts";
import { undo } from "../../src/run/undo.ts";
import { ident, qualified } from "../../src/sql/quote.ts";
import { expectLocks } from "../../src/testing/expect-locks.ts";
import { expectReversible } from "../../src/testing/expect-reversible.ts";
import { applyThroughGates } from "../../src/testing/through-gates.ts";
import { onEngines, type TestEngine } from "../support/server.ts";

/** The names that a recipe is tried with. */
export interface ContractNames {
  readonly schema: string;
  readonly table: string;
  readonly column: string;
}

/** A recipe, and the tables that it is tried on. */
export interface ContractSubject {
  readonly name: string;
  /** Creates the tables, with rows. The schema is there, and its owner runs it. */
  readonly setup: (names: ContractNames) => string;
  readonly plan: (names: ContractNames, facts: Facts, db: Executor) => Plan | Promise<Plan>;
  /** It reads or writes rows: the owner under FORCE has a policy for them all. */
  readonly rows?: true;
  /** Adds one row after the plan was applied: it must survive the undo. */
  readonly insert: (names: ContractNames) => string;
  readonly options?: RunOptions;
}

const PLAIN: ContractNames = { schema: "app", table: "accounts", column: "email" };
const HOSTILE: ContractNames = { schema: 'we"ird Schema', table: 'ta"ble', column: "co'l" };

type Login = "a superuser" | "an owner under FORCE";

const TRIES: readonly (readonly [string, ContractNames, Login])[] = [
  ["plain names", PLAIN, "a superuser"],
  ["plain names", PLAIN, "an owner under FORCE"],
  ["hostile names", HOSTILE, "an owner under FORCE"],
];

/**
 * What every recipe must keep: the locks that it declares and their number are the locks that it takes; its undo makes the catalog
 * equal again; a second run does nothing; rows survive. With plain and hostile names, as a superuser and as an owner
 * under FORCE whom no policy names.
 */
export function contract(subject: ContractSubject): void {
  onEngines(subject.name, (engine) => {
    for (const [naming, names, login] of TRIES)
      describe(`with ${naming} as ${login}`, () => obeys(subject, engine, names, login));
  });
}

function obeys(
  { setup, plan, insert, options = {}, rows }: ContractSubject,
  engine: TestEngine,
  names: ContractNames,
  login: Login,
): void {
  let made: Plan;
  let admin: Executor;
  let db: Executor;

  beforeAll(async () => {
    admin = toExecutor(engine.db());
    await admin.query(`DROP SCHEMA IF EXISTS ${ident(names.schema)} CASCADE`);
    await admin.query(`DROP SCHEMA IF EXISTS ${ident(DEFAULT_RUN_OPTIONS.runSchema)} CASCADE`);
    await admin.query(`CREATE SCHEMA ${ident(names.schema)}`);
    db = login === "a superuser" ? admin : await asOwner(engine, admin, names);
    await db.query(setup(names));
    if (login === "an owner under FORCE") await force(db, names, rows === true);
    made = await plan(names, await readFacts(db, { schemas: [names.schema] }), db);
  });

  afterAll(async () => {
    if (engine.kind === "pglite") await admin.query("RESET ROLE");
  });

  it("takes the locks that it declares, and as many", async () => {
    const measured = await expectLocks(made, { ...options, on: db });
    const expected = made.steps.filter(
      (step) => step.kind === "sql" && (engine.kind === "server" || step.transaction !== "outside"),
    );
    // A measurement that saw nothing would agree with everything.
    expect(measured.length).toBeGreaterThanOrEqual(expected.length > 0 ? 1 : 0);
  });

  it("leaves the catalog and the rows as they were when it is taken back", async () => {
    await expectReversible(made, { ...options, on: db });
  });

  it("does nothing when it is applied again, and keeps rows that were written meanwhile", async () => {
    expect(await applyThroughGates(db, made, options)).toMatchObject({
      outcome: "applied",
      ranHere: true,
    });
    expect(await apply(db, made, options)).toMatchObject({ outcome: "applied", ranHere: false });
    const count = async () => {
      if (engine.kind === "pglite") await admin.query("RESET ROLE");
      const [row] = await admin.query<{ n: string }>(
        `SELECT count(*)::text AS n FROM ${qualified(names.schema, names.table)}`,
      );
      return Number(row?.n);
    };
    const before = await count();
    await admin.query(insert(names));
    if (engine.kind === "pglite" && login !== "a superuser") await setOwner(admin);
    expect(await undo(db, made, options)).toMatchObject({ outcome: "undone" });
    expect(await count()).toBe(before + 1);
    if (engine.kind === "pglite" && login !== "a superuser") await setOwner(admin);
    expect(await undo(db, made, options)).toMatchObject({ outcome: "undone", ranHere: false });
  });
}

const PGLITE_OWNER = "contract_owner";

/** The login that owns the schema and nothing else. On PGlite there is one session, which takes the role. */
async function asOwner(
  { kind, server }: TestEngine,
  admin: Executor,
  { schema }: ContractNames,
): Promise<Executor> {
  const give = async (role: string) => {
    const [row] = await admin.query<{ name: string }>("SELECT current_database()::text AS name");
    await admin.query(`ALTER SCHEMA ${ident(schema)} OWNER TO ${ident(role)}`);
    await admin.query(`GRANT CREATE ON DATABASE ${ident(row?.name ?? "")} TO ${ident(role)}`);
  };
  if (kind === "pglite" || server === undefined) {
    const [there] = await admin.query(`SELECT 1 FROM pg_roles WHERE rolname = '${PGLITE_OWNER}'`);
    if (there === undefined) await admin.query(`CREATE ROLE ${PGLITE_OWNER}`);
    await give(PGLITE_OWNER);
    await setOwner(admin);
    return admin;
  }
  const role = await server.role(`owner${schema.length}`);
  await give(role);
  return toExecutor(server.connect(server.urlAs(role)));
}

async function setOwner(admin: Executor): Promise<void> {
  await admin.query(`SET ROLE ${PGLITE_OWNER}`);
}

/** Row security that applies to the owner too, with a policy for somebody else only. */
async function force(db: Executor, { schema }: ContractNames, ownerToo: boolean): Promise<void> {
  const tables = await db.query<{ name: string }>(
    `SELECT c.relname::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1::text AND c.relkind IN ('r', 'p')`,
    [schema],
  );
  for (const { name } of tables) {
    const table = qualified(schema, name);
    await db.query(`ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY`);
    await db.query(`ALTER TABLE ${table} FORCE ROW LEVEL SECURITY`);
    await db.query(`CREATE POLICY somebody ON ${table} TO pg_monitor USING (true)`);
    if (ownerToo)
      await db.query(`CREATE POLICY everything ON ${table} TO CURRENT_USER USING (true)`);
  }
}
