import { sql } from "drizzle-orm";
import { check, index, jsonb, numeric, primaryKey, text, uuid } from "drizzle-orm/pg-core";
import { tenant } from "../../../rls/row-class.ts";
import { ofMembers, readByAll } from "../access.ts";
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

/** What an AI says about a report, and what people think of it. */
export function insightsTable<S extends string>(basis: Basis<S>, report: ReportKey) {
  const { space, enums, access, host } = basis;
  const score = <N extends string>(name: N) =>
    numeric(name, { precision: 4, scale: 3, mode: "number" });
  return space
    .table(
      "ai_insights",
      {
        ...keyColumns(),
        reportId: uuid("report_id").notNull(),
        insightType: enums.aiInsightType("insight_type").notNull(),
        category: enums.aiInsightCategory("category").notNull(),
        priority: enums.aiInsightPriority("priority").notNull().default("medium"),
        title: text("title").notNull(),
        content: text("content").notNull(),
        confidenceScore: score("confidence_score").notNull(),
        impactScore: score("impact_score"),
        supportingData: jsonb("supporting_data")
          .$type<JsonObject>()
          .notNull()
          .default(sql`'{}'::jsonb`),
        recommendedActions: jsonb("recommended_actions")
          .$type<readonly string[]>()
          .notNull()
          .default(sql`'[]'::jsonb`),
        aiModel: text("ai_model"),
        validationStatus: enums.validationStatus("validation_status").notNull().default("pending"),
        validatedBy: uuid("validated_by"),
        validatedAt: moment("validated_at"),
        validationNotes: text("validation_notes"),
        feedbackScore: numeric("feedback_score", { precision: 3, scale: 2, mode: "number" }),
        feedbackText: text("feedback_text"),
        ...writtenAt(),
      },
      (t) => [
        primaryKey({ name: "ai_insights_pkey", columns: [t.projectId, t.id] }),
        ofReport("ai_insights_report_fkey", t, report).onDelete("cascade"),
        refersToUser("ai_insights_validated_by_fkey", t.validatedBy, host),
        check("ai_insights_title_length", sql`char_length(btrim(title)) between 1 and 300`),
        check("ai_insights_content_filled", sql`char_length(btrim(content)) > 0`),
        check("ai_insights_confidence_range", sql`confidence_score between 0 and 1`),
        check("ai_insights_impact_range", sql`impact_score between 0 and 1`),
        check("ai_insights_feedback_range", sql`feedback_score between 0 and 5`),
        check("ai_insights_supporting_data_form", sql`jsonb_typeof(supporting_data) = 'object'`),
        check(
          "ai_insights_recommended_actions_form",
          sql`jsonb_typeof(recommended_actions) = 'array'`,
        ),
        check(
          "ai_insights_validation_dated",
          sql`(validation_status in ('validated', 'rejected')) = (validated_at is not null)`,
        ),
        index("ai_insights_report_idx").on(t.projectId, t.reportId, t.category),
        index("ai_insights_validated_by_idx").on(t.validatedBy),
        index("ai_insights_model_idx").on(t.projectId, t.aiModel, t.createdAt),
        index("ai_insights_recent_idx").on(t.projectId, t.createdAt),
        index("ai_insights_to_validate_idx")
          .on(t.projectId, t.createdAt)
          .where(sql`validation_status in ('pending', 'needs_review')`),
        index("ai_insights_urgent_idx")
          .on(t.projectId, t.reportId, t.createdAt)
          .where(sql`priority in ('high', 'critical')`),
        ...access.rules(t, {
          select: readByAll,
          insert: { system: tenant },
          update: { manager: ofMembers, member: ofMembers, system: tenant },
          delete: { system: tenant },
        }),
      ],
    )
    .enableRLS();
}
