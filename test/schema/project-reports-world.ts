import { sql } from "drizzle-orm";
import { drizzle as drizzlePglite } from "drizzle-orm/pglite";
import { drizzle as drizzlePostgresJs } from "drizzle-orm/postgres-js";
import { pgSchema, text, uuid, type PgDatabase, type PgQueryResultHKT } from "drizzle-orm/pg-core";
import type { PGlite } from "@electric-sql/pglite";
import type { Sql } from "postgres";
import type { Definition } from "../../src/definition/definition.ts";
import { emit } from "../../src/definition/emit/emit.ts";
import { sqlStateOf } from "../../src/errors.ts";
import type { DatabaseLike } from "../../src/executor/connect.ts";
import { planInstall } from "../../src/install/plan-install.ts";
import { apply } from "../../src/run/apply.ts";
import { projectReports } from "../../src/schema/project-reports/index.ts";
import { ident } from "../../src/sql/quote.ts";
import type { ProofOptions } from "../../src/rls/prove-isolation.ts";
import type { TestEngine } from "../support/server.ts";

/** A host with tables of its own, under names that only quoting survives. */
const hostSchema = pgSchema('we"ird Host');

export const people = hostSchema.table("people", {
  id: uuid("id").primaryKey(),
  mail: text("mail"),
});

export const projects = hostSchema.table("projects", { id: uuid("id").primaryKey() });

export const team = hostSchema.table("team", {
  projectId: uuid("project_id").notNull(),
  personId: uuid("person_id").notNull(),
});

export const sims = hostSchema.table("sims", { id: uuid("id").primaryKey() });

export const SCHEMA = 'we"ird Schema';

/** The domain over that host. */
export const domain = projectReports({
  projects: projects.id,
  users: people.id,
  members: { projectId: team.projectId, userId: team.personId },
  simulations: sims.id,
  schema: SCHEMA,
  rolePrefix: "pmr_test",
});

/** The statements that make the host. */
export const hostSql = emit([hostSchema, people, projects, team, sims])
  .map(({ create }) => `${create};`)
  .join("\n");

/** A Drizzle database of any driver. */
export type AnyDatabase = PgDatabase<PgQueryResultHKT>;

export type Persona = "manager" | "member" | "viewer" | "system";

/** Installs a definition, or says what went wrong. */
export async function install(db: DatabaseLike, definition: Definition): Promise<void> {
  const { outcome, failure } = await apply(db, planInstall(definition));
  if (outcome !== "applied") throw new Error(JSON.stringify(failure));
}

/** A uuid that says what it is of. */
export const id = (kind: number, project: number, at = 0): string =>
  `0000000${kind}-0000-4000-8000-${String(project * 1000 + at).padStart(12, "0")}`;

/** The people of a project: a manager, two members, a viewer; `outside` is in none. */
export const person = {
  manager: (project: number) => id(2, project, 1),
  member: (project: number) => id(2, project, 2),
  other: (project: number) => id(2, project, 3),
  viewer: (project: number) => id(2, project, 4),
  outside: id(2, 9, 9),
};

/** The report of a project. */
export const reportOf = (project: number): string => id(4, project);

/** Makes a project with its people and one report by its member, past row security. */
export async function projectOf(db: AnyDatabase, project: number): Promise<void> {
  const team_ = [person.manager, person.member, person.other, person.viewer];
  await db.insert(projects).values({ id: id(1, project) });
  await db
    .insert(people)
    .values([...team_.map((of) => ({ id: of(project) })), { id: person.outside }])
    .onConflictDoNothing();
  await db
    .insert(team)
    .values(team_.map((of) => ({ projectId: id(1, project), personId: of(project) })));
  await db.insert(sims).values({ id: id(5, project) });
  await db.insert(domain.pmrReports).values(reportRow(project, { id: reportOf(project) }));
}

/** A report as the member of a project would write it. */
export function reportRow(
  project: number,
  rest: Partial<typeof domain.pmrReports.$inferInsert> = {},
): typeof domain.pmrReports.$inferInsert {
  return {
    projectId: id(1, project),
    reportMonth: "2026-01-01",
    title: "January",
    createdBy: person.member(project),
    ...rest,
  };
}

/** What no generator guesses: a comment never answers itself. */
export const PROOF_ROWS: NonNullable<ProofOptions["generate"]> = {
  pmr_comments: () => ({ parent_comment_id: null, depth: "0" }),
};

/** Runs work as a persona of a project, and afterwards is who one was; what failed is taken back. */
export async function as<T>(
  db: AnyDatabase,
  persona: Persona,
  { project, user }: { readonly project: number; readonly user?: string },
  work: (db: AnyDatabase) => Promise<T>,
): Promise<T> {
  const userId = user ?? (persona === "system" ? "" : person[persona](project));
  return db.transaction(async (tx) => {
    await tx.execute(
      sql`select set_config('app.tenant_id', ${id(1, project)}, true), set_config('app.user_id', ${userId}, true)`,
    );
    await tx.execute(sql.raw(`SET LOCAL ROLE ${ident(`pmr_test_${persona}`)}`));
    const result = await work(tx);
    await tx.execute(sql.raw("RESET ROLE"));
    await tx.execute(
      sql`select set_config('app.tenant_id', '', true), set_config('app.user_id', '', true)`,
    );
    return result;
  });
}

/** Runs work and takes back what it did. */
export async function takenBack<T>(
  db: AnyDatabase,
  work: (db: AnyDatabase) => Promise<T>,
): Promise<T> {
  const signal = new Error("taken back");
  const results: T[] = [];
  try {
    await db.transaction(async (tx) => {
      results.push(await work(tx));
      throw signal;
    });
  } catch (error) {
    if (error !== signal) throw error;
  }
  return results[0] as T;
}

/** Why a statement was refused: SQLSTATE and constraint, or `done`. What it did is taken back. */
export async function refusal(
  db: AnyDatabase,
  work: (db: AnyDatabase) => Promise<unknown>,
): Promise<string> {
  try {
    await takenBack(db, work);
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

/** The rows of a query. */
export async function rowsOf(db: AnyDatabase, text: string): Promise<Record<string, unknown>[]> {
  const result: unknown = await db.execute(sql.raw(text));
  const rows = Array.isArray(result) ? result : (result as { rows: unknown[] }).rows;
  return rows.map((row) => ({ ...(row as Record<string, unknown>) }));
}

/** A PGlite with the host, the domain and project 1. */
export async function makeWorld(db: AnyDatabase, client: PGlite): Promise<void> {
  await client.exec(hostSql);
  await install(client, domain.definition);
  await projectOf(db, 1);
}

export function drizzleOf(engine: TestEngine): AnyDatabase {
  return engine.kind === "pglite"
    ? drizzlePglite(engine.db() as PGlite)
    : drizzlePostgresJs(engine.db() as Sql);
}
