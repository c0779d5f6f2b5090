import { sql } from "drizzle-orm";
import { check, index, jsonb, text, timestamp, uuid, type PgSchema } from "drizzle-orm/pg-core";
import { tenant } from "../../rls/row-class.ts";
import type { ProgressCardAccess } from "./access.ts";
import type { InstitutionTables } from "./institution-tables.ts";
import { ownKey, ownRow } from "./shared-columns.ts";

/** What an entry of the log says about progress cards. */
export interface HpcContext {
  readonly role: string;
  readonly student_id?: string;
  readonly cycle_id?: string;
  readonly report_id?: string;
  readonly evaluation_id?: string;
  readonly stakeholder?: string;
  readonly status?: string;
  readonly status_before?: string;
  readonly reason?: string;
}

/**
 * The log of the institution, the host's own entries among it. Rows are added and never changed.
 *
 * No persona writes here: the trigger that does runs as the reader, which FORCE lets in by a policy of its own. What the host has to say itself it adds as
 * the migrator. `actor_id` has no foreign key: the log outlives whom it names.
 */
export function auditTable(
  namespace: PgSchema,
  access: ProgressCardAccess,
  { institutions }: InstitutionTables,
) {
  const auditLogs = namespace
    .table(
      "audit_logs",
      {
        ...ownRow(),
        actorId: uuid("actor_id"),
        action: text("action").notNull(),
        tableName: text("table_name"),
        recordId: uuid("record_id"),
        oldValues: jsonb("old_values").$type<Readonly<Record<string, unknown>>>(),
        newValues: jsonb("new_values").$type<Readonly<Record<string, unknown>>>(),
        hpcContext: jsonb("hpc_context").$type<HpcContext>(),
        createdAt: timestamp("created_at", { withTimezone: true }).notNull().defaultNow(),
      },
      (t) => [
        ...ownKey("audit_logs", t, institutions),
        index("audit_logs_time_idx").on(t.institutionId, t.createdAt),
        index("audit_logs_record_idx").on(t.institutionId, t.recordId, t.createdAt),
        index("audit_logs_actor_idx").on(t.institutionId, t.actorId, t.createdAt),
        check("audit_logs_action_form", sql`action ~ '^[a-z][a-z0-9_.]{0,63}$'`),
        check("audit_logs_hpc_context_object", sql`jsonb_typeof(hpc_context) = 'object'`),
        ...access.rules(t, {
          appendOnly: true,
          select: { admin: tenant },
        }),
      ],
    )
    .enableRLS();
  return { auditLogs };
}

/** What {@link auditTable} makes. */
export type AuditTables = ReturnType<typeof auditTable>;
