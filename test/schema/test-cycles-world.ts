import type { PGlite } from "@electric-sql/pglite";
import { planInstall } from "../../src/install/plan-install.ts";
import { testCycles } from "../../src/schema/test-cycles/index.ts";
import type { KeyKind } from "../../src/schema/test-cycles/keys.ts";
import { ident } from "../../src/sql/quote.ts";
import { createTestDatabase, type TestDatabase } from "../../src/testing/create-test-database.ts";

/** The domain of the tests: one schema name for both forms, so that only their keys can differ. */
export function domainOf<K extends KeyKind>(keys: K) {
  return testCycles({ keys, schema: SCHEMA, rolePrefix: ROLES, migratorRole: `${ROLES}_migrator` });
}

/** The schema of the tests. */
export const SCHEMA = 'we"ird Schema';
/** What the roles of the tests begin with. */
export const ROLES = "tc'\"world";

/** An id of a row, in either form. */
export type Id = string | number;

/** The ids of one line of business, by what they are: `lob`, `manager`, `cycle`, `phase_planning` … */
export type Lob = Readonly<Record<(typeof NAMES)[number], Id>>;

/** A database with two lines of business that are alike, and no row between them. */
export interface World extends AsyncDisposable {
  readonly here: Lob;
  readonly there: Lob;
  readonly client: PGlite;
  readonly db: TestDatabase["db"];
  /** Runs statements as a superuser, and takes everything back: the last one's rows, or the SQLSTATE and constraint. */
  run(...statements: readonly string[]): Promise<Outcome>;
  /** The same as a persona of a line of business. */
  as(persona: Persona, lob: Lob, ...statements: readonly string[]): Promise<Outcome>;
}

/** Rows, or what went wrong. */
export type Outcome = readonly Readonly<Record<string, unknown>>[] | string;

/** Who there is, and under which name of {@link Lob} its user is. */
export const PERSONAS = {
  tester: "tester",
  test_manager: "manager",
  report_owner: "owner",
  data_provider: "provider",
  admin: "admin",
} as const;

/** One of the personas. */
export type Persona = keyof typeof PERSONAS;

const NAMES = [
  "lob",
  "admin",
  "manager",
  "tester",
  "owner",
  "provider",
  "report",
  "other_report",
  "cycle",
  "phase",
  "other_phase",
  "attribute",
  "sample",
  "execution",
  "observation",
  "request",
  "profile",
  "llm",
] as const;

/** Installs the domain and fills it. */
export async function openWorld(keys: KeyKind): Promise<World> {
  const database = await createTestDatabase({ setup: SETUPS[keys] });
  const { client } = database;
  await client.exec(`set search_path to ${ident(SCHEMA)}`);
  const run = async (statements: readonly string[]): Promise<Outcome> => {
    await client.exec("begin");
    try {
      let rows: Outcome = [];
      for (const statement of statements)
        rows = (await client.query<Record<string, unknown>>(statement)).rows;
      await client.exec("set constraints all immediate");
      return rows;
    } catch (error) {
      const { code, constraint } = error as {
        readonly code?: string;
        readonly constraint?: string;
      };
      if (code === undefined) throw error;
      return constraint === undefined ? code : `${code} ${constraint}`;
    } finally {
      await client.exec("rollback");
    }
  };
  return {
    here: await lobOf(client, "here"),
    there: await lobOf(client, "there"),
    client,
    db: database.db,
    run: (...statements) => run(statements),
    as: (persona, lob, ...statements) =>
      run([
        `select set_config('app.tenant_id', '${lob.lob}', true), set_config('app.user_id', '${lob[PERSONAS[persona]]}', true)`,
        `set local role ${ident(`${ROLES}_${persona}`)}`,
        ...statements,
      ]),
    [Symbol.asyncDispose]: () => database.close(),
  };
}

async function lobOf(client: PGlite, code: string): Promise<Lob> {
  const { rows } = await client.query<{ name: string; id: Id }>(
    "select name, id from ids where lob = $1",
    [code],
  );
  return Object.fromEntries(rows.map(({ name, id }) => [name, id])) as Lob;
}

const SETUPS = { integer: setUp("integer"), uuid: setUp("uuid") };

