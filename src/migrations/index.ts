/** Online changes as plans, and their pieces. */
export { addCheck, type AddCheckOptions } from "../recipes/add-check.ts";
export { addColumn, type AddColumnOptions, type NewDrizzleColumn } from "../recipes/add-column.ts";
export {
  addForeignKey,
  type AddForeignKeyOptions,
  type ForeignKeyAction,
} from "../recipes/add-foreign-key.ts";
export { addTenantColumn } from "../recipes/add-tenant-column.ts";
export type { TenantId, TenantSource } from "../recipes/add-tenant-column-sources.ts";
export type { TenantDistribution } from "../recipes/add-tenant-column-steps.ts";
export type {
  AddTenantColumnOptions,
  TenantTable,
  TenantTableOptions,
} from "../recipes/add-tenant-column-tables.ts";
export {
  backfill,
  type BackfillCheck,
  type BackfillKey,
  type BackfillOptions,
} from "../recipes/backfill.ts";
export {
  addPrimaryKey,
  addUnique,
  type AddPrimaryKeyOptions,
  type AddUniqueOptions,
} from "../recipes/add-unique.ts";
export { convertPrimaryKey } from "./convert-primary-key.ts";
export { createIndex } from "../recipes/create-index.ts";
export {
  createMaterializedView,
  type CreateMaterializedViewOptions,
} from "../recipes/create-materialized-view.ts";
export { dropColumn, type DropColumnOptions } from "../recipes/drop-column.ts";
export { dropIndex, type DropIndexOptions } from "../recipes/drop-index.ts";
export { enableRls, type EnableRlsOptions, type NewPolicy } from "../recipes/enable-rls.ts";
export {
  addEnumValue,
  renameEnumValue,
  type AddEnumValueOptions,
  type EnumTarget,
  type RenameEnumValueOptions,
} from "../recipes/enum-value.ts";
export { type IndexShape } from "../recipes/build-index.ts";
export { type IndexTarget } from "../recipes/index-facts.ts";
export type { CreateIndexOptions, IndexPart } from "../recipes/index-options.ts";
export { changeColumnType, type ChangeColumnTypeOptions } from "../recipes/change-column-type.ts";
export { type ColumnFacts } from "../recipes/own-column.ts";
export { renameColumn, type RenameColumnOptions } from "../recipes/rename-column.ts";
export { renameTable, type RenameTableOptions } from "../recipes/rename-table.ts";
export { type KeyStrategy } from "../recipes/keys/conversion.ts";
export { type KeyFacts } from "../recipes/keys/graph.ts";
export type {
  ConvertPrimaryKeyOptions,
  KeyReference,
  KeyTable,
  ReadinessCheck,
} from "../recipes/keys/options.ts";
export {
  resolveKey,
  type ResolvedKey,
  type ResolveKeyOptions,
} from "../recipes/keys/resolve-key.ts";
export { type WatchedQuery } from "../recipes/keys/watched.ts";
export { idOf, uuidOf } from "../recipes/keys/uuid-of.ts";
export { removeEnumValue, type RemoveEnumValueOptions } from "../recipes/remove-enum-value.ts";
export { replaceIndex, type ReplaceIndexOptions } from "../recipes/replace-index.ts";
export { setNotNull, type SetNotNullOptions } from "../recipes/set-not-null.ts";
export { type BackfillPace } from "../recipes/shadow-column.ts";
export {
  mergeColumns,
  splitColumn,
  type DerivedColumn,
  type MergeColumnsOptions,
  type ReplacedColumn,
  type SplitColumnOptions,
} from "../recipes/split-column.ts";
export { type SyncConflict } from "../recipes/sync-trigger.ts";
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

/** What a change would do, measured where nobody waits. */
export { rehearse, type RehearseOptions } from "./rehearse.ts";
export { type RehearsalBase } from "./rehearsal/base.ts";
export { rehearsalText, type RehearsalTextOptions } from "./rehearsal/rehearsal-text.ts";
export {
  type Rehearsal,
  type RehearsedLock,
  type RehearsedPlan,
  type RehearsedStep,
  type RehearsedWay,
  type RowsOf,
  type VisibilityChange,
} from "./rehearsal/rehearsal.ts";

/** Backups. */
export { backup } from "./backup.ts";
export {
  type BackupArchive,
  type BackupFile,
  type BackupManifest,
  type BackupPart,
} from "./backup/manifest.ts";
export { type BackupOptions } from "./backup/options.ts";
export { backupHandlers, requireBackup, type RequireBackupOptions } from "./require-backup.ts";
export { restorePoint, type RestorePoint } from "./restore-point.ts";
export { verifyBackup, type BackupProof, type VerifyBackupOptions } from "./verify-backup.ts";

/** Folders of migrations, there and back. */
export { baseline, type BaselineOptions } from "./baseline.ts";
export {
  migrateFleet,
  type FleetEnd,
  type FleetOptions,
  type FleetReport,
  type FleetTarget,
} from "./fleet.ts";
export { migrate, type MigrateOptions } from "./migrate.ts";
export {
  migrationPlans,
  migrationScript,
  type MigrationScriptOptions,
} from "./migration-script.ts";
export { repair, type Repaired, type RepairOptions, type RepairReport } from "./repair.ts";
export { rollback, type RollbackOptions } from "./rollback.ts";
export { squash, type SquashOptions, type SquashReport } from "./squash.ts";
export { status, type MigrationStatus, type StatusOptions } from "./status.ts";
export { readFolder } from "./runner/read-folder.ts";
export { checksumOf } from "./runner/checksum.ts";
export { type Allowance } from "./runner/folder-finding.ts";
export { type DrizzleLedger } from "./runner/import-drizzle.ts";
export { type LedgerRow, type LedgerWay, type MigrationRun } from "./runner/ledger.ts";
export {
  type DownFile,
  type Layout,
  type Migration,
  type MigrationFolder,
  type SquashedMigration,
  type TextFile,
} from "./runner/migration.ts";
export { type MigrationFailure, type MigrationReport } from "./runner/report.ts";
export { type RunnerOptions } from "./runner/runner-context.ts";
export { type Tenant } from "./runner/tenant.ts";

/** Scripts: what they would do to others, and the same online. */
export { lint, type LintOptions } from "./lint/lint.ts";
export { type LintFinding } from "./lint/finding.ts";
export { type PostgresMajor } from "./lint/versions.ts";
export { type RuleName } from "./rewrite/rules.ts";
export { rewriteOnline, type RewriteOptions, type Rewritten } from "./rewrite/rewrite-online.ts";
