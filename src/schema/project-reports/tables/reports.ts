import { sql } from "drizzle-orm";
import {
  check,
  date,
  foreignKey,
  index,
  integer,
  jsonb,
  primaryKey,
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
  refersToUser,
  writtenAt,
  type Basis,
  type SessionKey,
} from "../basis.ts";
import type { AuditEntry, JsonObject, Section } from "../shapes.ts";

const BY_ID =
  "the host's simulations are known by their id alone; ids are random, and to guess one shows that it exists, nothing of it";

/** A report of one project for one month. */
export function reportsTable<S extends string>(
  basis: Basis<S>,
  templates: { readonly id: AnyPgColumn },
  session: () => SessionKey,
) {
  const { space, enums, access, host } = basis;
  const { simulations } = host;
  return space
    .table(
      "pmr_reports",
      {
        ...keyColumns(),
        templateId: uuid("template_id"),
        reportMonth: date("report_month").notNull(),
        version: integer("version").notNull().default(1),
        title: text("title").notNull(),
        executiveSummary: text("executive_summary"),
        status: enums.pmrStatus("status").notNull().default("draft"),
        sections: jsonb("sections")
          .$type<readonly Section[]>()
          .notNull()
          .default(sql`'[]'::jsonb`),
        metrics: jsonb("metrics")
          .$type<JsonObject>()
          .notNull()
          .default(sql`'{}'::jsonb`),
        visualizations: jsonb("visualizations")
          .$type<readonly JsonObject[]>()
          .notNull()
          .default(sql`'[]'::jsonb`),
        aiGeneratedInsights: jsonb("ai_generated_insights")
          .$type<readonly JsonObject[]>()
          .notNull()
          .default(sql`'[]'::jsonb`),
        aiConfidenceScores: jsonb("ai_confidence_scores")
          .$type<Readonly<Record<string, number>>>()
          .notNull()
          .default(sql`'{}'::jsonb`),
        monteCarloSimulationId: uuid("monte_carlo_simulation_id"),
        monteCarloAnalysis: jsonb("monte_carlo_analysis").$type<JsonObject>(),
        realTimeMetrics: jsonb("real_time_metrics")
          .$type<JsonObject>()
          .notNull()
          .default(sql`'{}'::jsonb`),
        collaborationSessionId: uuid("collaboration_session_id"),
        totalEdits: integer("total_edits").notNull().default(0),
        lastEditedBy: uuid("last_edited_by"),
        lastEditedAt: moment("last_edited_at"),
        submittedBy: uuid("submitted_by"),
        submittedAt: moment("submitted_at"),
        approvedBy: uuid("approved_by"),
        approvedAt: moment("approved_at"),
        distributedAt: moment("distributed_at"),
        archivedAt: moment("archived_at"),
        auditLog: jsonb("audit_log")
          .$type<readonly AuditEntry[]>()
          .notNull()
          .default(sql`'[]'::jsonb`),
        createdBy: uuid("created_by"),
        ...writtenAt(),
      },
      (t) => [
        primaryKey({ name: "pmr_reports_pkey", columns: [t.projectId, t.id] }),
        unique("pmr_reports_month_key").on(t.projectId, t.reportMonth, t.version),
        foreignKey({
          name: "pmr_reports_project_fkey",
          columns: [t.projectId],
          foreignColumns: [host.projects],
        }),
        foreignKey({
          name: "pmr_reports_template_fkey",
          columns: [t.templateId],
          foreignColumns: [templates.id],
        }),
        // The session must be one of this very report. Made deferrable: each of the two may be written first.
        foreignKey({
          name: "pmr_reports_collaboration_session_fkey",
          columns: [t.projectId, t.collaborationSessionId, t.id],
          foreignColumns: [session().projectId, session().id, session().reportId],
        }),
        ...(simulations === undefined
          ? []
          : [
              simulations.length === 2
                ? foreignKey({
                    name: "pmr_reports_simulation_fkey",
                    columns: [t.projectId, t.monteCarloSimulationId],
                    foreignColumns: [simulations[0], simulations[1]],
                  })
                : foreignKey({
                    name: "pmr_reports_simulation_fkey",
                    columns: [t.monteCarloSimulationId],
                    foreignColumns: [simulations[0]],
                  }).onDelete("set null"),
            ]),
        refersToUser("pmr_reports_created_by_fkey", t.createdBy, host),
        refersToUser("pmr_reports_last_edited_by_fkey", t.lastEditedBy, host),
        refersToUser("pmr_reports_submitted_by_fkey", t.submittedBy, host),
        refersToUser("pmr_reports_approved_by_fkey", t.approvedBy, host),
        check("pmr_reports_month_begins", sql`extract(day from report_month) = 1`),
        check("pmr_reports_version_positive", sql`version > 0`),
        check("pmr_reports_title_length", sql`char_length(btrim(title)) between 1 and 300`),
        // Strict, since a lax path looks into lists as if they were their elements; silent, since AND promises no order.
        check(
          "pmr_reports_sections_form",
          sql`jsonb_typeof(sections) = 'array' and not jsonb_path_exists(sections, 'strict $[*] ? (@.type() != "object" || (@.id.type() == "string") is unknown || @.id.type() != "string")', '{}', true)`,
        ),
        check("pmr_reports_metrics_form", sql`jsonb_typeof(metrics) = 'object'`),
        check("pmr_reports_visualizations_form", sql`jsonb_typeof(visualizations) = 'array'`),
        check(
          "pmr_reports_ai_generated_insights_form",
          sql`jsonb_typeof(ai_generated_insights) = 'array'`,
        ),
        check(
          "pmr_reports_ai_confidence_scores_range",
          sql`jsonb_typeof(ai_confidence_scores) = 'object' and not jsonb_path_exists(ai_confidence_scores, 'strict $.* ? (@.type() != "number" || @ < 0 || @ > 1)', '{}', true)`,
        ),
        check(
          "pmr_reports_monte_carlo_analysis_form",
          sql`jsonb_typeof(monte_carlo_analysis) = 'object'`,
        ),
        check(
          "pmr_reports_real_time_metrics_form",
          sql`jsonb_typeof(real_time_metrics) = 'object'`,
        ),
        check("pmr_reports_audit_log_form", sql`jsonb_typeof(audit_log) = 'array'`),
        check("pmr_reports_total_edits_range", sql`total_edits >= 0`),
        check(
          "pmr_reports_approval_dated",
          sql`status not in ('approved', 'distributed') or approved_at is not null`,
        ),
        check(
          "pmr_reports_distribution_dated",
          sql`status <> 'distributed' or distributed_at is not null`,
        ),
        check("pmr_reports_archive_dated", sql`(status = 'archived') = (archived_at is not null)`),
        index("pmr_reports_template_idx").on(t.templateId),
        // By the key that it is pointed to with.
        simulations?.length === 2
          ? index("pmr_reports_simulation_idx").on(t.projectId, t.monteCarloSimulationId)
          : index("pmr_reports_simulation_idx").on(t.monteCarloSimulationId),
        index("pmr_reports_session_idx").on(t.projectId, t.collaborationSessionId, t.id),
        index("pmr_reports_created_by_idx").on(t.createdBy),
        index("pmr_reports_last_edited_by_idx").on(t.lastEditedBy),
        index("pmr_reports_submitted_by_idx").on(t.submittedBy),
        index("pmr_reports_approved_by_idx").on(t.approvedBy),
        index("pmr_reports_recent_idx").on(t.projectId, t.updatedAt),
        index("pmr_reports_mine_idx").on(t.projectId, t.createdBy, t.updatedAt),
        // Comparing an enum is not leakproof: under policies only a predicate makes use of the status.
        index("pmr_reports_open_idx")
          .on(t.projectId, t.reportMonth)
          .where(sql`status in ('draft', 'review')`),
        index("pmr_reports_to_approve_idx")
          .on(t.projectId, t.submittedAt)
          .where(sql`status = 'review'`),
        index("pmr_reports_to_archive_idx")
          .on(t.distributedAt)
          .where(sql`status = 'distributed'`),
        ...access.rules(t, {
          ...(simulations?.length === 1
            ? { globalKeys: { pmr_reports_simulation_fkey: BY_ID } }
            : {}),
          select: readByAll,
          insert: {
            manager: ownOfMembers(access, t.createdBy),
            member: ownOfMembers(access, t.createdBy),
            system: tenant,
          },
          update: { manager: ofMembers, member: ofMembers, system: tenant },
          delete: { manager: ofMembers },
        }),
      ],
    )
    .enableRLS();
}
