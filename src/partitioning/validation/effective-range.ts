import type { RangeDimension, Scheme } from "../../definition/scheme.ts";
import type { Partition } from "../read-tree.ts";

/** How a range is cut below given partitions, outermost first: as the first override that fits them says, else as the scheme does. */
export function effectiveRange(
  scheme: Scheme,
  dimension: RangeDimension,
  path: readonly Partition[],
): Pick<RangeDimension, "every" | "premake"> {
  const isFirst = scheme.dimensions.find(({ strategy }) => strategy === "range") === dimension;
  const values = new Map<string, string>();
  for (const [at, { bound }] of path.entries()) {
    const above = scheme.dimensions[at];
    if (above === undefined || bound?.strategy !== "list" || bound.values.length !== 1) continue;
    values.set(above.column, bound.values[0] ?? "");
  }
  const override = scheme.overrides?.find((each) =>
    Object.entries(each.values).every(([column, value]) => values.get(column) === value),
  );
  if (!isFirst || override === undefined) return dimension;
  return { every: override.every, premake: override.premake ?? dimension.premake };
}
