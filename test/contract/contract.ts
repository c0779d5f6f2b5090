import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { canonical, type Canonical } from "../../src/catalog/canonical.ts";
import { readFacts, type Facts } from "../../src/catalog/read-facts.ts";
import { toExecutor } from "../../src/executor/connect.ts";
import type { Executor } from "../../src/executor/executor.ts";
import type { Plan } from "../../src/plan/step.ts";
import { apply } from "../../src/run/apply.ts";
import { DEFAULT_RUN_OPTIONS, type RunOptions } from "../../src/run/options.ts";
import { undo } from "../../src/run/undo.ts";
import { ident, qualified } from "../../src/sql/quote.ts";
import { measureRun } from "../../src/testing/expect-locks.ts";
import { mustBeAsBefore } from "../../src/testing/expect-reversible.ts";
import { WHOLE_MATRIX } from "../support/matrix.ts";
import { MAJORS } from "../support/server-binaries.ts";
import { onEngines, type TestEngine, type TestServer } from "../support/server.ts";

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
  /** Differences of locks that a plan cannot declare: of relations that it makes by the rows that it finds. */
  readonly undeclared?: (names: ContractNames) => (problem: string) => boolean;
}

const PLAIN: ContractNames = { schema: "app", table: "accounts", column: "email" };
const HOSTILE: ContractNames = { schema: 'we"ird Schema', table: 'ta"ble', column: "co'l" };

type Login = "a superuser" | "an owner under FORCE";

/** Each engine sees the hardest, and the newest server the easiest too; of the whole matrix, every try on every engine, twice. */
const HARDEST = ["hostile names", HOSTILE, "an owner under FORCE"] as const;
const EASIEST = ["plain names", PLAIN, "a superuser"] as const;

function triesOn({
  major,
  kind,
}: TestEngine): readonly (readonly [string, ContractNames, Login])[] {
  if (WHOLE_MATRIX) return [EASIEST, ["plain names", PLAIN, "an owner under FORCE"], HARDEST];
  return kind === "server" && major === MAJORS[MAJORS.length - 1] ? [EASIEST, HARDEST] : [HARDEST];
}

/**
 * What every recipe must keep: the locks that it declares and their number are the locks that it takes; its undo makes the catalog
 * equal again; a second run does nothing; rows survive. With hostile names as an owner under FORCE whom no policy names,
 * and with plain names as a superuser.
 *
 * All is seen in one life of the plan, since each reading of a catalog and each run costs more than what it is asked.
 */
export function contract(subject: ContractSubject): void {
  onEngines(
    subject.name,
    (engine) => {
      for (const [naming, names, login] of triesOn(engine))
        describe(`with ${naming} as ${login}`, () => obeys(subject, engine, names, login));
    },
    { shared: true },
  );
}

function obeys(
  { setup, plan, insert, options = {}, rows, undeclared }: ContractSubject,
  engine: TestEngine,
  names: ContractNames,
  login: Login,
): void {
  let admin: Executor;
  let db: Executor;
  let made: Plan;
  let before: Facts;
  const asAdmin = async <T>(work: () => Promise<T>): Promise<T> => {
    if (admin !== db) return work();
    await admin.query("RESET ROLE");
    const result = await work();
    if (login === "an owner under FORCE") await setOwner(admin);
    return result;
  };

  beforeAll(async () => {
    admin = toExecutor(engine.db());
    await clean(admin, names);
    await admin.query(`CREATE SCHEMA ${ident(names.schema)}`);
    db = login === "a superuser" ? admin : await asOwner(engine, admin, names);
    await db.query(setup(names));
    if (login === "an owner under FORCE") await force(db, names, rows === true);
    before = await readFacts(db);
    made = await plan(names, before, db);
  });

  afterAll(() => asAdmin(() => clean(admin, names)).finally(() => admin.query("RESET ROLE")));

  const lives = WHOLE_MATRIX ? ["in its first life", "in its second life"] : [""];
  it.each(lives)(
    "takes the locks that it declares, does nothing again, keeps rows, and leaves the catalog as it was %s",
    async () => {
      const look = async () => canonicalOf(await readFacts(db));
      const count = async () => {
        const [row] = await admin.query<{ n: string }>(
          `SELECT count(*)::text AS n FROM ${qualified(names.schema, names.table)}`,
        );
        return Number(row?.n);
      };
      const declarable = (problem: string) => undeclared?.(names)(problem) !== true;
      const applied = await measureRun(db, made, "apply", options);
      expect(applied.problems.filter(declarable)).toEqual([]);
      // A measurement that saw nothing would agree with everything.
      const measurable = made.steps.some(
        (step) =>
          step.kind === "sql" && (engine.kind === "server" || step.transaction !== "outside"),
      );
      if (measurable) expect(applied.steps).not.toEqual([]);
      expect(await apply(db, made, options)).toMatchObject({ outcome: "applied", ranHere: false });
      const between = await look();
      const rowsBetween = await asAdmin(async () => {
        const counted = await count();
        await admin.query(insert(names));
        return counted;
      });

      const undone = await measureRun(db, made, "undo", options);
      expect(undone.problems.filter(declarable)).toEqual([]);
      expect(await asAdmin(count)).toBe(rowsBetween + 1);
      expect(await undo(db, made, options)).toMatchObject({ outcome: "undone", ranHere: false });
      mustBeAsBefore(made, canonicalOf(before), between, await look());
      if (WHOLE_MATRIX)
        await asAdmin(() =>
          admin.query(`DELETE FROM ${qualified(names.schema, names.table)} WHERE id = 9999`),
        );
    },
  );
}

function canonicalOf(facts: Facts): Canonical {
  return canonical(facts, { leaveOut: [DEFAULT_RUN_OPTIONS.runSchema] });
}

async function clean(admin: Executor, { schema }: ContractNames): Promise<void> {
  await admin.query(`DROP SCHEMA IF EXISTS ${ident(schema)} CASCADE`);
  await admin.query(`DROP SCHEMA IF EXISTS ${ident(DEFAULT_RUN_OPTIONS.runSchema)} CASCADE`);
}

const PGLITE_OWNER = "contract_owner";

const owners = new Map<TestServer, { readonly role: string; readonly db: Executor }>();

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
  let owner = owners.get(server);
  if (owner === undefined) {
    const role = await server.role("owner");
    owner = { role, db: toExecutor(server.connect(server.urlAs(role))) };
    owners.set(server, owner);
  }
  await give(owner.role);
  return owner.db;
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
