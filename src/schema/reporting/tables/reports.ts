import { sql } from "drizzle-orm";
import {
  check,
  foreignKey,
  index,
  integer,
  jsonb,
  primaryKey,
  text,
  unique,
  uuid,
  varchar,
} from "drizzle-orm/pg-core";
import { among, anyOf, own, tenant } from "../../../rls/row-class.ts";
import type { Place } from "../access.ts";
import { isObject, isOneOf, moment, ofOrganization, rowId, writtenAt } from "../columns.ts";
import { REPORT_STATUSES, SHARE_PERMISSIONS } from "../words.ts";
import type { Organizations } from "./organizations.ts";
import type { Templates } from "./templates.ts";
import type { Users } from "./users.ts";

/** A template with its parameters filled in. */
export function reportsTable(
  { space, access }: Place,
  {
    organizations,
    users,
    templates,
  }: { organizations: Organizations; users: Users; templates: Templates },
) {
  return space
    .table(
      "reports",
      {
        organizationId: ofOrganization(),
        id: rowId(),
        name: varchar("name", { length: 255 }).notNull(),
        description: text("description"),
        templateId: uuid("template_id").notNull(),
        createdBy: uuid("created_by").notNull(),
        parameters: jsonb("parameters").$type<Record<string, unknown>>().notNull().default({}),
        configuration: jsonb("configuration")
          .$type<Record<string, unknown>>()
          .notNull()
          .default({}),
        status: varchar("status", { length: 50, enum: REPORT_STATUSES }).notNull().default("draft"),
        priority: integer("priority").notNull().default(5),
        scheduledAt: moment("scheduled_at"),
        ...writtenAt(),
        lastExecuted: moment("last_executed"),
        executionCount: integer("execution_count").notNull().default(0),
      },
      (t) => [
        primaryKey({ name: "reports_pkey", columns: [t.organizationId, t.id] }),
        foreignKey({
          name: "reports_organization_fk",
          columns: [t.organizationId],
          foreignColumns: [organizations.id],
        }).onDelete("cascade"),
        foreignKey({
          name: "reports_template_fk",
          columns: [t.organizationId, t.templateId],
          foreignColumns: [templates.organizationId, templates.id],
        }),
        foreignKey({
          name: "reports_created_by_fk",
          columns: [t.organizationId, t.createdBy],
          foreignColumns: [users.organizationId, users.id],
        }),
        // NULLS FIRST as in ORDER BY … DESC: an index the other way round does not serve it, nulls or not.
        index("reports_org_status_created_idx").on(
          t.organizationId,
          t.status,
          t.createdAt.desc().nullsFirst(),
          t.id.desc().nullsFirst(),
        ),
        index("reports_created_at_idx").on(
          t.organizationId,
          t.createdAt.desc().nullsFirst(),
          t.id.desc().nullsFirst(),
        ),
        // For the foreign key, and for the question whether a template is at work.
        index("reports_template_status_idx").on(t.organizationId, t.templateId, t.status),
        index("reports_created_by_idx").on(t.organizationId, t.createdBy),
        index("reports_scheduled_at_idx")
          .on(t.organizationId, t.scheduledAt)
          .where(sql`scheduled_at IS NOT NULL`),
        index("reports_last_executed_idx").on(
          t.organizationId,
          t.lastExecuted.desc().nullsLast(),
          t.id.desc().nullsFirst(),
        ),
        index("reports_parameters_idx").using("gin", t.parameters),
        check("valid_status", isOneOf("status", REPORT_STATUSES)),
        check("valid_priority", sql`priority BETWEEN 1 AND 10`),
        check("valid_execution_count", sql`execution_count >= 0`),
        check("scheduled_has_time", sql`status <> 'scheduled' OR scheduled_at IS NOT NULL`),
        check("valid_parameters", isObject("parameters")),
        check("valid_configuration", isObject("configuration")),
        ...access.rules(t, {
          lookupColumns: { createdBy: "the trigger keep_created_by refuses another author" },
          select: {
            org_admin: tenant,
            report_manager: tenant,
            report_viewer: among("shared", "id"),
            user: anyOf(own("createdBy"), among("shared", "id")),
          },
          insert: {
            org_admin: own("createdBy"),
            report_manager: own("createdBy"),
            user: own("createdBy"),
          },
          update: {
            org_admin: tenant,
            report_manager: tenant,
            user: anyOf(own("createdBy"), among("editable", "id")),
          },
          delete: { org_admin: tenant, report_manager: tenant, user: own("createdBy") },
        }),
      ],
    )
    .enableRLS();
}

/** The table of {@link reportsTable}. */
export type Reports = ReturnType<typeof reportsTable>;

const OF_AUTHORS =
  "a user shares only reports that they wrote, before and after: those they may read and edit anyway";

/** Who may see or edit a report beside those whose role lets them. */
export function reportSharesTable(
  { space, access }: Place,
  { users, reports }: { users: Users; reports: Reports },
) {
  return space
    .table(
      "report_shares",
      {
        organizationId: ofOrganization(),
        id: rowId(),
        reportId: uuid("report_id").notNull(),
        sharedWith: uuid("shared_with").notNull(),
        sharedBy: uuid("shared_by").notNull(),
        permission: varchar("permission", { length: 20, enum: SHARE_PERMISSIONS })
          .notNull()
          .default("view"),
        expiresAt: moment("expires_at"),
        createdAt: moment("created_at").notNull().defaultNow(),
      },
      (t) => [
        primaryKey({ name: "report_shares_pkey", columns: [t.organizationId, t.id] }),
        unique("report_shares_report_user_key").on(t.organizationId, t.reportId, t.sharedWith),
        foreignKey({
          name: "report_shares_report_fk",
          columns: [t.organizationId, t.reportId],
          foreignColumns: [reports.organizationId, reports.id],
        }).onDelete("cascade"),
        foreignKey({
          name: "report_shares_shared_with_fk",
          columns: [t.organizationId, t.sharedWith],
          foreignColumns: [users.organizationId, users.id],
        }).onDelete("cascade"),
        foreignKey({
          name: "report_shares_shared_by_fk",
          columns: [t.organizationId, t.sharedBy],
          foreignColumns: [users.organizationId, users.id],
        }).onDelete("cascade"),
        // What a user sees is looked up here, once for each statement.
        index("report_shares_shared_with_idx").on(t.organizationId, t.sharedWith),
        index("report_shares_shared_by_idx").on(t.organizationId, t.sharedBy),
        check("valid_permission", isOneOf("permission", SHARE_PERMISSIONS)),
        check("expires_after_created", sql`expires_at > created_at`),
        ...access.rules(t, {
          lookupColumns: {
            reportId: OF_AUTHORS,
            sharedWith: OF_AUTHORS,
            permission: OF_AUTHORS,
            expiresAt: OF_AUTHORS,
          },
          select: {
            org_admin: tenant,
            report_manager: tenant,
            report_viewer: own("sharedWith"),
            user: anyOf(own("sharedWith"), among("authored", "reportId")),
          },
          insert: {
            org_admin: own("sharedBy"),
            report_manager: own("sharedBy"),
            // By the report and not by who shares: else anybody could open any report to a friend.
            user: among("authored", "reportId"),
          },
          update: {
            org_admin: tenant,
            report_manager: tenant,
            user: among("authored", "reportId"),
          },
          delete: {
            org_admin: tenant,
            report_manager: tenant,
            user: among("authored", "reportId"),
          },
        }),
      ],
    )
    .enableRLS();
}

/** The table of {@link reportSharesTable}. */
export type ReportShares = ReturnType<typeof reportSharesTable>;
