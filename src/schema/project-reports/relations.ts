import { relations, type AnyColumn } from "drizzle-orm";
import type { AnyPgColumn, PgTable } from "drizzle-orm/pg-core";
import * as tables from "./definition.ts";
import type { domainOver } from "./project-reports.ts";

/** The tables of the domain in any schema. */
type ProjectReportsTables = Omit<ReturnType<typeof domainOver<string>>, "access" | "definition">;

/** The keys of the host's projects and users, as they were bound. */
export interface RelationsHost<P extends AnyPgColumn, U extends AnyPgColumn> {
  readonly projects: P;
  readonly users: U;
}

type Named<C extends AnyPgColumn> = C["_"]["tableName"];

/** A key of the host with its table, which a column's type has by name alone. */
function pointTo<C extends AnyPgColumn>(column: C) {
  return {
    table: column.table as PgTable<{
      name: Named<C>;
      schema: string | undefined;
      columns: Record<never, never>;
      dialect: "pg";
    }>,
    key: column as unknown as AnyColumn<{ tableName: Named<C> }>,
  };
}

/**
 * The relations of the tables of project reports that a host has bound for itself: `projectReportsRelations(projectReports({ … }), { projects, users })`.
 *
 * Each foreign key is there from both of its ends, named for its column, all of its columns in the join: what is found is of the same
 * project. Row security holds for what is joined too: a row that the reader may not see is null, whatever the type says.
 */
