import { sql } from "drizzle-orm";
import type { PgDatabase, PgQueryResultHKT } from "drizzle-orm/pg-core";
import { sqlStateOf } from "../../src/errors.ts";
import { planInstall } from "../../src/install/plan-install.ts";
import { apply } from "../../src/run/apply.ts";
import type { DatabaseLike } from "../../src/executor/connect.ts";
import type { Definition } from "../../src/definition/definition.ts";
import { reporting } from "../../src/schema/reporting/index.ts";
import { ident } from "../../src/sql/quote.ts";

/** The domain under a name that only quoting survives, with roles of its own. */
export const domain = reporting({ schema: 'we"ird Schema', rolePrefix: "reporting_test" });

/** A Drizzle database of any driver. */
export type AnyDatabase = PgDatabase<PgQueryResultHKT>;

export type Persona = "org_admin" | "report_manager" | "report_viewer" | "user";

/** A tenant with one user for each persona, a template and two reports of `user`. */
export interface Organization {
  readonly id: string;
  readonly users: Readonly<Record<Persona, string>>;
  readonly template: string;
  readonly reports: readonly [string, string];
}

/** Installs a definition, or says what went wrong. */
export async function install(db: DatabaseLike, definition: Definition): Promise<void> {
  const { outcome, failure } = await apply(db, planInstall(definition));
  if (outcome !== "applied") throw new Error(JSON.stringify(failure));
}

/** A uuid that says what it is of. */
export const uuid = (kind: number, organization: number, at = 0): string =>
  `0000000${kind}-0000-4000-8000-${String(organization * 1000 + at).padStart(12, "0")}`;

/** Makes an organization, past row security; its number is in all of its ids. */
export async function organizationOf(db: AnyDatabase, number: number): Promise<Organization> {
  const id = uuid(1, number);
  const personas = ["org_admin", "report_manager", "report_viewer", "user"] as const;
  const users = Object.fromEntries(
    personas.map((persona, at) => [persona, uuid(2, number, at)]),
  ) as Record<Persona, string>;
  const template = uuid(3, number);
  const reports = [uuid(4, number, 1), uuid(4, number, 2)] as const;
  await db
    .insert(domain.organizations)
    .values({ id, name: `Org ${number}`, slug: `org-${number}` });
  await db.insert(domain.users).values(
    personas.map((persona) => ({
      ...person(persona),
      organizationId: id,
      id: users[persona],
      role: persona,
    })),
  );
  await db.insert(domain.templates).values({
    organizationId: id,
    id: template,
    name: "Sales",
    createdBy: users.report_manager,
    templateType: "tabular",
  });
  await db.insert(domain.reports).values(
    reports.map((report, at) => ({
      organizationId: id,
      id: report,
      name: `Report ${at + 1}`,
      templateId: template,
      createdBy: at === 0 ? users.user : users.report_manager,
    })),
  );
  return { id, users, template, reports };
}

/** The columns of a user that have no default, but for the ids. */
export function person(name: string) {
  return {
    email: `${name}@example.com`,
    username: name,
    firstName: "Ada",
    lastName: "Lovelace",
  };
}

/** Runs work as a persona of an organization, and afterwards is who one was; what failed is taken back. */
export async function as<T>(
  db: AnyDatabase,
  { id, users }: Organization,
  persona: Persona,
  work: (db: AnyDatabase) => Promise<T>,
): Promise<T> {
  return db.transaction(async (tx) => {
    await tx.execute(
      sql`select set_config('app.tenant_id', ${id}, true), set_config('app.user_id', ${users[persona]}, true)`,
    );
    await tx.execute(sql.raw(`SET LOCAL ROLE ${ident(domain.access.roles[persona] ?? "")}`));
    const result = await work(tx);
    await tx.execute(sql.raw("RESET ROLE"));
    return result;
  });
}

/** Runs work in a transaction that is taken back. */
export async function takenBack<T>(
  db: AnyDatabase,
  work: (db: AnyDatabase) => Promise<T>,
): Promise<T> {
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
