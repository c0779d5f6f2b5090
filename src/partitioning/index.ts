export { hash, list, partitionBy, range, type ListOptions } from "./partition-by.ts";
export type {
  NumberRangeOptions,
  RangeOptions,
  SchemeOf,
  SchemeOptions,
  SchemeValues,
  TimeRangeOptions,
  UuidRangeOptions,
} from "./partition-types.ts";
export { schemeObjects } from "./scheme-objects.ts";
