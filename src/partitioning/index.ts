export { hash, list, partitionBy, range, type RangeOptions } from "./partition-by.ts";
export { schemeObjects } from "./scheme-objects.ts";
