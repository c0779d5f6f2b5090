import { accessOf } from "./access.ts";
import { domainOver } from "./project-reports.ts";
import { standInHost } from "./stand-in-host.ts";

const domainAccess = accessOf({ schema: "project_reports" });
const host = standInHost(domainAccess);
const ready = domainOver(
  {
    projects: host.projects.id,
    users: host.users.id,
    members: { projectId: host.projectMembers.projectId, userId: host.projectMembers.userId },
    simulations: [host.monteCarloSimulations.projectId, host.monteCarloSimulations.id],
  },
  domainAccess,
  { schema: "project_reports", alongside: host },
);

/** The schema `project_reports`. drizzle-kit makes it only where it is exported. */
export const projectReportsSchema = ready.projectReportsSchema;

/** Templates of reports, which belong to no project. */
export const pmrTemplates = ready.pmrTemplates;

/** The monthly reports of projects. */
export const pmrReports = ready.pmrReports;

/** What an AI says about a report. */
export const aiInsights = ready.aiInsights;

/** Several people on one report at once. */
export const collaborationSessions = ready.collaborationSessions;

/** One person at work on a report. */
export const editSessions = ready.editSessions;

/** Reports on their way into files. */
export const exportJobs = ready.exportJobs;

/** What people did. Append-only. */
export const pmrCollaboration = ready.pmrCollaboration;

/** To whom reports went. */
export const pmrDistributionLog = ready.pmrDistributionLog;

/** Comments on sections, in threads. */
export const pmrComments = ready.pmrComments;

/** What changed in reports. Append-only. */
export const pmrChangeEvents = ready.pmrChangeEvents;

/** One row for each project. */
export const pmrDashboardSummary = ready.pmrDashboardSummary;

/** How templates do. */
export const pmrTemplateAnalytics = ready.pmrTemplateAnalytics;

/** The edit sessions that are open. */
export const activeEditSessions = ready.activeEditSessions;

/** The collaborative sessions that are open. */
export const activeCollaborationSessions = ready.activeCollaborationSessions;

/** Export jobs with how long they waited and ran. */
export const exportJobsStatus = ready.exportJobsStatus;

/** How good insights are. */
export const aiInsightsPerformance = ready.aiInsightsPerformance;

/** What happened on the reports in the last thirty days. */
export const reportCollaborationActivity = ready.reportCollaborationActivity;

/** The enum `pmr_status`. */
export const pmrStatus = ready.pmrStatus;

/** The enum `pmr_template_type`. */
export const pmrTemplateType = ready.pmrTemplateType;

/** The enum `ai_insight_type`. */
export const aiInsightType = ready.aiInsightType;

/** The enum `ai_insight_category`. */
export const aiInsightCategory = ready.aiInsightCategory;

/** The enum `ai_insight_priority`. */
export const aiInsightPriority = ready.aiInsightPriority;

/** The enum `validation_status`. */
export const validationStatus = ready.validationStatus;

/** The enum `session_type`. */
export const sessionType = ready.sessionType;

/** The enum `participant_role`. */
export const participantRole = ready.participantRole;

/** The enum `export_format`. */
export const exportFormat = ready.exportFormat;

/** The enum `export_job_status`. */
export const exportJobStatus = ready.exportJobStatus;

/** The enum `change_event_type`. */
export const changeEventType = ready.changeEventType;

/** The enum `collaboration_action_type`. */
export const collaborationActionType = ready.collaborationActionType;

/** The enum `distribution_method`. */
export const distributionMethod = ready.distributionMethod;

/** The enum `distribution_status`. */
export const distributionStatus = ready.distributionStatus;

/** The schema `project_reports_host`, of what stands in for a host. */
export const projectReportsHostSchema = host.projectReportsHostSchema;

/** The schema `auth`, of what stands in for Supabase's. */
export const authSchema = host.authSchema;

/** `auth.users`, standing in. */
export const users = host.users;

/** Projects, standing in. */
export const projects = host.projects;

/** Who is in which project, standing in. */
export const projectMembers = host.projectMembers;

/** Simulations of projects, standing in. */
export const monteCarloSimulations = host.monteCarloSimulations;

/** Who may do what. */
export const access = ready.access;

/** The whole of the domain over the tables that stand in for a host. */
export const definition = ready.definition;
