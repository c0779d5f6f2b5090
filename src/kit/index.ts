export { drift, type DriftOptions } from "./drift.ts";
export { planChange, type ColumnRename, type PlanChangeOptions } from "./plan-change.ts";
export { generate, type GeneratedMigration, type GenerateOptions } from "./generate.ts";
