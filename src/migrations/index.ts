/** Online changes as plans, and their pieces. */
export {
  addForeignKey,
  type AddForeignKeyOptions,
  type ForeignKeyAction,
} from "../recipes/add-foreign-key.ts";
export { createIndex } from "../recipes/create-index.ts";
export type { CreateIndexOptions, IndexPart } from "../recipes/index-options.ts";
export { setNotNull, type SetNotNullOptions } from "../recipes/set-not-null.ts";
export { type DrizzleColumn, type DrizzleTable, type TableTarget } from "../plan/target.ts";

/** How the database bears it. */
export { sampleHealth, type SampleOptions } from "../run/health/sample-health.ts";
export {
  type ArchiverHealth,
  type BackfillHealth,
  type ConnectionHealth,
  type HealthSample,
  type HostHealth,
  type IndexBuild,
  type LockBlocker,
  type LockHealth,
  type LockWaiter,
  type OpenTransaction,
  type ProbeHealth,
  type ReplicaHealth,
  type RunningVacuum,
  type SlotHealth,
  type TableHealth,
  type TransactionHealth,
  type Unread,
  type WalHealth,
  type XminHolder,
} from "../run/health/health-sample.ts";
export {
  compareHealth,
  type BackfillRates,
  type HealthRates,
  type TableRates,
} from "../run/health/rates.ts";
export {
  watchHealth,
  type Alert,
  type HealthWatch,
  type WatchOptions,
} from "../run/health/watch-health.ts";
export { type AlertName } from "../run/health/assess-health.ts";
export { DEFAULT_HEALTH_THRESHOLDS, type HealthThresholds } from "../run/health/thresholds.ts";
export {
  DEFAULT_THROTTLE_LIMITS,
  throttleReason,
  type ThrottleLimits,
} from "../run/health/throttle.ts";
