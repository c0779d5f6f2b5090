import {
  check,
  foreignKey,
  index,
  inet,
  jsonb,
  primaryKey,
  text,
  uuid,
  varchar,
} from "drizzle-orm/pg-core";
import { own, tenant } from "../../../rls/row-class.ts";
import type { Place } from "../access.ts";
import { isOneOf, moment, ofOrganization, rowId } from "../columns.ts";
import { AUDIT_ACTIONS, RESOURCE_TYPES } from "../words.ts";
import type { Organizations } from "./organizations.ts";
import type { Users } from "./users.ts";

/**
 * Who did what, in one partition a month. Its rows are never changed: so nobody who is in it is deleted, nor is an organization, where ON DELETE SET
 * NULL or CASCADE would rewrite what happened. Accounts are made inactive, and months are dropped whole.
 *
 * A user writes rows about themselves only. Rows without user are the host's, which writes them past the personas.
 */
export function auditLogsTable(
  { space, access }: Place,
  { organizations, users }: { organizations: Organizations; users: Users },
) {
  return space
    .table(
      "audit_logs",
      {
        organizationId: ofOrganization(),
        id: rowId(),
        userId: uuid("user_id"),
        action: varchar("action", { length: 100, enum: AUDIT_ACTIONS }).notNull(),
        resourceType: varchar("resource_type", { length: 50, enum: RESOURCE_TYPES }).notNull(),
        resourceId: uuid("resource_id"),
        oldValues: jsonb("old_values").$type<Record<string, unknown>>(),
        newValues: jsonb("new_values").$type<Record<string, unknown>>(),
        ipAddress: inet("ip_address"),
        userAgent: text("user_agent"),
        timestamp: moment("timestamp").notNull().defaultNow(),
        sessionId: uuid("session_id"),
      },
      (t) => [
        primaryKey({ name: "audit_logs_pkey", columns: [t.organizationId, t.id, t.timestamp] }),
        foreignKey({
          name: "audit_logs_organization_fk",
          columns: [t.organizationId],
          foreignColumns: [organizations.id],
        }),
        foreignKey({
          name: "audit_logs_user_fk",
          columns: [t.organizationId, t.userId],
          foreignColumns: [users.organizationId, users.id],
        }),
        index("audit_logs_timestamp_idx").on(
          t.organizationId,
          t.timestamp.desc().nullsFirst(),
          t.id.desc().nullsFirst(),
        ),
        index("audit_logs_user_idx").on(
          t.organizationId,
          t.userId,
          t.timestamp.desc().nullsFirst(),
        ),
        index("audit_logs_resource_idx").on(
          t.organizationId,
          t.resourceType,
          t.resourceId,
          t.timestamp.desc().nullsFirst(),
        ),
        check("valid_action", isOneOf("action", AUDIT_ACTIONS)),
        check("valid_resource_type", isOneOf("resource_type", RESOURCE_TYPES)),
        ...access.rules(t, {
          appendOnly: true,
          select: { org_admin: tenant },
          insert: {
            org_admin: own("userId"),
            report_manager: own("userId"),
            report_viewer: own("userId"),
            user: own("userId"),
          },
        }),
      ],
    )
    .enableRLS();
}

/** The table of {@link auditLogsTable}. */
export type AuditLogs = ReturnType<typeof auditLogsTable>;