export function projectReportsRelations<P extends AnyPgColumn, U extends AnyPgColumn>(
  t: ProjectReportsTables,
  host: RelationsHost<P, U>,
) {
  const projects = pointTo(host.projects);
  const users = pointTo(host.users);
  return {
    pmrTemplatesRelations: relations(t.pmrTemplates, ({ one, many }) => ({
      createdByUser: one(users.table, {
        fields: [t.pmrTemplates.createdBy],
        references: [users.key],
      }),
      pmrReports: many(t.pmrReports),
    })),
    pmrReportsRelations: relations(t.pmrReports, ({ one, many }) => ({
      project: one(projects.table, {
        fields: [t.pmrReports.projectId],
        references: [projects.key],
      }),
      template: one(t.pmrTemplates, {
        fields: [t.pmrReports.templateId],
        references: [t.pmrTemplates.id],
      }),
      collaborationSession: one(t.collaborationSessions, {
        relationName: "pmr_reports_collaboration_session_fkey",
        fields: [t.pmrReports.projectId, t.pmrReports.collaborationSessionId, t.pmrReports.id],
        references: [
          t.collaborationSessions.projectId,
          t.collaborationSessions.id,
          t.collaborationSessions.reportId,
        ],
      }),
      createdByUser: one(users.table, {
        fields: [t.pmrReports.createdBy],
        references: [users.key],
      }),
      lastEditedByUser: one(users.table, {
        fields: [t.pmrReports.lastEditedBy],
        references: [users.key],
      }),
      submittedByUser: one(users.table, {
        fields: [t.pmrReports.submittedBy],
        references: [users.key],
      }),
      approvedByUser: one(users.table, {
        fields: [t.pmrReports.approvedBy],
        references: [users.key],
      }),
      aiInsights: many(t.aiInsights),
      collaborationSessionsByReport: many(t.collaborationSessions, {
        relationName: "collaboration_sessions_report_fkey",
      }),
      editSessions: many(t.editSessions),
      exportJobs: many(t.exportJobs),
      pmrCollaboration: many(t.pmrCollaboration),
      pmrDistributionLog: many(t.pmrDistributionLog),
      pmrComments: many(t.pmrComments),
      pmrChangeEvents: many(t.pmrChangeEvents),
    })),
    aiInsightsRelations: relations(t.aiInsights, ({ one }) => ({
      report: one(t.pmrReports, {
        fields: [t.aiInsights.projectId, t.aiInsights.reportId],
        references: [t.pmrReports.projectId, t.pmrReports.id],
      }),
      validatedByUser: one(users.table, {
        fields: [t.aiInsights.validatedBy],
        references: [users.key],
      }),
    })),
    collaborationSessionsRelations: relations(t.collaborationSessions, ({ one, many }) => ({
      report: one(t.pmrReports, {
        relationName: "collaboration_sessions_report_fkey",
        fields: [t.collaborationSessions.projectId, t.collaborationSessions.reportId],
        references: [t.pmrReports.projectId, t.pmrReports.id],
      }),
      startedByUser: one(users.table, {
        fields: [t.collaborationSessions.startedBy],
        references: [users.key],
      }),
      pmrReportsByCollaborationSession: many(t.pmrReports, {
        relationName: "pmr_reports_collaboration_session_fkey",
      }),
      editSessions: many(t.editSessions),
      pmrCollaboration: many(t.pmrCollaboration),
      pmrComments: many(t.pmrComments),
      pmrChangeEvents: many(t.pmrChangeEvents),
    })),
    editSessionsRelations: relations(t.editSessions, ({ one }) => ({
      report: one(t.pmrReports, {
        fields: [t.editSessions.projectId, t.editSessions.reportId],
        references: [t.pmrReports.projectId, t.pmrReports.id],
      }),
      collaborationSession: one(t.collaborationSessions, {
        fields: [
          t.editSessions.projectId,
          t.editSessions.reportId,
          t.editSessions.collaborationSessionId,
        ],
        references: [
          t.collaborationSessions.projectId,
          t.collaborationSessions.reportId,
          t.collaborationSessions.id,
        ],
      }),
      user: one(users.table, { fields: [t.editSessions.userId], references: [users.key] }),
    })),
    exportJobsRelations: relations(t.exportJobs, ({ one, many }) => ({
      report: one(t.pmrReports, {
        fields: [t.exportJobs.projectId, t.exportJobs.reportId],
        references: [t.pmrReports.projectId, t.pmrReports.id],
      }),
      requestedByUser: one(users.table, {
        fields: [t.exportJobs.requestedBy],
        references: [users.key],
      }),
      pmrDistributionLog: many(t.pmrDistributionLog),
    })),
    pmrCollaborationRelations: relations(t.pmrCollaboration, ({ one }) => ({
      report: one(t.pmrReports, {
        fields: [t.pmrCollaboration.projectId, t.pmrCollaboration.reportId],
        references: [t.pmrReports.projectId, t.pmrReports.id],
      }),
      collaborationSession: one(t.collaborationSessions, {
        fields: [
          t.pmrCollaboration.projectId,
          t.pmrCollaboration.reportId,
          t.pmrCollaboration.collaborationSessionId,
        ],
        references: [
          t.collaborationSessions.projectId,
          t.collaborationSessions.reportId,
          t.collaborationSessions.id,
        ],
      }),
    })),
    pmrDistributionLogRelations: relations(t.pmrDistributionLog, ({ one }) => ({
      report: one(t.pmrReports, {
        fields: [t.pmrDistributionLog.projectId, t.pmrDistributionLog.reportId],
        references: [t.pmrReports.projectId, t.pmrReports.id],
      }),
      exportJob: one(t.exportJobs, {
        fields: [
          t.pmrDistributionLog.projectId,
          t.pmrDistributionLog.reportId,
          t.pmrDistributionLog.exportJobId,
        ],
        references: [t.exportJobs.projectId, t.exportJobs.reportId, t.exportJobs.id],
      }),
      distributedByUser: one(users.table, {
        fields: [t.pmrDistributionLog.distributedBy],
        references: [users.key],
      }),
    })),
    pmrCommentsRelations: relations(t.pmrComments, ({ one, many }) => ({
      report: one(t.pmrReports, {
        fields: [t.pmrComments.projectId, t.pmrComments.reportId],
        references: [t.pmrReports.projectId, t.pmrReports.id],
      }),
      collaborationSession: one(t.collaborationSessions, {
        fields: [
          t.pmrComments.projectId,
          t.pmrComments.reportId,
          t.pmrComments.collaborationSessionId,
        ],
        references: [
          t.collaborationSessions.projectId,
          t.collaborationSessions.reportId,
          t.collaborationSessions.id,
        ],
      }),
      parentComment: one(t.pmrComments, {
        relationName: "pmr_comments_parent_fkey",
        fields: [t.pmrComments.projectId, t.pmrComments.reportId, t.pmrComments.parentCommentId],
        references: [t.pmrComments.projectId, t.pmrComments.reportId, t.pmrComments.id],
      }),
      user: one(users.table, { fields: [t.pmrComments.userId], references: [users.key] }),
      resolvedByUser: one(users.table, {
        fields: [t.pmrComments.resolvedBy],
        references: [users.key],
      }),
      pmrCommentsByParentComment: many(t.pmrComments, { relationName: "pmr_comments_parent_fkey" }),
    })),
    pmrChangeEventsRelations: relations(t.pmrChangeEvents, ({ one }) => ({
      report: one(t.pmrReports, {
        fields: [t.pmrChangeEvents.projectId, t.pmrChangeEvents.reportId],
        references: [t.pmrReports.projectId, t.pmrReports.id],
      }),
      collaborationSession: one(t.collaborationSessions, {
        fields: [
          t.pmrChangeEvents.projectId,
          t.pmrChangeEvents.reportId,
          t.pmrChangeEvents.collaborationSessionId,
        ],
        references: [
          t.collaborationSessions.projectId,
          t.collaborationSessions.reportId,
          t.collaborationSessions.id,
        ],
      }),
    })),
  };
}

/** The relations of the ready tables: `drizzle(client, { schema: { ...tables, ...relations } })`. */
export const {
  aiInsightsRelations,
  collaborationSessionsRelations,
  editSessionsRelations,
  exportJobsRelations,
  pmrChangeEventsRelations,
  pmrCollaborationRelations,
  pmrCommentsRelations,
  pmrDistributionLogRelations,
  pmrReportsRelations,
  pmrTemplatesRelations,
} = projectReportsRelations(tables, {
  projects: tables.projects.id,
  users: tables.users.id,
});
