import { sql } from "drizzle-orm";
import {
  boolean,
  check,
  foreignKey,
  index,
  integer,
  jsonb,
  primaryKey,
  text,
  unique,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";
import { tenant } from "../../../rls/row-class.ts";
import { ofMembers, ownOfMembers, readByAll } from "../access.ts";
import {
  keyColumns,
  moment,
  ofReport,
  ofSession,
  refersToUser,
  type Basis,
  type ReportKey,
  type SessionKey,
} from "../basis.ts";
import type { ConflictStrategy, JsonObject, Participant } from "../shapes.ts";

function sessionTimes() {
  return {
    isActive: boolean("is_active").notNull().default(true),
    startedAt: moment("started_at").notNull().defaultNow(),
    lastActivityAt: moment("last_activity_at").notNull().defaultNow(),
    endedAt: moment("ended_at"),
    archivedAt: moment("archived_at"),
    updatedAt: moment("updated_at").notNull().defaultNow(),
  };
}

/** Several people on one report at once; at most one session of a report is open. */
export function collaborationSessionsTable<S extends string>(basis: Basis<S>, report: ReportKey) {
  const { space, access, host } = basis;
  return space
    .table(
      "collaboration_sessions",
      {
        ...keyColumns(),
        reportId: uuid("report_id").notNull(),
        sessionName: text("session_name"),
        startedBy: uuid("started_by"),
        conflictResolutionStrategy: text("conflict_resolution_strategy")
          .$type<ConflictStrategy>()
          .notNull()
          .default("last_write_wins"),
        maxParticipants: integer("max_participants").notNull().default(10),
        participants: jsonb("participants")
          .$type<readonly Participant[]>()
          .notNull()
          .default(sql`'[]'::jsonb`),
        changesLog: jsonb("changes_log")
          .$type<readonly JsonObject[]>()
          .notNull()
          .default(sql`'[]'::jsonb`),
        lockedSections: jsonb("locked_sections")
          .$type<JsonObject>()
          .notNull()
          .default(sql`'{}'::jsonb`),
        ...sessionTimes(),
      },
      (t) => [
        primaryKey({ name: "collaboration_sessions_pkey", columns: [t.projectId, t.id] }),
        unique("collaboration_sessions_report_key").on(t.projectId, t.reportId, t.id),
        ofReport("collaboration_sessions_report_fkey", t, report).onDelete("cascade"),
        refersToUser("collaboration_sessions_started_by_fkey", t.startedBy, host),
        check(
          "collaboration_sessions_strategy",
          sql`conflict_resolution_strategy in ('last_write_wins', 'manual', 'merge')`,
        ),
        // CASE, because AND promises no order and the length of an object raises 22023.
        check(
          "collaboration_sessions_participants_form",
          sql`case when jsonb_typeof(participants) = 'array' then jsonb_array_length(participants) <= max_participants else false end`,
        ),
        check(
          "collaboration_sessions_max_participants_range",
          sql`max_participants between 1 and 100`,
        ),
        check("collaboration_sessions_changes_log_form", sql`jsonb_typeof(changes_log) = 'array'`),
        check(
          "collaboration_sessions_locked_sections_form",
          sql`jsonb_typeof(locked_sections) = 'object'`,
        ),
        check("collaboration_sessions_end", sql`is_active = (ended_at is null)`),
        check("collaboration_sessions_order", sql`ended_at >= started_at`),
        uniqueIndex("collaboration_sessions_one_active_key")
          .on(t.projectId, t.reportId)
          .where(sql`is_active`),
        index("collaboration_sessions_started_by_idx").on(t.startedBy),
        index("collaboration_sessions_active_idx")
          .on(t.projectId, t.lastActivityAt)
          .where(sql`is_active`),
        index("collaboration_sessions_to_archive_idx")
          .on(t.lastActivityAt)
          .where(sql`archived_at is null`),
        ...access.rules(t, {
          select: readByAll,
          insert: {
            manager: ownOfMembers(access, t.startedBy),
            member: ownOfMembers(access, t.startedBy),
          },
          update: { manager: ofMembers, member: ofMembers, system: tenant },
        }),
      ],
    )
    .enableRLS();
}

/** One person at work on a report, with the chat that goes with it. */
export function editSessionsTable<S extends string>(
  basis: Basis<S>,
  report: ReportKey,
  session: SessionKey,
) {
  const { space, enums, access, host } = basis;
  return space
    .table(
      "edit_sessions",
      {
        ...keyColumns(),
        reportId: uuid("report_id").notNull(),
        collaborationSessionId: uuid("collaboration_session_id"),
        userId: uuid("user_id").notNull(),
        sessionType: enums.sessionType("session_type").notNull().default("direct"),
        role: enums.participantRole("role").notNull().default("editor"),
        chatMessages: jsonb("chat_messages")
          .$type<readonly JsonObject[]>()
          .notNull()
          .default(sql`'[]'::jsonb`),
        changesMade: jsonb("changes_made")
          .$type<readonly JsonObject[]>()
          .notNull()
          .default(sql`'[]'::jsonb`),
        editCount: integer("edit_count").notNull().default(0),
        ...sessionTimes(),
      },
      (t) => [
        primaryKey({ name: "edit_sessions_pkey", columns: [t.projectId, t.id] }),
        ofReport("edit_sessions_report_fkey", t, report).onDelete("cascade"),
        ofSession("edit_sessions_collaboration_session_fkey", t, session),
        foreignKey({
          name: "edit_sessions_user_fkey",
          columns: [t.userId],
          foreignColumns: [host.users],
        }).onDelete("cascade"),
        check("edit_sessions_chat_messages_form", sql`jsonb_typeof(chat_messages) = 'array'`),
        check("edit_sessions_changes_made_form", sql`jsonb_typeof(changes_made) = 'array'`),
        check("edit_sessions_edit_count_range", sql`edit_count >= 0`),
        check("edit_sessions_end", sql`is_active = (ended_at is null)`),
        check("edit_sessions_order", sql`ended_at >= started_at`),
        index("edit_sessions_report_idx").on(t.projectId, t.reportId, t.collaborationSessionId),
        index("edit_sessions_user_idx").on(t.userId),
        index("edit_sessions_mine_idx").on(t.projectId, t.userId, t.lastActivityAt),
        index("edit_sessions_active_idx")
          .on(t.projectId, t.reportId, t.lastActivityAt)
          .where(sql`is_active`),
        index("edit_sessions_to_archive_idx")
          .on(t.lastActivityAt)
          .where(sql`archived_at is null`),
        ...access.rules(t, {
          select: readByAll,
          insert: {
            manager: ownOfMembers(access, t.userId),
            member: ownOfMembers(access, t.userId),
          },
          update: {
            manager: ownOfMembers(access, t.userId),
            member: ownOfMembers(access, t.userId),
            system: tenant,
          },
        }),
      ],
    )
    .enableRLS();
}
