export { drift, type DriftOptions } from "./drift.ts";
