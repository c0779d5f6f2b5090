import { planInstall } from "../../src/install/plan-install.ts";
import { sqlStateOf } from "../../src/errors.ts";
import type { DatabaseLike } from "../../src/executor/connect.ts";
import type { Executor, Queryable, Row } from "../../src/executor/executor.ts";
import type { Definition } from "../../src/definition/definition.ts";
import { apply } from "../../src/run/apply.ts";
import { observations } from "../../src/schema/observations/index.ts";
import { ident, literal, qualified } from "../../src/sql/quote.ts";

/** The domain under names that only quoting survives, with roles of its own. */
export const domain = observations({
  schema: `we"ird Schema`,
  managementSchema: `part"s`,
  rolePrefix: "observations_test",
  migratorRole: "observations_test_migrator",
});

/** A name in the domain's schema, for SQL. */
export const own = (name: string): string => qualified(`we"ird Schema`, name);

/** A name in the schema of who looks after partitions. */
export const managed = (name: string): string => qualified(`part"s`, name);

export type Persona = "admin" | "operator" | "viewer";

/** Installs a definition, or says what went wrong. */
export async function install(db: DatabaseLike, definition: Definition): Promise<void> {
  const { outcome, failure } = await apply(db, planInstall(definition));
  if (outcome !== "applied") throw new Error(JSON.stringify(failure));
}

/** What `pg_cron` would run, by the schedules of a definition, which only a server with it makes. */
export function jobsOf({ objects }: Definition): readonly string[] {
  return objects
    .filter(({ kind }) => kind === "schedule")
    .flatMap(({ create }) => [
      ...create.matchAll(/cron\.schedule\( ?'(?:[^']|'')*', '[^']*', '((?:[^']|'')*)'\)/g),
    ])
    .map(([, job = ""]) => job.replaceAll("''", "'"));
}

/** An id that says whose and what it is. */
export const uuid = (kind: number, company: number, at = 0): string =>
  `0000000${kind}-0000-4000-8000-${String(company * 1000 + at).padStart(12, "0")}`;

export const company = (number: number): string => uuid(1, number);
export const submission = (number: number, at = 0): string => uuid(3, number, at);

const PERSONAS: readonly Persona[] = ["admin", "operator", "viewer"];

/** A company with a user for each persona, past row security. */
export async function companyOf(db: Queryable, number: number): Promise<void> {
  await db.query(
    `INSERT INTO ${own("companies")} (company_id, name) VALUES (${literal(company(number))}, 'Company ${number}')`,
  );
  for (const [at, persona] of PERSONAS.entries())
    await db.query(
      `INSERT INTO ${own("users")} (company_id, id, email, display_name, role)
       VALUES (${literal(company(number))}, ${literal(uuid(2, number, at))}, '${persona}@example.com', 'Ada', '${persona}')`,
    );
}

/** A program with one site and one submission, past row security. */
export async function siteOf(
  db: Queryable,
  number: number,
  program: string,
  site: string,
  at = 0,
): Promise<void> {
  const of = literal(company(number));
  await db.query(`
    INSERT INTO ${own("pilot_programs")} (company_id, program_id, name, status, start_date)
    VALUES (${of}, '${program}', 'Pilot', 'active', '2024-01-01') ON CONFLICT DO NOTHING;
    INSERT INTO ${own("sites")} (company_id, program_id, site_id, name) VALUES (${of}, '${program}', '${site}', 'North');
    INSERT INTO ${own("submissions")} (company_id, submission_id, program_id, site_id, submitted_by)
    VALUES (${of}, ${literal(submission(number, at))}, '${program}', '${site}', ${literal(uuid(2, number, 1))})`);
}

/** An INSERT of one petri dish. */
export function dish(
  number: number,
  program: string,
  site: string,
  when: string,
  id: string,
  at = 0,
  table = "petri_observations",
): string {
  return `INSERT INTO ${own(table)} (company_id, program_id, site_id, created_at, observation_id, submission_id, dish_code, growth_index)
    VALUES (${literal(company(number))}, '${program}', '${site}', '${when}', ${literal(id)}, ${literal(submission(number, at))}, 'A1', 12.5)`;
}

/** Runs statements as a persona of a company, in a transaction of their own; the rows of the last. */
export async function as(
  db: Executor,
  number: number,
  persona: Persona,
  ...statements: readonly string[]
): Promise<readonly Row[]> {
  return db.transaction(async (tx) => {
    await tx.query(
      `SELECT pg_catalog.set_config('app.tenant_id', ${literal(company(number))}, true),
              pg_catalog.set_config('app.user_id', ${literal(uuid(2, number, PERSONAS.indexOf(persona)))}, true)`,
    );
    await tx.query(`SET LOCAL ROLE ${ident(domain.access.roles[persona] ?? "")}`);
    let rows: readonly Row[] = [];
    for (const statement of statements) rows = await tx.query(statement);
    return rows;
  });
}

/** Runs work in a transaction that is taken back. */
export async function takenBack<T>(db: Executor, work: (tx: Queryable) => Promise<T>): Promise<T> {
  const asAsked = new Error("taken back, as asked");
  const results: T[] = [];
  try {
    await db.transaction(async (tx) => {
      results.push(await work(tx));
      throw asAsked;
    });
  } catch (error) {
    if (error !== asAsked) throw error;
  }
  return results[0] as T;
}

/** Why a statement was refused: SQLSTATE and constraint; `done` where it was not. */
export async function refusal(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "done";
  } catch (error) {
    const state = sqlStateOf(error);
    if (state === undefined) throw error;
    return [state, constraintOf(error)].filter((part) => part !== "").join(" ");
  }
}

function constraintOf(error: unknown): string {
  for (let at: unknown = error; typeof at === "object" && at !== null; ) {
    const { constraint, constraint_name: name, cause } = at as Record<string, unknown>;
    if (typeof constraint === "string") return constraint;
    if (typeof name === "string") return name;
    at = cause;
  }
  return "";
}
