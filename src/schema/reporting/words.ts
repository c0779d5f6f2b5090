/**
 * The closed lists of words of the domain. They are text with a CHECK and not enums: comparing text is LEAKPROOF and comparing
 * enums is not, so that under row security an index on an enum is not used for a filter (15 and 18).
 */

/** What a user may be. A `super_admin` works for the provider and is no persona of an organization. */
export const USER_ROLES = [
  "super_admin",
  "org_admin",
  "report_manager",
  "report_viewer",
  "user",
] as const;

/** What an organization has subscribed to. */
export const SUBSCRIPTION_TIERS = ["free", "pro", "enterprise"] as const;

/** What a template makes. */
export const TEMPLATE_TYPES = ["tabular", "chart", "dashboard", "custom"] as const;

/** What a field of a template asks for. */
export const FIELD_TYPES = [
  "text",
  "number",
  "boolean",
  "date",
  "select",
  "multi_select",
  "json",
] as const;

/** Where a report stands. */
export const REPORT_STATUSES = [
  "draft",
  "scheduled",
  "processing",
  "completed",
  "failed",
  "cancelled",
] as const;

/** Where one execution of a report stands. */
export const EXECUTION_STATUSES = ["running", "completed", "failed", "cancelled"] as const;

/** What an execution may write. */
export const OUTPUT_FORMATS = ["pdf", "excel", "csv", "json", "html"] as const;

/** How grave a line of an execution's log is. */
export const LOG_LEVELS = ["debug", "info", "warning", "error"] as const;

/** What a share lets its user do. */
export const SHARE_PERMISSIONS = ["view", "edit"] as const;

/** What was done, in the audit log. */
export const AUDIT_ACTIONS = [
  "create",
  "read",
  "update",
  "delete",
  "login",
  "logout",
  "export",
] as const;

/** To what it was done, in the audit log. */
export const RESOURCE_TYPES = ["user", "organization", "template", "report", "execution"] as const;
