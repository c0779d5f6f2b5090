import type { Dimension, Scheme } from "../definition/scheme.ts";
import { boundingOf } from "./plan-conditions.ts";

/** The keys without which a query visits all: a range that comes last narrows what the others have found, one that comes first is like them. */
export function leadingKeys({ dimensions }: Pick<Scheme, "dimensions">): readonly Dimension[] {
  return dimensions.filter(({ strategy }, at) => strategy !== "range" || at === 0);
}

/** Whether conditions that all hold leave partitions of a dimension out. */
export function isBound({ strategy, column }: Dimension, conditions: readonly string[]): boolean {
  const bounding = boundingOf(conditions, column);
  return bounding === "equal" || (bounding === "ranged" && strategy === "range");
}
