import { sql } from "drizzle-orm";
import { check, index, jsonb, primaryKey, text, uuid } from "drizzle-orm/pg-core";
import { tenant } from "../../../rls/row-class.ts";
import { ownOfMembers, readByAll } from "../access.ts";
import {
  keyColumns,
  moment,
  ofReport,
  ofSession,
  type Basis,
  type ReportKey,
  type SessionKey,
} from "../basis.ts";
import type { JsonObject } from "../shapes.ts";

// Both tables are append-only. The user is no foreign key: an entry outlives the account that it names, and could not be set to NULL.

/** What people did, as the application tells it. */
export function collaborationTable<S extends string>(
  basis: Basis<S>,
  report: ReportKey,
  session: SessionKey,
) {
  const { space, enums, access } = basis;
  return space
    .table(
      "pmr_collaboration",
      {
        ...keyColumns(),
        reportId: uuid("report_id").notNull(),
        collaborationSessionId: uuid("collaboration_session_id"),
        userId: uuid("user_id"),
        participantRole: enums.participantRole("participant_role"),
        actionType: enums.collaborationActionType("action_type").notNull(),
        sectionId: text("section_id"),
        details: jsonb("details")
          .$type<JsonObject>()
          .notNull()
          .default(sql`'{}'::jsonb`),
        createdAt: moment("created_at").notNull().defaultNow(),
      },
      (t) => [
        primaryKey({ name: "pmr_collaboration_pkey", columns: [t.projectId, t.id] }),
        ofReport("pmr_collaboration_report_fkey", t, report),
        ofSession("pmr_collaboration_session_fkey", t, session),
        check("pmr_collaboration_details_form", sql`jsonb_typeof(details) = 'object'`),
        index("pmr_collaboration_report_idx").on(t.projectId, t.reportId, t.createdAt),
        index("pmr_collaboration_session_idx").on(
          t.projectId,
          t.reportId,
          t.collaborationSessionId,
        ),
        index("pmr_collaboration_recent_idx").on(t.projectId, t.createdAt),
        index("pmr_collaboration_user_idx").on(t.projectId, t.userId, t.createdAt),
        ...access.rules(t, {
          appendOnly: true,
          select: readByAll,
          insert: {
            manager: ownOfMembers(access, t.userId),
            member: ownOfMembers(access, t.userId),
            viewer: ownOfMembers(access, t.userId),
            system: tenant,
          },
        }),
      ],
    )
    .enableRLS();
}

/** What changed in a report: triggers write it, with the value before and after. */
export function changeEventsTable<S extends string>(
  basis: Basis<S>,
  report: ReportKey,
  session: SessionKey,
) {
  const { space, enums, access } = basis;
  return space
    .table(
      "pmr_change_events",
      {
        ...keyColumns(),
        reportId: uuid("report_id").notNull(),
        collaborationSessionId: uuid("collaboration_session_id"),
        userId: uuid("user_id"),
        eventType: enums.changeEventType("event_type").notNull(),
        field: text("field").notNull(),
        sectionId: text("section_id"),
        oldValue: jsonb("old_value").$type<unknown>(),
        newValue: jsonb("new_value").$type<unknown>(),
        createdAt: moment("created_at").notNull().defaultNow(),
      },
      (t) => [
        primaryKey({ name: "pmr_change_events_pkey", columns: [t.projectId, t.id] }),
        ofReport("pmr_change_events_report_fkey", t, report),
        ofSession("pmr_change_events_session_fkey", t, session),
        index("pmr_change_events_report_idx").on(t.projectId, t.reportId, t.createdAt),
        index("pmr_change_events_session_idx").on(
          t.projectId,
          t.reportId,
          t.collaborationSessionId,
        ),
        index("pmr_change_events_section_idx").on(
          t.projectId,
          t.reportId,
          t.sectionId,
          t.createdAt,
        ),
        index("pmr_change_events_recent_idx").on(t.projectId, t.createdAt),
        index("pmr_change_events_user_idx").on(t.projectId, t.userId, t.createdAt),
        ...access.rules(t, {
          appendOnly: true,
          select: readByAll,
          insert: {
            manager: ownOfMembers(access, t.userId),
            member: ownOfMembers(access, t.userId),
            system: tenant,
          },
        }),
      ],
    )
    .enableRLS();
}
