export { hash, list, partitionBy, range, type ListOptions } from "./partition-by.ts";
export type {
  NumberRangeOptions,
  RangeOptions,
  SchemeKeys,
  SchemeOf,
  SchemeOptions,
  SchemeValues,
  TimeRangeOptions,
  UuidRangeOptions,
} from "./partition-types.ts";
export type { Archive } from "./maintenance/archive.ts";
export { maintain, type MaintainOptions, type MaintenanceReport } from "./maintenance/maintain.ts";
export { planMaintenance, type MaintenancePlan } from "./maintenance/plan-maintenance.ts";
export {
  readMaintenance,
  type MaintenanceOptions,
  type MaintenanceReading,
} from "./maintenance/read-maintenance.ts";
export { planProvision } from "./plan-provision.ts";
export { premakeSchedule, type PremakeScheduleOptions } from "./premake-schedule.ts";
export { provision, type ProvisionOptions } from "./provision.ts";
export { provisionRequests, type ProvisionRequestsOptions } from "./provision-requests.ts";
export {
  provisionRequested,
  type FailedRequest,
  type RequestedReport,
} from "./provision-requested.ts";
export {
  readSurvey,
  readSurveys,
  type ProvisionWindow,
  type Survey,
  type SurveyedPartition,
  type SurveyRequest,
} from "./survey.ts";
export { schemeObjects } from "./scheme-objects.ts";
export { advise, type Advice, type AdviseOptions } from "./advise.ts";
export { adviceText } from "./advice-text.ts";
export type { Candidate } from "./advice/candidates.ts";
export type { ConversionAdvice } from "./advice/conversion.ts";
export type { Forecast, PlanningModel } from "./advice/forecast.ts";
export type { AdvisedQuery, GivenQuery } from "./advice/read-queries.ts";
export type { ColumnStatistics, Spread, TableStatistics } from "./advice/read-statistics.ts";
export type { Bound, Edge } from "./bound.ts";
export {
  inspectPartitions,
  type InspectOptions,
  type InspectedPartition,
  type PartitionBytes,
  type PartitionInspection,
  type PartitionWrites,
} from "./inspect-partitions.ts";
export {
  pruned,
  type PrunedDatabase,
  type PrunedOptions,
  type PrunedQuery,
  type PrunedResult,
} from "./pruned.ts";
export type { Partition } from "./read-tree.ts";
export { validatePartitions, type ValidateOptions } from "./validate-partitions.ts";
export { where } from "./where.ts";
export { dropReplaced, type DropReplacedOptions } from "./drop-replaced.ts";
export { mergePartitions, type MergePartitionsOptions } from "./merge-partitions.ts";
export type { ReshapeFacts } from "./reshape-of.ts";
export { splitPartition, type SplitPartitionOptions } from "./split-partition.ts";
export { changeGranularity, type ChangeGranularityOptions } from "./change-granularity.ts";
export type { FlatFacts } from "./flat/flat-of.ts";
export { undoPartitioning, type UndoPartitioningOptions } from "./undo-partitioning.ts";
export { dropPartitioned, type DropPartitionedOptions } from "./drop-partitioned.ts";
export {
  convertToPartitioned,
  type AttachToPartitionedOptions,
  type ConvertToPartitionedOptions,
} from "./convert-to-partitioned.ts";
export type { ConvertFacts, CopyToPartitionedOptions } from "./convert/copy-options.ts";
export { dropUnpartitioned, type DropUnpartitionedOptions } from "./drop-unpartitioned.ts";
export type { AttachOptions } from "./attach/attach-of.ts";
export { settleAttached, type SettleAttachedOptions } from "./attach/settle-attached.ts";
export {
  checkConversion,
  type CheckConversionOptions,
  type ConversionCheck,
} from "./conversion-check.ts";
export type { ConversionStrategy, StrategyCheck } from "./conversion-strategy.ts";
export {
  conversionStatus,
  type ConversionStatus,
  type ConversionStatusOptions,
} from "./conversion-status.ts";
export {
  validateConversion,
  type ConversionValidation,
  type ValidateConversionOptions,
  type ValidatedPart,
} from "./conversion-validation.ts";
