import { sql } from "drizzle-orm";
import {
  boolean,
  check,
  foreignKey,
  index,
  jsonb,
  primaryKey,
  smallint,
  text,
  unique,
  uuid,
} from "drizzle-orm/pg-core";
import { ofMembers, ownOfMembers, readByAll } from "../access.ts";
import {
  keyColumns,
  moment,
  ofReport,
  ofSession,
  refersToUser,
  writtenAt,
  type Basis,
  type ReportKey,
  type SessionKey,
} from "../basis.ts";
import type { JsonObject } from "../shapes.ts";

/** What people say about a section. An answer belongs to the same report as what it answers. */
export function commentsTable<S extends string>(
  basis: Basis<S>,
  report: ReportKey,
  session: SessionKey,
) {
  const { space, access, host } = basis;
  return space
    .table(
      "pmr_comments",
      {
        ...keyColumns(),
        reportId: uuid("report_id").notNull(),
        collaborationSessionId: uuid("collaboration_session_id"),
        parentCommentId: uuid("parent_comment_id"),
        depth: smallint("depth").notNull().default(0),
        userId: uuid("user_id"),
        sectionId: text("section_id").notNull(),
        content: text("content").notNull(),
        anchor: jsonb("anchor").$type<JsonObject>(),
        isResolved: boolean("is_resolved").notNull().default(false),
        resolvedBy: uuid("resolved_by"),
        resolvedAt: moment("resolved_at"),
        editedAt: moment("edited_at"),
        ...writtenAt(),
      },
      (t) => [
        primaryKey({ name: "pmr_comments_pkey", columns: [t.projectId, t.id] }),
        unique("pmr_comments_report_key").on(t.projectId, t.reportId, t.id),
        ofReport("pmr_comments_report_fkey", t, report).onDelete("cascade"),
        ofSession("pmr_comments_collaboration_session_fkey", t, session),
        foreignKey({
          name: "pmr_comments_parent_fkey",
          columns: [t.projectId, t.reportId, t.parentCommentId],
          foreignColumns: [t.projectId, t.reportId, t.id],
        }).onDelete("cascade"),
        refersToUser("pmr_comments_user_fkey", t.userId, host),
        refersToUser("pmr_comments_resolved_by_fkey", t.resolvedBy, host),
        check("pmr_comments_depth_range", sql`depth between 0 and 8`),
        check("pmr_comments_depth_of_thread", sql`(parent_comment_id is null) = (depth = 0)`),
        check("pmr_comments_not_own_parent", sql`parent_comment_id <> id`),
        check("pmr_comments_section_filled", sql`char_length(section_id) between 1 and 200`),
        check("pmr_comments_content_length", sql`char_length(btrim(content)) between 1 and 10000`),
        check("pmr_comments_anchor_form", sql`jsonb_typeof(anchor) = 'object'`),
        check("pmr_comments_resolution", sql`is_resolved = (resolved_at is not null)`),
        index("pmr_comments_thread_idx").on(t.projectId, t.reportId, t.parentCommentId),
        index("pmr_comments_session_idx").on(t.projectId, t.reportId, t.collaborationSessionId),
        index("pmr_comments_section_idx").on(t.projectId, t.reportId, t.sectionId, t.createdAt),
        index("pmr_comments_open_idx")
          .on(t.projectId, t.reportId, t.createdAt)
          .where(sql`not is_resolved`),
        index("pmr_comments_recent_idx").on(t.projectId, t.createdAt),
        index("pmr_comments_mine_idx").on(t.projectId, t.userId, t.createdAt),
        index("pmr_comments_user_idx").on(t.userId),
        index("pmr_comments_resolved_by_idx").on(t.resolvedBy),
        ...access.rules(t, {
          select: readByAll,
          insert: {
            manager: ownOfMembers(access, t.userId),
            member: ownOfMembers(access, t.userId),
          },
          update: { manager: ofMembers, member: ownOfMembers(access, t.userId) },
          delete: {
            manager: ownOfMembers(access, t.userId),
            member: ownOfMembers(access, t.userId),
          },
        }),
      ],
    )
    .enableRLS();
}
