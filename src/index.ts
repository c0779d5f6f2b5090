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

// Runs ------------------------------------------------------------------------------------------
export { apply } from "./run/apply.ts";
export { confirm, pause, phaseOf, resume, type ControlOptions } from "./run/control.ts";
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
