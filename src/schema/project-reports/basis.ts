import { sql } from "drizzle-orm";
import {
  foreignKey,
  timestamp,
  uuid,
  type AnyPgColumn,
  type ForeignKeyBuilder,
  type PgSchema,
} from "drizzle-orm/pg-core";
import type { ProjectAccess } from "./access.ts";
import type { Host } from "./binding.ts";
import type { Enums } from "./enums.ts";

/** What all tables of the domain stand on. */
export interface Basis<S extends string> {
  readonly space: PgSchema<S>;
  readonly enums: Enums;
  readonly access: ProjectAccess;
  readonly host: Host;
  readonly extensionSchema: string;
}

/** The two columns of every key: the project first, as every policy compares it. */
export function keyColumns() {
  return {
    projectId: uuid("project_id").notNull(),
    id: uuid("id")
      .notNull()
      .default(sql`gen_random_uuid()`),
  };
}

/** A moment, with its zone. */
export function moment<N extends string>(name: N) {
  return timestamp(name, { withTimezone: true });
}

/** When a row was made, and last written: a trigger keeps the latter. */
export function writtenAt() {
  return {
    createdAt: moment("created_at").notNull().defaultNow(),
    updatedAt: moment("updated_at").notNull().defaultNow(),
  };
}

/** A reference to a user that is forgotten when the account goes. */
export function refersToUser(
  name: string,
  column: AnyPgColumn,
  { users }: Host,
): ForeignKeyBuilder {
  return foreignKey({ name, columns: [column], foreignColumns: [users] }).onDelete("set null");
}

/** The key of a report, as the tables below it name it. */
export interface ReportKey {
  readonly projectId: AnyPgColumn;
  readonly id: AnyPgColumn;
}

/** The key of a session of one report, as the tables that point to it name it. */
export interface SessionKey {
  readonly projectId: AnyPgColumn;
  readonly reportId: AnyPgColumn;
  readonly id: AnyPgColumn;
}

/** A row of a report: it cannot be of another project than its report. */
export function ofReport(
  name: string,
  t: { readonly projectId: AnyPgColumn; readonly reportId: AnyPgColumn },
  report: ReportKey,
): ForeignKeyBuilder {
  return foreignKey({
    name,
    columns: [t.projectId, t.reportId],
    foreignColumns: [report.projectId, report.id],
  });
}

/** A row that was written in a session: it cannot be of another report than its session. */
export function ofSession(
  name: string,
  t: {
    readonly projectId: AnyPgColumn;
    readonly reportId: AnyPgColumn;
    readonly collaborationSessionId: AnyPgColumn;
  },
  session: SessionKey,
): ForeignKeyBuilder {
  return foreignKey({
    name,
    columns: [t.projectId, t.reportId, t.collaborationSessionId],
    foreignColumns: [session.projectId, session.reportId, session.id],
  });
}
