// The domain --------------------------------------------------------------------------------------
export { reporting, type ReportingOptions } from "./reporting.ts";
export {
  access,
  auditLogs,
  definition,
  executionLogs,
  organizations,
  reportExecutions,
  reportingSchema,
  reports,
  reportShares,
  schemes,
  templateFields,
  templates,
  userCredentials,
  users,
  userSessions,
} from "./definition.ts";

// Its queries -------------------------------------------------------------------------------------
export {
  executionStatistics,
  hasProcessingReports,
  indexUsage,
  reportPage,
  reportsWithParameters,
} from "./definition.ts";
export type { ExecutionStatistics, ReportPageOptions } from "./queries.ts";
export type { Reader } from "./reader.ts";
export type { IndexUsage } from "./index-usage.ts";
export {
  keyset,
  type Direction,
  type KeyedRow,
  type KeysetOptions,
  type KeysetPage,
} from "../keyset.ts";

// Its words ---------------------------------------------------------------------------------------
export {
  AUDIT_ACTIONS,
  EXECUTION_STATUSES,
  FIELD_TYPES,
  LOG_LEVELS,
  OUTPUT_FORMATS,
  REPORT_STATUSES,
  RESOURCE_TYPES,
  SHARE_PERMISSIONS,
  SUBSCRIPTION_TIERS,
  TEMPLATE_TYPES,
  USER_ROLES,
} from "./words.ts";
