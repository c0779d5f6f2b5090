export { drift, type DriftOptions } from "./drift.ts";
export { planChange, type ColumnRename, type PlanChangeOptions } from "./plan-change.ts";
