import type { PgSchema } from "drizzle-orm/pg-core";

/** The fourteen enums of the domain, in its schema. Their labels are in the order in which PostgreSQL compares them. */
export function enumsOf<S extends string>(space: PgSchema<S>) {
  return {
    pmrStatus: space.enum("pmr_status", ["draft", "review", "approved", "distributed", "archived"]),
    pmrTemplateType: space.enum("pmr_template_type", [
      "standard",
      "executive",
      "technical",
      "financial",
      "custom",
    ]),
    aiInsightType: space.enum("ai_insight_type", [
      "prediction",
      "recommendation",
      "alert",
      "summary",
      "trend",
    ]),
    aiInsightCategory: space.enum("ai_insight_category", [
      "budget",
      "schedule",
      "resource",
      "risk",
      "quality",
      "scope",
    ]),
    aiInsightPriority: space.enum("ai_insight_priority", ["low", "medium", "high", "critical"]),
    validationStatus: space.enum("validation_status", [
      "pending",
      "validated",
      "rejected",
      "needs_review",
    ]),
    sessionType: space.enum("session_type", ["direct", "chat", "collaborative", "review"]),
    participantRole: space.enum("participant_role", ["owner", "editor", "reviewer", "viewer"]),
    exportFormat: space.enum("export_format", ["pdf", "excel", "powerpoint", "word", "html"]),
    exportJobStatus: space.enum("export_job_status", [
      "queued",
      "processing",
      "completed",
      "failed",
      "cancelled",
    ]),
    changeEventType: space.enum("change_event_type", [
      "content_updated",
      "section_added",
      "section_updated",
      "section_removed",
      "status_changed",
      "conflict_detected",
      "conflict_resolved",
    ]),
    collaborationActionType: space.enum("collaboration_action_type", [
      "joined",
      "left",
      "viewed",
      "edited",
      "commented",
      "resolved_comment",
      "locked_section",
      "unlocked_section",
      "submitted",
      "approved",
      "exported",
      "distributed",
    ]),
    distributionMethod: space.enum("distribution_method", ["email", "portal", "api", "webhook"]),
    distributionStatus: space.enum("distribution_status", [
      "pending",
      "sent",
      "delivered",
      "opened",
      "failed",
      "bounced",
    ]),
  };
}

/** The enums as one type. */
export type Enums = ReturnType<typeof enumsOf<string>>;
