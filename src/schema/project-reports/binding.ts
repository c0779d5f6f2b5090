import type { AnyPgColumn } from "drizzle-orm/pg-core";
import { UnderpinError } from "../../errors.ts";

/** A column of the host that may be pointed to: it must be a uuid, as PostgreSQL demands of both ends of a foreign key. */
export type UuidColumn = AnyPgColumn<{ columnType: "PgUUID" }>;

/** Nothing more of a column that is a uuid, and of another a text that no column is: the compiler's message. */
export type IfUuid<C extends AnyPgColumn> = C["_"]["columnType"] extends "PgUUID"
  ? unknown
  : `projectReports points to this column: it must be a uuid, and is a ${C["_"]["columnType"]}`;

/** A simulation by its project and id. */
export interface SimulationKey {
  readonly projectId: UuidColumn;
  readonly id: UuidColumn;
}

/** How the domain is bound to a host. */
export interface ProjectReportsOptions<
  S extends string,
  P extends AnyPgColumn,
  U extends AnyPgColumn,
  MP extends AnyPgColumn,
  MU extends AnyPgColumn,
  X extends AnyPgColumn,
> {
  /** The key of the host's projects: the tenant. */
  readonly projects: P & IfUuid<P>;
  /** The key of the host's users, for example `auth.users.id`. */
  readonly users: U & IfUuid<U>;
  /** Who is in which project: two columns of one table of the host, or of a view. */
  readonly members: { readonly projectId: MP & IfUuid<MP>; readonly userId: MU & IfUuid<MU> };
  /**
   * The key of the host's Monte Carlo simulations; with the project where that is unique together, so that no report points to the
   * simulation of another project. Without it a report's simulation is an id that nothing checks.
   */
  readonly simulations?: (X & IfUuid<X>) | SimulationKey;
  /** @default "project_reports" */
  readonly schema?: S;
  /** Where `pg_trgm` is, or is put. @default "extensions" */
  readonly extensionSchema?: string;
  /** What role names begin with. @default the schema */
  readonly rolePrefix?: string;
  /** @default "underpin_migrator" */
  readonly migratorRole?: string;
  /** Membership is a lookup, which Citus could not send to its workers. @default "postgres" */
  readonly target?: "postgres" | "supabase";
}

/** The columns of the host that the domain points to or reads. */
export interface Host {
  readonly projects: AnyPgColumn;
  readonly users: AnyPgColumn;
  readonly members: { readonly projectId: AnyPgColumn; readonly userId: AnyPgColumn };
  /** The last one is the id. */
  readonly simulations:
    | readonly [id: AnyPgColumn]
    | readonly [project: AnyPgColumn, id: AnyPgColumn]
    | undefined;
}

/** The columns of a simulation's key, whichever way they were given. */
export function simulationKey(given: AnyPgColumn | SimulationKey | undefined): Host["simulations"] {
  if (given === undefined) return undefined;
  return "projectId" in given ? [given.projectId, given.id] : [given];
}

/** Refuses two columns of two tables, which Drizzle's types let through. */
export function refuseTwoTables({ projectId, userId }: Host["members"]): void {
  if (projectId.table === userId.table) return;
  throw new UnderpinError({
    code: "invalidInput",
    message: `members.projectId (${projectId.name}) and members.userId (${userId.name}) are columns of two tables`,
    hint: "Name two columns of the one table that says who is in which project.",
  });
}
