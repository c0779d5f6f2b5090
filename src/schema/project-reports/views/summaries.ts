import { sql } from "drizzle-orm";
import { boolean, date, integer, numeric, text, timestamp, uuid } from "drizzle-orm/pg-core";
import type { Basis } from "../basis.ts";
import { namer } from "../names.ts";

const average = <N extends string>(name: N) => numeric(name, { mode: "number" });

/** One row for each project that has reports. */
export function dashboardSummaryView<S extends string>({ space, enums }: Basis<S>) {
  const { reports, insights, comments, collaborationSessions } = namer(space.schemaName);
  return space
    .view("pmr_dashboard_summary", {
      projectId: uuid("project_id").notNull(),
      totalReports: integer("total_reports").notNull(),
      draftReports: integer("draft_reports").notNull(),
      reportsInReview: integer("reports_in_review").notNull(),
      approvedReports: integer("approved_reports").notNull(),
      distributedReports: integer("distributed_reports").notNull(),
      archivedReports: integer("archived_reports").notNull(),
      totalEdits: integer("total_edits").notNull(),
      latestReportId: uuid("latest_report_id").notNull(),
      latestReportMonth: date("latest_report_month").notNull(),
      latestReportStatus: enums.pmrStatus("latest_report_status").notNull(),
      totalInsights: integer("total_insights").notNull(),
      insightsToValidate: integer("insights_to_validate").notNull(),
      criticalInsights: integer("critical_insights").notNull(),
      averageConfidence: average("average_confidence"),
      openComments: integer("open_comments").notNull(),
      activeSessions: integer("active_sessions").notNull(),
      lastUpdatedAt: timestamp("last_updated_at", { withTimezone: true }).notNull(),
    })
    .with({ securityInvoker: true })
    .as(
      sql.raw(`SELECT r.project_id, r.total_reports, r.draft_reports, r.reports_in_review, r.approved_reports,
  r.distributed_reports, r.archived_reports, r.total_edits, latest.id AS latest_report_id,
  latest.report_month AS latest_report_month, latest.status AS latest_report_status,
  i.total_insights, i.insights_to_validate, i.critical_insights, i.average_confidence,
  c.open_comments, s.active_sessions, r.last_updated_at
FROM (
  SELECT project_id, count(*)::integer AS total_reports,
    (count(*) FILTER (WHERE status = 'draft'))::integer AS draft_reports,
    (count(*) FILTER (WHERE status = 'review'))::integer AS reports_in_review,
    (count(*) FILTER (WHERE status = 'approved'))::integer AS approved_reports,
    (count(*) FILTER (WHERE status = 'distributed'))::integer AS distributed_reports,
    (count(*) FILTER (WHERE status = 'archived'))::integer AS archived_reports,
    sum(total_edits)::integer AS total_edits, max(updated_at) AS last_updated_at
  FROM ${reports} GROUP BY project_id
) AS r
CROSS JOIN LATERAL (
  SELECT n.id, n.report_month, n.status FROM ${reports} AS n
  WHERE n.project_id = r.project_id ORDER BY n.report_month DESC, n.version DESC LIMIT 1
) AS latest
CROSS JOIN LATERAL (
  SELECT count(*)::integer AS total_insights,
    (count(*) FILTER (WHERE n.validation_status IN ('pending', 'needs_review')))::integer AS insights_to_validate,
    (count(*) FILTER (WHERE n.priority = 'critical'))::integer AS critical_insights,
    round(avg(n.confidence_score), 3) AS average_confidence
  FROM ${insights} AS n WHERE n.project_id = r.project_id
) AS i
CROSS JOIN LATERAL (
  SELECT count(*)::integer AS open_comments FROM ${comments} AS n
  WHERE n.project_id = r.project_id AND NOT n.is_resolved
) AS c
CROSS JOIN LATERAL (
  SELECT count(*)::integer AS active_sessions FROM ${collaborationSessions} AS n
  WHERE n.project_id = r.project_id AND n.is_active
) AS s`),
    );
}

