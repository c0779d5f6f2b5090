import { sql } from "drizzle-orm";
import {
  bigint,
  check,
  foreignKey,
  index,
  integer,
  jsonb,
  primaryKey,
  smallint,
  text,
  unique,
  uuid,
  type AnyPgColumn,
} from "drizzle-orm/pg-core";
import { tenant } from "../../../rls/row-class.ts";
import { ofMembers, ownOfMembers, readByAll } from "../access.ts";
import {
  keyColumns,
  moment,
  ofReport,
  refersToUser,
  writtenAt,
  type Basis,
  type ReportKey,
} from "../basis.ts";
import type { JsonObject } from "../shapes.ts";

/** A report on its way into a file. */
export function exportJobsTable<S extends string>(basis: Basis<S>, report: ReportKey) {
  const { space, enums, access, host } = basis;
  return space
    .table(
      "export_jobs",
      {
        ...keyColumns(),
        reportId: uuid("report_id").notNull(),
        requestedBy: uuid("requested_by"),
        exportFormat: enums.exportFormat("export_format").notNull(),
        status: enums.exportJobStatus("status").notNull().default("queued"),
        options: jsonb("options")
          .$type<JsonObject>()
          .notNull()
          .default(sql`'{}'::jsonb`),
        progressPercent: smallint("progress_percent").notNull().default(0),
        attempts: integer("attempts").notNull().default(0),
        fileUrl: text("file_url"),
        fileSizeBytes: bigint("file_size_bytes", { mode: "number" }),
        errorMessage: text("error_message"),
        startedAt: moment("started_at"),
        completedAt: moment("completed_at"),
        expiresAt: moment("expires_at"),
        ...writtenAt(),
      },
      (t) => [
        primaryKey({ name: "export_jobs_pkey", columns: [t.projectId, t.id] }),
        unique("export_jobs_report_key").on(t.projectId, t.reportId, t.id),
        ofReport("export_jobs_report_fkey", t, report).onDelete("cascade"),
        refersToUser("export_jobs_requested_by_fkey", t.requestedBy, host),
        check("export_jobs_options_form", sql`jsonb_typeof(options) = 'object'`),
        check("export_jobs_progress_range", sql`progress_percent between 0 and 100`),
        check("export_jobs_attempts_range", sql`attempts >= 0`),
        check("export_jobs_file_size_range", sql`file_size_bytes >= 0`),
        check(
          "export_jobs_completion",
          sql`status <> 'completed' or (file_url is not null and completed_at is not null and started_at is not null)`,
        ),
        check("export_jobs_failure", sql`status <> 'failed' or error_message is not null`),
        check("export_jobs_order", sql`completed_at >= started_at`),
        index("export_jobs_requested_by_idx").on(t.requestedBy),
        index("export_jobs_mine_idx").on(t.projectId, t.requestedBy, t.createdAt),
        index("export_jobs_report_idx").on(t.projectId, t.reportId, t.createdAt),
        index("export_jobs_recent_idx").on(t.projectId, t.createdAt),
        index("export_jobs_queue_idx")
          .on(t.projectId, t.createdAt)
          .where(sql`status = 'queued'`),
        index("export_jobs_to_expire_idx")
          .on(t.expiresAt)
          .where(sql`status = 'completed'`),
        ...access.rules(t, {
          select: readByAll,
          insert: {
            manager: ownOfMembers(access, t.requestedBy),
            member: ownOfMembers(access, t.requestedBy),
            viewer: ownOfMembers(access, t.requestedBy),
            system: tenant,
          },
          update: {
            manager: ownOfMembers(access, t.requestedBy),
            member: ownOfMembers(access, t.requestedBy),
            viewer: ownOfMembers(access, t.requestedBy),
            system: tenant,
          },
        }),
      ],
    )
    .enableRLS();
}

/** To whom a report went, how, and whether it arrived. A report that went out is not deleted. */
export function distributionLogTable<S extends string>(
  basis: Basis<S>,
  report: ReportKey,
  exportJob: {
    readonly projectId: AnyPgColumn;
    readonly reportId: AnyPgColumn;
    readonly id: AnyPgColumn;
  },
) {
  const { space, enums, access, host } = basis;
  return space
    .table(
      "pmr_distribution_log",
      {
        ...keyColumns(),
        reportId: uuid("report_id").notNull(),
        exportJobId: uuid("export_job_id"),
        distributedBy: uuid("distributed_by"),
        method: enums.distributionMethod("method").notNull(),
        recipient: text("recipient").notNull(),
        subject: text("subject"),
        message: text("message"),
        status: enums.distributionStatus("status").notNull().default("pending"),
        sentAt: moment("sent_at"),
        deliveredAt: moment("delivered_at"),
        openedAt: moment("opened_at"),
        errorMessage: text("error_message"),
        ...writtenAt(),
      },
      (t) => [
        primaryKey({ name: "pmr_distribution_log_pkey", columns: [t.projectId, t.id] }),
        ofReport("pmr_distribution_log_report_fkey", t, report),
        foreignKey({
          name: "pmr_distribution_log_export_job_fkey",
          columns: [t.projectId, t.reportId, t.exportJobId],
          foreignColumns: [exportJob.projectId, exportJob.reportId, exportJob.id],
        }),
        refersToUser("pmr_distribution_log_distributed_by_fkey", t.distributedBy, host),
        check(
          "pmr_distribution_log_recipient_form",
          sql`char_length(btrim(recipient)) between 1 and 320 and (method <> 'email' or recipient ~ '^[^@[:space:]]+@[^@[:space:]]+$')`,
        ),
        check(
          "pmr_distribution_log_failure",
          sql`status not in ('failed', 'bounced') or error_message is not null`,
        ),
        index("pmr_distribution_log_report_idx").on(t.projectId, t.reportId, t.exportJobId),
        index("pmr_distribution_log_distributed_by_idx").on(t.distributedBy),
        index("pmr_distribution_log_recent_idx").on(t.projectId, t.createdAt),
        index("pmr_distribution_log_recipient_idx").on(t.projectId, t.recipient, t.createdAt),
        index("pmr_distribution_log_to_send_idx")
          .on(t.projectId, t.createdAt)
          .where(sql`status = 'pending'`),
        index("pmr_distribution_log_undelivered_idx")
          .on(t.projectId, t.createdAt)
          .where(sql`status in ('failed', 'bounced')`),
        ...access.rules(t, {
          select: readByAll,
          insert: { manager: ownOfMembers(access, t.distributedBy), system: tenant },
          update: { manager: ofMembers, system: tenant },
        }),
      ],
    )
    .enableRLS();
}
