import { sql } from "drizzle-orm";
import {
  check,
  foreignKey,
  index,
  integer,
  jsonb,
  numeric,
  smallint,
  text,
  timestamp,
  unique,
  uuid,
  type PgSchema,
} from "drizzle-orm/pg-core";
import { assigned, tenant } from "../../rls/row-class.ts";
import type { ProgressCardAccess } from "./access.ts";
import type { ProgressCardEnums } from "./enums.ts";
import { aboutStudent } from "./evaluation-tables.ts";
import type { InstitutionTables } from "./institution-tables.ts";
import type { ParameterTables } from "./parameter-tables.ts";
import { authorship, hpcKeys, ownRow, within } from "./shared-columns.ts";

/** Reports, their way to the family, and figures. */
export function reportTables(
  namespace: PgSchema,
  { hpcApprovalStatus, hpcStage }: ProgressCardEnums,
  access: ProgressCardAccess,
  tables: InstitutionTables & ParameterTables,
) {
  const { hpcEvaluationCycles, hpcParameters, userProfiles } = tables;

  const hpcReports = namespace
    .table(
      "hpc_reports",
      {
        ...ownRow(),
        studentId: uuid("student_id").notNull(),
        cycleId: uuid("cycle_id").notNull(),
        stage: hpcStage("stage").notNull(),
        version: integer("version").notNull().default(1),
        overallScore: numeric("overall_score", { precision: 5, scale: 2 }),
        summary: jsonb("summary")
          .$type<Readonly<Record<string, unknown>>>()
          .notNull()
          .default(sql`'{}'::jsonb`),
        teacherRemarks: text("teacher_remarks"),
        compiledAt: timestamp("compiled_at", { withTimezone: true }).notNull().defaultNow(),
        ...authorship(),
      },
      (t) => [
        ...hpcKeys("hpc_reports", t, tables),
        within("hpc_reports_student_fk", t, t.studentId, userProfiles),
        within("hpc_reports_cycle_fk", t, t.cycleId, hpcEvaluationCycles),
        unique("hpc_reports_student_key").on(t.institutionId, t.studentId, t.id),
        unique("hpc_reports_version_key").on(t.institutionId, t.cycleId, t.studentId, t.version),
        check("hpc_reports_version_positive", sql`version > 0`),
        check("hpc_reports_overall_range", sql`overall_score BETWEEN 0 AND 100`),
        check("hpc_reports_summary_object", sql`jsonb_typeof(summary) = 'object'`),
        ...access.rules(t, {
          select: aboutStudent,
          insert: { teacher: assigned("studentId"), admin: tenant },
          update: { teacher: assigned("studentId"), admin: tenant },
          delete: { admin: tenant },
        }),
      ],
    )
    .enableRLS();

  const hpcApprovalWorkflows = namespace
    .table(
      "hpc_approval_workflows",
      {
        ...ownRow(),
        studentId: uuid("student_id").notNull(),
        reportId: uuid("report_id").notNull(),
        status: hpcApprovalStatus("status").notNull().default("draft"),
        currentStep: smallint("current_step").notNull().default(1),
        totalSteps: smallint("total_steps").notNull().default(1),
        reviewerId: uuid("reviewer_id"),
        note: text("note"),
        submittedAt: timestamp("submitted_at", { withTimezone: true }),
        decidedAt: timestamp("decided_at", { withTimezone: true }),
        publishedAt: timestamp("published_at", { withTimezone: true }),
        ...authorship(),
      },
      (t) => [
        ...hpcKeys("hpc_approval_workflows", t, tables),
        foreignKey({
          name: "hpc_approval_workflows_report_fk",
          columns: [t.institutionId, t.studentId, t.reportId],
          foreignColumns: [hpcReports.institutionId, hpcReports.studentId, hpcReports.id],
        }),
        within("hpc_approval_workflows_reviewer_fk", t, t.reviewerId, userProfiles),
        unique("hpc_approval_workflows_report_key").on(t.institutionId, t.studentId, t.reportId),
        index("hpc_approval_workflows_reviewer_idx").on(t.institutionId, t.reviewerId),
        check(
          "hpc_approval_workflows_steps",
          sql`total_steps BETWEEN 1 AND 10 AND current_step BETWEEN 1 AND total_steps`,
        ),
        check(
          "hpc_approval_workflows_approved_at_last_step",
          sql`status NOT IN ('approved', 'published') OR current_step = total_steps`,
        ),
        ...access.rules(t, {
          select: aboutStudent,
          insert: { teacher: assigned("studentId"), admin: tenant },
          update: { teacher: assigned("studentId"), admin: tenant },
          delete: { admin: tenant },
        }),
      ],
    )
    .enableRLS();

  const hpcAnalytics = namespace
    .table(
      "hpc_analytics",
      {
        ...ownRow(),
        cycleId: uuid("cycle_id").notNull(),
        studentId: uuid("student_id"),
        parameterId: uuid("parameter_id"),
        metric: text("metric").notNull(),
        value: numeric("value", { precision: 12, scale: 4 }).notNull(),
        sampleSize: integer("sample_size").notNull().default(1),
        computedAt: timestamp("computed_at", { withTimezone: true }).notNull().defaultNow(),
        ...authorship(),
      },
      (t) => [
        ...hpcKeys("hpc_analytics", t, tables),
        within("hpc_analytics_cycle_fk", t, t.cycleId, hpcEvaluationCycles),
        within("hpc_analytics_student_fk", t, t.studentId, userProfiles),
        within("hpc_analytics_parameter_fk", t, t.parameterId, hpcParameters),
        unique("hpc_analytics_figure_key")
          .on(t.institutionId, t.cycleId, t.studentId, t.parameterId, t.metric)
          .nullsNotDistinct(),
        index("hpc_analytics_student_idx").on(t.institutionId, t.studentId),
        index("hpc_analytics_parameter_idx").on(t.institutionId, t.parameterId),
        check("hpc_analytics_metric_form", sql`metric ~ '^[a-z][a-z0-9_]{0,63}$'`),
        // A sum or an average over NaN is NaN.
        check("hpc_analytics_value_is_number", sql`value <> 'NaN'`),
        check("hpc_analytics_sample_size_positive", sql`sample_size > 0`),
        ...access.rules(t, {
          select: aboutStudent,
          insert: { admin: tenant },
          update: { admin: tenant },
          delete: { admin: tenant },
        }),
      ],
    )
    .enableRLS();

  return { hpcReports, hpcApprovalWorkflows, hpcAnalytics };
}

/** What {@link reportTables} makes. */
export type ReportTables = ReturnType<typeof reportTables>;