/** How templates do in the reports that the reader may see. */
export function templateAnalyticsView<S extends string>({ space, enums }: Basis<S>) {
  const { templates, reports } = namer(space.schemaName);
  return space
    .view("pmr_template_analytics", {
      templateId: uuid("template_id").notNull(),
      name: text("name").notNull(),
      templateType: enums.pmrTemplateType("template_type").notNull(),
      isActive: boolean("is_active").notNull(),
      rating: average("rating"),
      usageCount: integer("usage_count").notNull(),
      projectCount: integer("project_count").notNull(),
      approvedCount: integer("approved_count").notNull(),
      averageEdits: average("average_edits"),
      averageDaysToApproval: average("average_days_to_approval"),
      lastUsedAt: timestamp("last_used_at", { withTimezone: true }),
    })
    .with({ securityInvoker: true })
    .as(
      sql.raw(`SELECT t.id AS template_id, t.name, t.template_type, t.is_active, t.rating,
  count(r.id)::integer AS usage_count, count(DISTINCT r.project_id)::integer AS project_count,
  count(r.approved_at)::integer AS approved_count, round(avg(r.total_edits), 2) AS average_edits,
  round((avg(extract(epoch FROM r.approved_at - r.created_at)) / 86400)::numeric, 2) AS average_days_to_approval,
  max(r.created_at) AS last_used_at
FROM ${templates} AS t
LEFT JOIN ${reports} AS r ON r.template_id = t.id
GROUP BY t.id, t.name, t.template_type, t.is_active, t.rating`),
    );
}

/** Export jobs with how long they waited and ran. */
export function exportJobsStatusView<S extends string>({ space, enums }: Basis<S>) {
  const { exportJobs, reports } = namer(space.schemaName);
  return space
    .view("export_jobs_status", {
      projectId: uuid("project_id").notNull(),
      jobId: uuid("job_id").notNull(),
      reportId: uuid("report_id").notNull(),
      reportTitle: text("report_title").notNull(),
      exportFormat: enums.exportFormat("export_format").notNull(),
      status: enums.exportJobStatus("status").notNull(),
      progressPercent: integer("progress_percent").notNull(),
      attempts: integer("attempts").notNull(),
      requestedBy: uuid("requested_by"),
      waitSeconds: integer("wait_seconds").notNull(),
      runSeconds: integer("run_seconds"),
      isExpired: boolean("is_expired").notNull(),
      errorMessage: text("error_message"),
      createdAt: timestamp("created_at", { withTimezone: true }).notNull(),
      completedAt: timestamp("completed_at", { withTimezone: true }),
    })
    .with({ securityInvoker: true })
    .as(
      sql.raw(`SELECT j.project_id, j.id AS job_id, j.report_id, r.title AS report_title, j.export_format, j.status,
  j.progress_percent::integer AS progress_percent, j.attempts, j.requested_by,
  extract(epoch FROM coalesce(j.started_at, now()) - j.created_at)::integer AS wait_seconds,
  extract(epoch FROM coalesce(j.completed_at, now()) - j.started_at)::integer AS run_seconds,
  coalesce(j.expires_at < now(), false) AS is_expired, j.error_message, j.created_at, j.completed_at
FROM ${exportJobs} AS j
JOIN ${reports} AS r ON r.project_id = j.project_id AND r.id = j.report_id`),
    );
}

/** How good insights are, by project, model, type and category. */
export function insightsPerformanceView<S extends string>({ space, enums }: Basis<S>) {
  const { insights } = namer(space.schemaName);
  return space
    .view("ai_insights_performance", {
      projectId: uuid("project_id").notNull(),
      aiModel: text("ai_model"),
      insightType: enums.aiInsightType("insight_type").notNull(),
      category: enums.aiInsightCategory("category").notNull(),
      totalInsights: integer("total_insights").notNull(),
      validatedCount: integer("validated_count").notNull(),
      rejectedCount: integer("rejected_count").notNull(),
      openCount: integer("open_count").notNull(),
      acceptanceRate: average("acceptance_rate"),
      averageConfidence: average("average_confidence").notNull(),
      averageImpact: average("average_impact"),
      averageFeedback: average("average_feedback"),
      averageHoursToValidation: average("average_hours_to_validation"),
    })
    .with({ securityInvoker: true })
    .as(
      sql.raw(`SELECT project_id, ai_model, insight_type, category, count(*)::integer AS total_insights,
  (count(*) FILTER (WHERE validation_status = 'validated'))::integer AS validated_count,
  (count(*) FILTER (WHERE validation_status = 'rejected'))::integer AS rejected_count,
  (count(*) FILTER (WHERE validation_status IN ('pending', 'needs_review')))::integer AS open_count,
  round((count(*) FILTER (WHERE validation_status = 'validated'))::numeric
    / nullif(count(*) FILTER (WHERE validation_status IN ('validated', 'rejected')), 0), 3) AS acceptance_rate,
  round(avg(confidence_score), 3) AS average_confidence, round(avg(impact_score), 3) AS average_impact,
  round(avg(feedback_score), 2) AS average_feedback,
  round((avg(extract(epoch FROM validated_at - created_at)) / 3600)::numeric, 2) AS average_hours_to_validation
FROM ${insights}
GROUP BY project_id, ai_model, insight_type, category`),
    );
}
