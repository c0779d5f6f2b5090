// Long because: every foreign key is here, from both of its ends.
import { relations } from "drizzle-orm";
import * as tables from "./definition.ts";
import type { KeyKind } from "./keys.ts";
import type { TestCycles } from "./test-cycles.ts";

/**
 * The relations of the tables of test cycles that a host has bound for itself: `testCyclesRelations(testCycles({ … }))`.
 *
 * Each foreign key is there from both of its ends, named for its column, all of its columns in the join: what is found is of the same
 * line of business. Row security holds for what is joined too: a row that the reader may not see is null, whatever the type says.
 */
export function testCyclesRelations(bound: TestCycles<KeyKind, string>) {
  // Both forms have the same names, and relations hold no types of keys.
  const t = bound as TestCycles<"uuid", string>;
  const scoping = bound.cycleReportScopingAttributes;
  // But for the one key that the form with integers has twice.
  const attributeId = "planningAttributeId" in scoping ? scoping.planningAttributeId : scoping.id;
  const scoped = attributeId as typeof t.cycleReportScopingAttributes.id;
  return {
    lobsRelations: relations(t.lobs, ({ one, many }) => ({
      ownerUser: one(t.users, {
        relationName: "lobs_owner_user_id_fkey",
        fields: [t.lobs.lobId, t.lobs.ownerUserId],
        references: [t.users.lobId, t.users.userId],
      }),
      usersByLob: many(t.users, { relationName: "users_lob_id_fkey" }),
      reports: many(t.reports),
      cycles: many(t.cycles),
      auditLogs: many(t.auditLogs),
      llmAuditLogs: many(t.llmAuditLogs),
    })),
    usersRelations: relations(t.users, ({ one, many }) => ({
      lob: one(t.lobs, {
        relationName: "users_lob_id_fkey",
        fields: [t.users.lobId],
        references: [t.lobs.lobId],
      }),
      manager: one(t.users, {
        relationName: "users_manager_id_fkey",
        fields: [t.users.lobId, t.users.managerId],
        references: [t.users.lobId, t.users.userId],
      }),
      lobsByOwnerUser: many(t.lobs, { relationName: "lobs_owner_user_id_fkey" }),
      usersByManager: many(t.users, { relationName: "users_manager_id_fkey" }),
      userRolesByUser: many(t.userRoles, { relationName: "user_roles_user_id_fkey" }),
      userRolesAssignedBy: many(t.userRoles, { relationName: "user_roles_assigned_by_fkey" }),
      userPermissionsByUser: many(t.userPermissions, {
        relationName: "user_permissions_user_id_fkey",
      }),
      userPermissionsAssignedBy: many(t.userPermissions, {
        relationName: "user_permissions_assigned_by_fkey",
      }),
      reports: many(t.reports),
      cycles: many(t.cycles),
      cycleReports: many(t.cycleReports),
      workflowPhases: many(t.workflowPhases),
      cycleReportScopingAttributesDecidedBy: many(t.cycleReportScopingAttributes, {
        relationName: "cycle_report_scoping_attributes_decided_by_fkey",
      }),
      cycleReportScopingAttributesApprovedBy: many(t.cycleReportScopingAttributes, {
        relationName: "cycle_report_scoping_attributes_approved_by_fkey",
      }),
      testExecutions: many(t.testExecutions),
      observationsCreatedBy: many(t.observations, { relationName: "observations_created_by_fkey" }),
      observationsAssignedTo: many(t.observations, {
        relationName: "observations_assigned_to_fkey",
      }),
      requestsForInformationByDataProvider: many(t.requestsForInformation, {
        relationName: "requests_for_information_data_provider_id_fkey",
      }),
      requestsForInformationRequestedBy: many(t.requestsForInformation, {
        relationName: "requests_for_information_requested_by_fkey",
      }),
      auditLogs: many(t.auditLogs),
      llmAuditLogs: many(t.llmAuditLogs),
    })),
    rolesRelations: relations(t.roles, ({ many }) => ({
      rolePermissions: many(t.rolePermissions),
      userRoles: many(t.userRoles),
    })),
    permissionsRelations: relations(t.permissions, ({ many }) => ({
      rolePermissions: many(t.rolePermissions),
      userPermissions: many(t.userPermissions),
    })),
    rolePermissionsRelations: relations(t.rolePermissions, ({ one }) => ({
      role: one(t.roles, { fields: [t.rolePermissions.roleId], references: [t.roles.roleId] }),
      permission: one(t.permissions, {
        fields: [t.rolePermissions.permissionId],
        references: [t.permissions.permissionId],
      }),
    })),
    userRolesRelations: relations(t.userRoles, ({ one }) => ({
      user: one(t.users, {
        relationName: "user_roles_user_id_fkey",
        fields: [t.userRoles.lobId, t.userRoles.userId],
        references: [t.users.lobId, t.users.userId],
      }),
      role: one(t.roles, { fields: [t.userRoles.roleId], references: [t.roles.roleId] }),
      assignedByUser: one(t.users, {
        relationName: "user_roles_assigned_by_fkey",
        fields: [t.userRoles.lobId, t.userRoles.assignedBy],
        references: [t.users.lobId, t.users.userId],
      }),
    })),
    userPermissionsRelations: relations(t.userPermissions, ({ one }) => ({
      user: one(t.users, {
        relationName: "user_permissions_user_id_fkey",
        fields: [t.userPermissions.lobId, t.userPermissions.userId],
        references: [t.users.lobId, t.users.userId],
      }),
      permission: one(t.permissions, {
        fields: [t.userPermissions.permissionId],
        references: [t.permissions.permissionId],
      }),
      assignedByUser: one(t.users, {
        relationName: "user_permissions_assigned_by_fkey",
        fields: [t.userPermissions.lobId, t.userPermissions.assignedBy],
        references: [t.users.lobId, t.users.userId],
      }),
    })),
    reportsRelations: relations(t.reports, ({ one, many }) => ({
      lob: one(t.lobs, { fields: [t.reports.lobId], references: [t.lobs.lobId] }),
      reportOwner: one(t.users, {
        fields: [t.reports.lobId, t.reports.reportOwnerId],
        references: [t.users.lobId, t.users.userId],
      }),
      cycleReports: many(t.cycleReports),
    })),
    cyclesRelations: relations(t.cycles, ({ one, many }) => ({
      lob: one(t.lobs, { fields: [t.cycles.lobId], references: [t.lobs.lobId] }),
      testManager: one(t.users, {
        fields: [t.cycles.lobId, t.cycles.testManagerId],
        references: [t.users.lobId, t.users.userId],
      }),
      currentReport: one(t.cycleReports, {
        relationName: "test_cycles_current_report_id_fkey",
        fields: [t.cycles.lobId, t.cycles.cycleId, t.cycles.currentReportId],
        references: [t.cycleReports.lobId, t.cycleReports.cycleId, t.cycleReports.reportId],
      }),
      cycleReportsByCycle: many(t.cycleReports, { relationName: "cycle_reports_cycle_id_fkey" }),
    })),
    cycleReportsRelations: relations(t.cycleReports, ({ one, many }) => ({
      cycle: one(t.cycles, {
        relationName: "cycle_reports_cycle_id_fkey",
        fields: [t.cycleReports.lobId, t.cycleReports.cycleId],
        references: [t.cycles.lobId, t.cycles.cycleId],
      }),
      report: one(t.reports, {
        fields: [t.cycleReports.lobId, t.cycleReports.reportId],
        references: [t.reports.lobId, t.reports.reportId],
      }),
      tester: one(t.users, {
        fields: [t.cycleReports.lobId, t.cycleReports.testerId],
        references: [t.users.lobId, t.users.userId],
      }),
      cyclesByCurrentReport: many(t.cycles, { relationName: "test_cycles_current_report_id_fkey" }),
      workflowPhases: many(t.workflowPhases),
    })),
    workflowPhasesRelations: relations(t.workflowPhases, ({ one, many }) => ({
      cycleReport: one(t.cycleReports, {
        fields: [t.workflowPhases.lobId, t.workflowPhases.cycleId, t.workflowPhases.reportId],
        references: [t.cycleReports.lobId, t.cycleReports.cycleId, t.cycleReports.reportId],
      }),
      completedByUser: one(t.users, {
        fields: [t.workflowPhases.lobId, t.workflowPhases.completedBy],
        references: [t.users.lobId, t.users.userId],
      }),
      cycleReportPlanningAttributes: many(t.cycleReportPlanningAttributes),
      cycleReportScopingAttributes: many(t.cycleReportScopingAttributes),
      samples: many(t.samples),
      testExecutions: many(t.testExecutions),
      observations: many(t.observations),
      requestsForInformation: many(t.requestsForInformation),
      dataProfiles: many(t.dataProfiles),
    })),
    cycleReportPlanningAttributesRelations: relations(
      t.cycleReportPlanningAttributes,
      ({ one, many }) => ({
        phase: one(t.workflowPhases, {
          fields: [t.cycleReportPlanningAttributes.lobId, t.cycleReportPlanningAttributes.phaseId],
          references: [t.workflowPhases.lobId, t.workflowPhases.phaseId],
        }),
        scopingAttribute: one(t.cycleReportScopingAttributes),
        dataProfiles: many(t.dataProfiles),
      }),
    ),
    cycleReportScopingAttributesRelations: relations(
      t.cycleReportScopingAttributes,
      ({ one, many }) => ({
        planningAttribute: one(t.cycleReportPlanningAttributes, {
          fields: [t.cycleReportScopingAttributes.lobId, scoped],
          references: [t.cycleReportPlanningAttributes.lobId, t.cycleReportPlanningAttributes.id],
        }),
        phase: one(t.workflowPhases, {
          fields: [t.cycleReportScopingAttributes.lobId, t.cycleReportScopingAttributes.phaseId],
          references: [t.workflowPhases.lobId, t.workflowPhases.phaseId],
        }),
        decidedByUser: one(t.users, {
          relationName: "cycle_report_scoping_attributes_decided_by_fkey",
          fields: [t.cycleReportScopingAttributes.lobId, t.cycleReportScopingAttributes.decidedBy],
          references: [t.users.lobId, t.users.userId],
        }),
        approvedByUser: one(t.users, {
          relationName: "cycle_report_scoping_attributes_approved_by_fkey",
          fields: [t.cycleReportScopingAttributes.lobId, t.cycleReportScopingAttributes.approvedBy],
          references: [t.users.lobId, t.users.userId],
        }),
        testExecutions: many(t.testExecutions),
      }),
    ),
    samplesRelations: relations(t.samples, ({ one, many }) => ({
      phase: one(t.workflowPhases, {
        fields: [t.samples.lobId, t.samples.phaseId],
        references: [t.workflowPhases.lobId, t.workflowPhases.phaseId],
      }),
      testExecutions: many(t.testExecutions),
      requestsForInformation: many(t.requestsForInformation),
    })),
    testExecutionsRelations: relations(t.testExecutions, ({ one, many }) => ({
      phase: one(t.workflowPhases, {
        fields: [t.testExecutions.lobId, t.testExecutions.phaseId],
        references: [t.workflowPhases.lobId, t.workflowPhases.phaseId],
      }),
      sample: one(t.samples, {
        fields: [t.testExecutions.lobId, t.testExecutions.sampleId],
        references: [t.samples.lobId, t.samples.sampleId],
      }),
      scopingAttribute: one(t.cycleReportScopingAttributes, {
        fields: [t.testExecutions.lobId, t.testExecutions.planningAttributeId],
        references: [t.cycleReportScopingAttributes.lobId, scoped],
      }),
      tester: one(t.users, {
        fields: [t.testExecutions.lobId, t.testExecutions.testerId],
        references: [t.users.lobId, t.users.userId],
      }),
      observations: many(t.observations),
    })),
    observationsRelations: relations(t.observations, ({ one, many }) => ({
      phase: one(t.workflowPhases, {
        fields: [t.observations.lobId, t.observations.phaseId],
        references: [t.workflowPhases.lobId, t.workflowPhases.phaseId],
      }),
      execution: one(t.testExecutions, {
        fields: [t.observations.lobId, t.observations.executionId],
        references: [t.testExecutions.lobId, t.testExecutions.executionId],
      }),
      parentObservation: one(t.observations, {
        relationName: "observations_parent_observation_id_fkey",
        fields: [t.observations.lobId, t.observations.parentObservationId],
        references: [t.observations.lobId, t.observations.observationId],
      }),
      createdByUser: one(t.users, {
        relationName: "observations_created_by_fkey",
        fields: [t.observations.lobId, t.observations.createdBy],
        references: [t.users.lobId, t.users.userId],
      }),
      assignedToUser: one(t.users, {
        relationName: "observations_assigned_to_fkey",
        fields: [t.observations.lobId, t.observations.assignedTo],
        references: [t.users.lobId, t.users.userId],
      }),
      observationsByParentObservation: many(t.observations, {
        relationName: "observations_parent_observation_id_fkey",
      }),
    })),
    requestsForInformationRelations: relations(t.requestsForInformation, ({ one }) => ({
      phase: one(t.workflowPhases, {
        fields: [t.requestsForInformation.lobId, t.requestsForInformation.phaseId],
        references: [t.workflowPhases.lobId, t.workflowPhases.phaseId],
      }),
      sample: one(t.samples, {
        fields: [t.requestsForInformation.lobId, t.requestsForInformation.sampleId],
        references: [t.samples.lobId, t.samples.sampleId],
      }),
      dataProvider: one(t.users, {
        relationName: "requests_for_information_data_provider_id_fkey",
        fields: [t.requestsForInformation.lobId, t.requestsForInformation.dataProviderId],
        references: [t.users.lobId, t.users.userId],
      }),
      requestedByUser: one(t.users, {
        relationName: "requests_for_information_requested_by_fkey",
        fields: [t.requestsForInformation.lobId, t.requestsForInformation.requestedBy],
        references: [t.users.lobId, t.users.userId],
      }),
    })),
    dataProfilesRelations: relations(t.dataProfiles, ({ one }) => ({
      phase: one(t.workflowPhases, {
        fields: [t.dataProfiles.lobId, t.dataProfiles.phaseId],
        references: [t.workflowPhases.lobId, t.workflowPhases.phaseId],
      }),
      planningAttribute: one(t.cycleReportPlanningAttributes, {
        fields: [t.dataProfiles.lobId, t.dataProfiles.planningAttributeId],
        references: [t.cycleReportPlanningAttributes.lobId, t.cycleReportPlanningAttributes.id],
      }),
    })),
    auditLogsRelations: relations(t.auditLogs, ({ one }) => ({
      lob: one(t.lobs, { fields: [t.auditLogs.lobId], references: [t.lobs.lobId] }),
      user: one(t.users, {
        fields: [t.auditLogs.lobId, t.auditLogs.userId],
        references: [t.users.lobId, t.users.userId],
      }),
    })),
    llmAuditLogsRelations: relations(t.llmAuditLogs, ({ one }) => ({
      lob: one(t.lobs, { fields: [t.llmAuditLogs.lobId], references: [t.lobs.lobId] }),
      user: one(t.users, {
        fields: [t.llmAuditLogs.lobId, t.llmAuditLogs.userId],
        references: [t.users.lobId, t.users.userId],
      }),
    })),
  };
}

/** The relations of the ready tables: `drizzle(client, { schema: { ...tables, ...relations } })`. */
export const {
  auditLogsRelations,
  cycleReportPlanningAttributesRelations,
  cycleReportScopingAttributesRelations,
  cycleReportsRelations,
  cyclesRelations,
  dataProfilesRelations,
  llmAuditLogsRelations,
  lobsRelations,
  observationsRelations,
  permissionsRelations,
  reportsRelations,
  requestsForInformationRelations,
  rolePermissionsRelations,
  rolesRelations,
  samplesRelations,
  testExecutionsRelations,
  userPermissionsRelations,
  userRolesRelations,
  usersRelations,
  workflowPhasesRelations,
} = testCyclesRelations(tables);
