import { sql } from "drizzle-orm";
import {
  bigint,
  check,
  foreignKey,
  index,
  integer,
  jsonb,
  primaryKey,
  text,
  uuid,
  varchar,
} from "drizzle-orm/pg-core";
import { among, anyOf, tenant } from "../../../rls/row-class.ts";
import type { Place } from "../access.ts";
import { isObject, isOneOf, moment, ofOrganization, rowId } from "../columns.ts";
import { EXECUTION_STATUSES, LOG_LEVELS, OUTPUT_FORMATS } from "../words.ts";
import type { Organizations } from "./organizations.ts";
import type { Reports } from "./reports.ts";
import type { Users } from "./users.ts";

/**
 * Each time a report was run, in one partition a month. `started_at` is in its primary key, since a key of a partitioned table holds the
 * column that it is partitioned by (0A000 otherwise), and so in what points to it.
 *
 * A worker that runs reports does so as a `report_manager`.
 */
export function reportExecutionsTable(
  { space, access }: Place,
  {
    organizations,
    users,
    reports,
  }: { organizations: Organizations; users: Users; reports: Reports },
) {
  return space
    .table(
      "report_executions",
      {
        organizationId: ofOrganization(),
        id: rowId(),
        reportId: uuid("report_id").notNull(),
        executedBy: uuid("executed_by").notNull(),
        status: varchar("status", { length: 50, enum: EXECUTION_STATUSES })
          .notNull()
          .default("running"),
        startedAt: moment("started_at").notNull().defaultNow(),
        completedAt: moment("completed_at"),
        executionTimeMs: integer("execution_time_ms"),
        resultSizeBytes: bigint("result_size_bytes", { mode: "number" }),
        outputFormat: varchar("output_format", { length: 20, enum: OUTPUT_FORMATS }),
        outputUrl: text("output_url"),
        errorMessage: text("error_message"),
        metadata: jsonb("metadata").$type<Record<string, unknown>>().notNull().default({}),
      },
      (t) => [
        primaryKey({
          name: "report_executions_pkey",
          columns: [t.organizationId, t.id, t.startedAt],
        }),
        // Without it an organization with executions cannot go: its users would go before them, who are still named there.
        foreignKey({
          name: "report_executions_organization_fk",
          columns: [t.organizationId],
          foreignColumns: [organizations.id],
        }).onDelete("cascade"),
        foreignKey({
          name: "report_executions_report_fk",
          columns: [t.organizationId, t.reportId],
          foreignColumns: [reports.organizationId, reports.id],
        }).onDelete("cascade"),
        foreignKey({
          name: "report_executions_executed_by_fk",
          columns: [t.organizationId, t.executedBy],
          foreignColumns: [users.organizationId, users.id],
        }),
        index("report_executions_report_idx").on(
          t.organizationId,
          t.reportId,
          t.startedAt.desc().nullsFirst(),
        ),
        index("report_executions_executed_by_idx").on(t.organizationId, t.executedBy),
        // Holds all that the statistics read, so that they are read from it alone.
        index("report_executions_statistics_idx").on(
          t.organizationId,
          t.startedAt,
          t.status,
          t.executionTimeMs,
        ),
        check("valid_execution_status", isOneOf("status", EXECUTION_STATUSES)),
        check("valid_output_format", isOneOf("output_format", OUTPUT_FORMATS)),
        check("valid_execution_time", sql`execution_time_ms >= 0`),
        check("valid_result_size", sql`result_size_bytes >= 0`),
        check("completed_at_after_started", sql`completed_at >= started_at`),
        check("valid_metadata", isObject("metadata")),
        ...access.rules(t, {
          select: {
            org_admin: tenant,
            report_manager: tenant,
            report_viewer: among("shared", "reportId"),
            user: anyOf(among("authored", "reportId"), among("shared", "reportId")),
          },
          insert: {
            org_admin: tenant,
            report_manager: tenant,
            // By the report and not by who runs it: else anybody could have any report run and read what it wrote.
            user: anyOf(among("authored", "reportId"), among("editable", "reportId")),
          },
          update: { org_admin: tenant, report_manager: tenant },
          delete: { org_admin: tenant },
        }),
      ],
    )
    .enableRLS();
}

/** The table of {@link reportExecutionsTable}. */
export type ReportExecutions = ReturnType<typeof reportExecutionsTable>;

/** What a worker says while it runs a report. */
export function executionLogsTable(
  { space, access }: Place,
  { reportExecutions }: { reportExecutions: ReportExecutions },
) {
  return space
    .table(
      "execution_logs",
      {
        organizationId: ofOrganization(),
        id: rowId(),
        executionId: uuid("execution_id").notNull(),
        executionStartedAt: moment("execution_started_at").notNull(),
        loggedAt: moment("logged_at").notNull().defaultNow(),
        level: varchar("level", { length: 20, enum: LOG_LEVELS }).notNull().default("info"),
        message: text("message").notNull(),
        details: jsonb("details").$type<Record<string, unknown>>().notNull().default({}),
      },
      (t) => [
        primaryKey({ name: "execution_logs_pkey", columns: [t.organizationId, t.id] }),
        foreignKey({
          name: "execution_logs_execution_fk",
          columns: [t.organizationId, t.executionId, t.executionStartedAt],
          foreignColumns: [
            reportExecutions.organizationId,
            reportExecutions.id,
            reportExecutions.startedAt,
          ],
        }).onDelete("cascade"),
        index("execution_logs_execution_idx").on(
          t.organizationId,
          t.executionId,
          t.executionStartedAt,
          t.loggedAt,
        ),
        check("valid_level", isOneOf("level", LOG_LEVELS)),
        check("valid_details", isObject("details")),
        ...access.rules(t, {
          select: { org_admin: tenant, report_manager: tenant },
          insert: { org_admin: tenant, report_manager: tenant },
          delete: { org_admin: tenant },
        }),
      ],
    )
    .enableRLS();
}

/** The table of {@link executionLogsTable}. */
export type ExecutionLogs = ReturnType<typeof executionLogsTable>;
