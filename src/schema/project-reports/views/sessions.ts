import { sql } from "drizzle-orm";
import { integer, text, timestamp, uuid } from "drizzle-orm/pg-core";
import type { Basis } from "../basis.ts";
import { namer } from "../names.ts";

/** The edit sessions that are open. */
export function activeEditSessionsView<S extends string>({ space, enums }: Basis<S>) {
  const { reports, editSessions } = namer(space.schemaName);
  return space
    .view("active_edit_sessions", {
      projectId: uuid("project_id").notNull(),
      sessionId: uuid("session_id").notNull(),
      reportId: uuid("report_id").notNull(),
      reportTitle: text("report_title").notNull(),
      collaborationSessionId: uuid("collaboration_session_id"),
      userId: uuid("user_id").notNull(),
      sessionType: enums.sessionType("session_type").notNull(),
      role: enums.participantRole("role").notNull(),
      editCount: integer("edit_count").notNull(),
      chatMessageCount: integer("chat_message_count").notNull(),
      startedAt: timestamp("started_at", { withTimezone: true }).notNull(),
      lastActivityAt: timestamp("last_activity_at", { withTimezone: true }).notNull(),
      idleSeconds: integer("idle_seconds").notNull(),
    })
    .with({ securityInvoker: true })
    .as(
      sql.raw(`SELECT e.project_id, e.id AS session_id, e.report_id, r.title AS report_title, e.collaboration_session_id,
  e.user_id, e.session_type, e.role, e.edit_count, jsonb_array_length(e.chat_messages) AS chat_message_count,
  e.started_at, e.last_activity_at,
  greatest(0, floor(extract(epoch FROM now() - e.last_activity_at)))::integer AS idle_seconds
FROM ${editSessions} AS e
JOIN ${reports} AS r ON r.project_id = e.project_id AND r.id = e.report_id
WHERE e.is_active`),
    );
}

/** The collaborative sessions that are open, with who and what is in them. */
export function activeCollaborationSessionsView<S extends string>({ space }: Basis<S>) {
  const { reports, editSessions, collaborationSessions } = namer(space.schemaName);
  return space
    .view("active_collaboration_sessions", {
      projectId: uuid("project_id").notNull(),
      sessionId: uuid("session_id").notNull(),
      reportId: uuid("report_id").notNull(),
      reportTitle: text("report_title").notNull(),
      sessionName: text("session_name"),
      startedBy: uuid("started_by"),
      conflictResolutionStrategy: text("conflict_resolution_strategy").notNull(),
      participantCount: integer("participant_count").notNull(),
      activeEditorCount: integer("active_editor_count").notNull(),
      lockedSectionCount: integer("locked_section_count").notNull(),
      changeCount: integer("change_count").notNull(),
      startedAt: timestamp("started_at", { withTimezone: true }).notNull(),
      lastActivityAt: timestamp("last_activity_at", { withTimezone: true }).notNull(),
    })
    .with({ securityInvoker: true })
    .as(
      sql.raw(`SELECT c.project_id, c.id AS session_id, c.report_id, r.title AS report_title, c.session_name, c.started_by,
  c.conflict_resolution_strategy, jsonb_array_length(c.participants) AS participant_count,
  (SELECT count(*) FROM ${editSessions} AS e
   WHERE e.project_id = c.project_id AND e.report_id = c.report_id AND e.collaboration_session_id = c.id
     AND e.is_active)::integer AS active_editor_count,
  (SELECT count(*) FROM jsonb_object_keys(c.locked_sections))::integer AS locked_section_count,
  jsonb_array_length(c.changes_log) AS change_count, c.started_at, c.last_activity_at
FROM ${collaborationSessions} AS c
JOIN ${reports} AS r ON r.project_id = c.project_id AND r.id = c.report_id
WHERE c.is_active`),
    );
}

/** What happened on the reports in the last thirty days: actions, changes and comments in one list. */
export function reportCollaborationActivityView<S extends string>({ space }: Basis<S>) {
  const { reports, collaboration, changeEvents, comments } = namer(space.schemaName);
  return space
    .view("report_collaboration_activity", {
      projectId: uuid("project_id").notNull(),
      reportId: uuid("report_id").notNull(),
      reportTitle: text("report_title").notNull(),
      source: text("source").$type<"action" | "change" | "comment">().notNull(),
      activity: text("activity").notNull(),
      activityId: uuid("activity_id").notNull(),
      userId: uuid("user_id"),
      sectionId: text("section_id"),
      happenedAt: timestamp("happened_at", { withTimezone: true }).notNull(),
    })
    .with({ securityInvoker: true })
    .as(
      sql.raw(`SELECT a.project_id, a.report_id, r.title AS report_title, a.source, a.activity, a.activity_id, a.user_id,
  a.section_id, a.happened_at
FROM (
  SELECT project_id, report_id, 'action'::text AS source, action_type::text AS activity, id AS activity_id, user_id,
    section_id, created_at AS happened_at
  FROM ${collaboration}
  UNION ALL
  SELECT project_id, report_id, 'change'::text, event_type::text, id, user_id, section_id, created_at
  FROM ${changeEvents}
  UNION ALL
  SELECT project_id, report_id, 'comment'::text,
    CASE WHEN parent_comment_id IS NULL THEN 'commented'::text ELSE 'answered'::text END,
    id, user_id, section_id, created_at
  FROM ${comments}
) AS a
JOIN ${reports} AS r ON r.project_id = a.project_id AND r.id = a.report_id
WHERE a.happened_at > now() - '30 days'::interval`),
    );
}
