import { relations } from "drizzle-orm";
import * as tables from "./definition.ts";
import type { ReportingTables } from "./tables.ts";

/**
 * The relations of the tables of reporting that a host has bound for itself: `reportingRelations(reporting({ … }))`.
 *
 * Each foreign key is there from both of its ends, named for its column, all of its columns in the join: what is found is of the same
 * organization. Row security holds for what is joined too: a row that the reader may not see is null, whatever the type says.
 */
export function reportingRelations(t: ReportingTables) {
  return {
    organizationsRelations: relations(t.organizations, ({ many }) => ({
      users: many(t.users),
      templates: many(t.templates),
      reports: many(t.reports),
      reportExecutions: many(t.reportExecutions),
      auditLogs: many(t.auditLogs),
    })),
    usersRelations: relations(t.users, ({ one, many }) => ({
      organization: one(t.organizations, {
        fields: [t.users.organizationId],
        references: [t.organizations.id],
      }),
      userSessions: many(t.userSessions),
      templates: many(t.templates),
      reports: many(t.reports),
      reportExecutions: many(t.reportExecutions),
      reportSharesSharedWith: many(t.reportShares, {
        relationName: "report_shares_shared_with_fk",
      }),
      reportSharesSharedBy: many(t.reportShares, { relationName: "report_shares_shared_by_fk" }),
      auditLogs: many(t.auditLogs),
    })),
    userSessionsRelations: relations(t.userSessions, ({ one }) => ({
      user: one(t.users, {
        fields: [t.userSessions.organizationId, t.userSessions.userId],
        references: [t.users.organizationId, t.users.id],
      }),
    })),
    templatesRelations: relations(t.templates, ({ one, many }) => ({
      organization: one(t.organizations, {
        fields: [t.templates.organizationId],
        references: [t.organizations.id],
      }),
      createdByUser: one(t.users, {
        fields: [t.templates.organizationId, t.templates.createdBy],
        references: [t.users.organizationId, t.users.id],
      }),
      parentTemplate: one(t.templates, {
        relationName: "templates_parent_fk",
        fields: [t.templates.organizationId, t.templates.parentTemplateId],
        references: [t.templates.organizationId, t.templates.id],
      }),
      templatesByParentTemplate: many(t.templates, { relationName: "templates_parent_fk" }),
      templateFields: many(t.templateFields),
      reports: many(t.reports),
    })),
    templateFieldsRelations: relations(t.templateFields, ({ one }) => ({
      template: one(t.templates, {
        fields: [t.templateFields.organizationId, t.templateFields.templateId],
        references: [t.templates.organizationId, t.templates.id],
      }),
    })),
    reportsRelations: relations(t.reports, ({ one, many }) => ({
      organization: one(t.organizations, {
        fields: [t.reports.organizationId],
        references: [t.organizations.id],
      }),
      template: one(t.templates, {
        fields: [t.reports.organizationId, t.reports.templateId],
        references: [t.templates.organizationId, t.templates.id],
      }),
      createdByUser: one(t.users, {
        fields: [t.reports.organizationId, t.reports.createdBy],
        references: [t.users.organizationId, t.users.id],
      }),
      reportExecutions: many(t.reportExecutions),
      reportShares: many(t.reportShares),
    })),
    reportExecutionsRelations: relations(t.reportExecutions, ({ one, many }) => ({
      organization: one(t.organizations, {
        fields: [t.reportExecutions.organizationId],
        references: [t.organizations.id],
      }),
      report: one(t.reports, {
        fields: [t.reportExecutions.organizationId, t.reportExecutions.reportId],
        references: [t.reports.organizationId, t.reports.id],
      }),
      executedByUser: one(t.users, {
        fields: [t.reportExecutions.organizationId, t.reportExecutions.executedBy],
        references: [t.users.organizationId, t.users.id],
      }),
      executionLogs: many(t.executionLogs),
    })),
    executionLogsRelations: relations(t.executionLogs, ({ one }) => ({
      execution: one(t.reportExecutions, {
        fields: [
          t.executionLogs.organizationId,
          t.executionLogs.executionId,
          t.executionLogs.executionStartedAt,
        ],
        references: [
          t.reportExecutions.organizationId,
          t.reportExecutions.id,
          t.reportExecutions.startedAt,
        ],
      }),
    })),
    reportSharesRelations: relations(t.reportShares, ({ one }) => ({
      report: one(t.reports, {
        fields: [t.reportShares.organizationId, t.reportShares.reportId],
        references: [t.reports.organizationId, t.reports.id],
      }),
      sharedWithUser: one(t.users, {
        relationName: "report_shares_shared_with_fk",
        fields: [t.reportShares.organizationId, t.reportShares.sharedWith],
        references: [t.users.organizationId, t.users.id],
      }),
      sharedByUser: one(t.users, {
        relationName: "report_shares_shared_by_fk",
        fields: [t.reportShares.organizationId, t.reportShares.sharedBy],
        references: [t.users.organizationId, t.users.id],
      }),
    })),
    auditLogsRelations: relations(t.auditLogs, ({ one }) => ({
      organization: one(t.organizations, {
        fields: [t.auditLogs.organizationId],
        references: [t.organizations.id],
      }),
      user: one(t.users, {
        fields: [t.auditLogs.organizationId, t.auditLogs.userId],
        references: [t.users.organizationId, t.users.id],
      }),
    })),
  };
}

/** The relations of the ready tables: `drizzle(client, { schema: { ...tables, ...relations } })`. */
export const {
  auditLogsRelations,
  executionLogsRelations,
  organizationsRelations,
  reportExecutionsRelations,
  reportSharesRelations,
  reportsRelations,
  templateFieldsRelations,
  templatesRelations,
  userSessionsRelations,
  usersRelations,
} = reportingRelations(tables);
