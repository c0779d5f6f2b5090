export {
  academicTerms,
  access,
  auditLogs,
  courses,
  courseStudents,
  courseTeachers,
  definition,
  hpcAchievementCategory,
  hpcAchievements,
  hpcAnalytics,
  hpcApprovalStatus,
  hpcApprovalWorkflows,
  hpcCycleStatus,
  hpcEvaluationCycles,
  hpcEvaluations,
  hpcEvaluationStatus,
  hpcEvidenceFiles,
  hpcParameterAssignments,
  hpcParameterCategory,
  hpcParameters,
  hpcReflections,
  hpcReports,
  hpcRubrics,
  hpcStage,
  hpcStakeholder,
  hpcStudentSummary,
  hpcWeightedScores,
  institutions,
  mvHpcStudentSummary,
  progressCardSchema,
  userProfiles,
} from "./definition.ts";
export { AUDIT_REASON_SETTING } from "./audit-trail.ts";
export type { HpcContext } from "./audit-table.ts";
export type { ApprovalStatus } from "./enums.ts";
export { EVIDENCE_CONTENT_TYPES, MAX_EVIDENCE_BYTES } from "./evidence-table.ts";
export { USER_ROLES, type AccountColumn } from "./institution-tables.ts";
export { legalTransitions, reviewerStatuses } from "./legal-transitions.ts";
export type { RubricLevel } from "./parameter-tables.ts";
export { progressCard, type ProgressCardOptions } from "./progress-card.ts";