function setUp(keys: KeyKind) {
  return async (_: unknown, client: PGlite): Promise<void> => {
    // Without a journal, which takes longer than what it is about; test-cycles-install applies the plan as a plan.
    const { steps } = planInstall(domainOf(keys).definition);
    const statements = steps.map((step) => (step.kind === "sql" ? `${step.sql};\n` : ""));
    await client.exec(`begin;\n${statements.join("")}commit`);
    await client.exec(
      `set search_path to ${ident(SCHEMA)}; create table ids (lob text, name text, id ${keys})`,
    );
    for (const code of ["here", "there"]) await client.exec(fill(keys, code));
  };
}

/** One line of business: a cycle with two reports, of which the first is worked on. */
export function fill(keys: KeyKind, code: string): string {
  const decided = keys === "integer" ? "planning_attribute_id" : "id";
  const user = (name: string) =>
    `insert into users (lob_id, email, first_name, last_name) values (lob, '${name}@${code}.example', '${name}', 'x') returning user_id into ${name};`;
  return `do $$ declare ${NAMES.map((name) => `${name} ${keys};`).join(" ")} begin
    insert into lobs (code, name) values ('${code}', '${code}') returning lob_id into lob;
    ${["admin", "manager", "tester", "owner", "provider"].map(user).join("\n")}
    insert into user_roles (lob_id, user_id, role_id)
      select lob, u.user_id, r.role_id from users u join roles r on r.name = case u.first_name
        when 'manager' then 'test_manager' when 'owner' then 'report_owner' when 'provider' then 'data_provider' else u.first_name end
      where u.lob_id = lob;
    insert into user_permissions (lob_id, user_id, permission_id, reason)
      select lob, admin, permission_id, 'seldom' from permissions where resource = 'data_profiles' and action = 'read';
    insert into reports (lob_id, name, report_owner_id) values (lob, 'first', owner) returning report_id into report;
    insert into reports (lob_id, name) values (lob, 'second') returning report_id into other_report;
    insert into test_cycles (lob_id, name, start_date, test_manager_id) values (lob, 'spring', '2026-01-01', manager) returning cycle_id into cycle;
    insert into cycle_reports (lob_id, cycle_id, report_id, tester_id) values (lob, cycle, report, tester), (lob, cycle, other_report, null);
    insert into workflow_phases (lob_id, cycle_id, report_id, phase_name) values (lob, cycle, report, 'planning') returning phase_id into phase;
    insert into workflow_phases (lob_id, cycle_id, report_id, phase_name)
      select lob, cycle, report, p from unnest(enum_range(null::phase_name)) p where p <> 'planning';
    insert into workflow_phases (lob_id, cycle_id, report_id, phase_name) values (lob, cycle, other_report, 'planning') returning phase_id into other_phase;
    insert into cycle_report_planning_attributes (lob_id, phase_id, attribute_name) values (lob, phase, 'balance') returning id into attribute;
    insert into cycle_report_scoping_attributes (${decided}, lob_id, phase_id) values (attribute, lob, phase);
    insert into samples (lob_id, phase_id, identifier) values (lob, phase, 'row 1') returning sample_id into sample;
    insert into test_executions (lob_id, phase_id, sample_id, planning_attribute_id) values (lob, phase, sample, attribute) returning execution_id into execution;
    insert into observations (lob_id, phase_id, title, description) values (lob, phase, 'wrong', 'it is wrong') returning observation_id into observation;
    insert into requests_for_information (lob_id, phase_id, data_provider_id, subject, question) values (lob, phase, provider, 'why', 'why?') returning request_id into request;
    insert into data_profiles (lob_id, phase_id, planning_attribute_id, total_rows) values (lob, phase, attribute, 10) returning profile_id into profile;
    insert into llm_audit_logs (lob_id, user_id, provider, model, purpose, prompt, response, context)
      values (lob, tester, 'p', 'm', 'scoping', '?', '!', jsonb_build_object('report_id', report, 'phase_id', phase)) returning llm_audit_id into llm;
    insert into ids values ${NAMES.map((name) => `('${code}', '${name}', ${name})`).join(", ")};
  end $$`;
}
