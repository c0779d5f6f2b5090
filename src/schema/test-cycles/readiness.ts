import { and, count, desc, eq, inArray, sql } from "drizzle-orm";
import type { PgColumn, PgDatabase, PgQueryResultHKT, PgTable } from "drizzle-orm/pg-core";
import type { PHASES } from "./enums.ts";

/** Any Drizzle database on PostgreSQL, or a transaction of one. */
export type ReadinessDatabase = Pick<PgDatabase<PgQueryResultHKT>, "select">;

/** An address that several users have. */
export interface DuplicateEmail {
  /** In lower case. */
  readonly email: string;
  readonly users: number;
}

/** A user whose token holds until it expires. */
export interface ActiveSession<Id> {
  readonly userId: Id;
  readonly lastLoginAt: Date;
}

/** A phase that is being worked on. */
export interface ActiveWorkflow<Id> {
  readonly phaseId: Id;
  readonly cycleId: Id;
  readonly reportId: Id;
  readonly phaseName: (typeof PHASES)[number];
}

/** What stands in the way of a change of the users' keys. */
export interface UserMigrationReadiness<Id> {
  /** Must be empty where a sign-in asks for the address alone. */
  readonly duplicateEmails: readonly DuplicateEmail[];
  /** Whose tokens name a key of before: they sign in again, or the application reads both. */
  readonly activeSessions: readonly ActiveSession<Id>[];
  /** Whose pages name keys of before. */
  readonly activeWorkflows: readonly ActiveWorkflow<Id>[];
}

/** How long a token holds. */
export interface SessionOptions {
  /** As an interval of PostgreSQL. @default "30 minutes" */
  readonly lifetime?: string;
}

/** A table of either form, as far as a query names it. */
type Named<C extends string> = PgTable & Readonly<Record<C, PgColumn>>;
type Users = Named<"userId" | "email" | "isActive" | "lastLoginAt">;
type Phases = Named<"phaseId" | "cycleId" | "reportId" | "phaseName" | "status">;

/** What a key is in TypeScript: a number, or the text of a uuid. */
type DataOf<C extends PgColumn> = C["_"]["data"];

/**
 * The addresses that several users have, whatever the case of their letters.
 *
 * In one line of business there is none: this finds who is in two. Row security shows a persona its own line of business only, so that it is
 * asked by a role that sees all.
 */
export async function duplicateEmails(
  db: ReadinessDatabase,
  { users }: { readonly users: Named<"email"> },
): Promise<readonly DuplicateEmail[]> {
  const email = sql<string>`lower(${users.email})`;
  return db
    .select({ email, users: count() })
    .from(users)
    .groupBy(email)
    .having(sql`count(*) > 1`)
    .orderBy(email);
}

/** The users whose token is younger than its lifetime, the latest first. */
export async function activeSessions<U extends Users>(
  db: ReadinessDatabase,
  { users }: { readonly users: U },
  { lifetime = "30 minutes" }: SessionOptions = {},
): Promise<readonly ActiveSession<DataOf<U["userId"]>>[]> {
  const table: Users = users;
  const { userId, lastLoginAt, isActive } = table;
  const rows: unknown = await db
    .select({ userId, lastLoginAt })
    .from(table)
    .where(and(eq(isActive, true), sql`${lastLoginAt} > now() - ${lifetime}::interval`))
    .orderBy(desc(lastLoginAt));
  return rows as readonly ActiveSession<DataOf<U["userId"]>>[];
}

/** The phases that have begun and are not done. */
export async function activeWorkflows<W extends Phases>(
  db: ReadinessDatabase,
  { workflowPhases }: { readonly workflowPhases: W },
): Promise<readonly ActiveWorkflow<DataOf<W["phaseId"]>>[]> {
  const table: Phases = workflowPhases;
  const { phaseId, cycleId, reportId, phaseName, status } = table;
  const rows: unknown = await db
    .select({ phaseId, cycleId, reportId, phaseName })
    .from(table)
    .where(inArray(status, ["in_progress", "pending_review"]))
    .orderBy(phaseId);
  return rows as readonly ActiveWorkflow<DataOf<W["phaseId"]>>[];
}

/**
 * What to look at before the users' keys are changed: duplicate addresses, tokens that still hold, phases that are being worked on.
 * It takes either form of the domain, or the tables of it.
 */
export async function userMigrationReadiness<U extends Users, W extends Phases>(
  db: ReadinessDatabase,
  domain: { readonly users: U; readonly workflowPhases: W },
  options: SessionOptions = {},
): Promise<UserMigrationReadiness<DataOf<U["userId"]>>> {
  return {
    duplicateEmails: await duplicateEmails(db, domain),
    activeSessions: await activeSessions(db, domain, options),
    activeWorkflows: await activeWorkflows(db, domain),
  };
}
