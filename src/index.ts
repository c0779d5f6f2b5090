/**
 * underpin: Definition + Facts → Plan → Report. Named exports only; nothing is defined here.
 */

// Plans -----------------------------------------------------------------------------------------
export { explain, type ExplainOptions } from "./plan/explain.ts";
export { hashPlan } from "./plan/hash.ts";
export { LOCK_MODES, type LockMode } from "./plan/lock.ts";
export { plan } from "./plan/plan.ts";
export { reverse } from "./plan/reverse.ts";
export { segment, type Segment } from "./plan/segment.ts";
export type {
  BackfillStep,
  CallStep,
  CheckStep,
  GateStep,
  Json,
  KeyColumn,
  Lock,
  Plan,
  Probe,
  RelationName,
  RowAccess,
  ServerRange,
  SqlStep,
  Statement,
  Step,
  TransactionRule,
  Undo,
} from "./plan/step.ts";

// Definitions -----------------------------------------------------------------------------------
export { combine } from "./definition/combine.ts";
export { defineDatabase } from "./definition/define-database.ts";
export type { DefinitionOptions } from "./definition/definition-of.ts";
export type { Definition, Requirements, Seed } from "./definition/definition.ts";
export { planInstall } from "./install/plan-install.ts";
export { planUninstall } from "./install/plan-uninstall.ts";
export { snapshot, type Snapshot } from "./install/snapshot.ts";
export { verify, type VerifyOptions } from "./install/verify.ts";
export type { Finding, Findings, Severity } from "./catalog/finding.ts";

// What Drizzle lacks ----------------------------------------------------------------------------
export {
  contentHash,
  databaseObject,
  type DatabaseObject,
  type ObjectKind,
  type ObjectParts,
} from "./objects/object.ts";
export { pgComment, type CommentOptions } from "./objects/pg-comment.ts";
export {
  pgDeferrable,
  pgExclusion,
  type DeferrableOptions,
  type ExclusionElement,
  type ExclusionOptions,
} from "./objects/pg-constraint.ts";
export { pgDomain, type DomainOptions } from "./objects/pg-domain.ts";
export { pgExtension, type ExtensionOptions } from "./objects/pg-extension.ts";
export { pgForceRowSecurity } from "./objects/pg-force-row-security.ts";
export {
  pgFunction,
  type FunctionArgument,
  type FunctionObject,
  type FunctionOptions,
} from "./objects/pg-function.ts";
export {
  pgFunctionGrant,
  pgGrant,
  pgSchemaGrant,
  type TableGrantOptions,
  type TablePrivilege,
} from "./objects/pg-grant.ts";
export { pgGroupRole } from "./objects/pg-group-role.ts";
export {
  pgMaterializedViewIndex,
  type MaterializedViewIndexOptions,
} from "./objects/pg-materialized-view-index.ts";
export {
  pgRefreshSchedule,
  type RefreshSchedule,
  type RefreshScheduleOptions,
} from "./objects/pg-refresh-schedule.ts";
export { pgTrigger, type TriggerEvent, type TriggerOptions } from "./objects/pg-trigger.ts";

// Runs ------------------------------------------------------------------------------------------
export { apply } from "./run/apply.ts";
export { estimate, type EstimateOptions } from "./run/estimate/estimate.ts";
export { estimateText } from "./run/estimate/estimate-text.ts";
export type {
  BackfillCost,
  BackfillEstimate,
  Estimate,
  LockedTable,
  OtherEstimate,
  SlotThere,
  StatementEstimate,
  StepEstimate,
} from "./run/estimate/estimate-types.ts";
export { workBackfill, type WorkOptions, type WorkReport } from "./run/backfill/work-backfill.ts";
export type {
  BackfillProgress,
  RemainingMs,
  RowFailure,
} from "./run/backfill/backfill-progress.ts";
export {
  confirm,
  pause,
  phaseOf,
  resume,
  retryFailed,
  type ControlOptions,
} from "./run/control.ts";
export { runs, type RunStatus } from "./run/runs.ts";
export { undo, type UndoOptions } from "./run/undo.ts";
export type { Blocker } from "./run/blockers.ts";
export type { Observer, RunEvent } from "./run/events.ts";
export {
  DEFAULT_RUN_OPTIONS,
  type Handler,
  type HandlerContext,
  type RunOptions,
} from "./run/options.ts";
export type { Failure, Outcome, Report, StepReport } from "./run/report.ts";

// Facts -----------------------------------------------------------------------------------------
export { canonical, type Canonical, type CanonicalOptions } from "./catalog/canonical.ts";
export { compareCatalogs, type Difference } from "./catalog/compare.ts";
export { readFacts, readLocks, type Facts } from "./catalog/read-facts.ts";
export type { ReadOptions } from "./catalog/read-json.ts";

// Databases -------------------------------------------------------------------------------------
export { toExecutor, type DatabaseLike } from "./executor/connect.ts";
export type { Executor, Parameter, Queryable, Row, Session } from "./executor/executor.ts";

// Errors ----------------------------------------------------------------------------------------
export { isUnderpinError, UnderpinError, type ErrorCode, type ErrorDetails } from "./errors.ts";
