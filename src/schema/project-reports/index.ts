// The domain --------------------------------------------------------------------------------------
export { projectReports } from "./project-reports.ts";
export type { IfUuid, ProjectReportsOptions, SimulationKey, UuidColumn } from "./binding.ts";
export {
  access,
  activeCollaborationSessions,
  activeEditSessions,
  aiInsightCategory,
  aiInsightPriority,
  aiInsights,
  aiInsightsPerformance,
  aiInsightType,
  changeEventType,
  collaborationActionType,
  collaborationSessions,
  definition,
  distributionMethod,
  distributionStatus,
  editSessions,
  exportFormat,
  exportJobs,
  exportJobsStatus,
  exportJobStatus,
  participantRole,
  pmrChangeEvents,
  pmrCollaboration,
  pmrComments,
  pmrDashboardSummary,
  pmrDistributionLog,
  pmrReports,
  pmrStatus,
  pmrTemplateAnalytics,
  pmrTemplates,
  pmrTemplateType,
  projectReportsSchema,
  reportCollaborationActivity,
  sessionType,
  validationStatus,
} from "./definition.ts";

// What stands in for a host -----------------------------------------------------------------------
export {
  authSchema,
  monteCarloSimulations,
  projectMembers,
  projectReportsHostSchema,
  projects,
  users,
} from "./definition.ts";

// Its words ---------------------------------------------------------------------------------------
export { legalTransitions, type Transitions } from "./transitions.ts";
export {
  CONFLICT_STRATEGIES,
  type AuditEntry,
  type ConflictStrategy,
  type JsonObject,
  type Participant,
  type Section,
} from "./shapes.ts";
export { authUsersStandIn, authUsersTable } from "../auth-stand-in.ts";
