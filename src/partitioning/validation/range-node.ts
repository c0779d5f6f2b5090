import type { RangeDimension, Scheme } from "../../definition/scheme.ts";
import { cadenceOf, keyOf, type Cadence } from "../maintenance/calendar.ts";
import { childrenOf, pathOf, type Partition } from "../read-tree.ts";
import { isCutAsDeclared } from "./level-findings.ts";
import type { ValidatedMember, ValidationReading } from "./read-validation.ts";

/** One partition of a range, by numbers that compare. */
export interface Span {
  readonly partition: Partition;
  readonly lower: number;
  readonly upper: number;
}

/** A member that is cut along a range, with its partitions in their order. */
export interface RangeNode {
  readonly member: ValidatedMember;
  readonly dimension: RangeDimension;
  readonly every: RangeDimension["every"];
  readonly premake: number;
  readonly spans: readonly Span[];
  readonly hasDefault: boolean;
}

/** Every member that is cut along a range, as its scheme says. */
export function rangeNodes(scheme: Scheme, reading: ValidationReading): readonly RangeNode[] {
  const children = childrenOf(reading.tree);
  return [reading.root, ...reading.partitions].flatMap((member): readonly RangeNode[] => {
    const dimension = scheme.dimensions[member.level];
    if (dimension?.strategy !== "range" || !isCutAsDeclared(scheme, member)) return [];
    if (member.detachPending) return [];
    const own = (children.get(member.oid) ?? []).filter(({ detachPending }) => !detachPending);
    const spans = own.flatMap((partition): readonly Span[] => {
      const { bound } = partition;
      if (bound?.strategy !== "range") return [];
      return [{ partition, lower: keyOf(bound.lower[0]), upper: keyOf(bound.upper[0]) }];
    });
    const path = member.parent === null ? [] : pathOf(reading.tree, member);
    return [
      {
        ...{ member, dimension, ...cadenceBelow(scheme, dimension, path) },
        spans: spans.sort((a, b) => a.lower - b.lower),
        hasDefault: own.some(({ bound }) => bound?.strategy === "default"),
      },
    ];
  });
}

/** How a range is cut below given partitions. A value of many that one partition takes is none that an override fits. */
function cadenceBelow(
  scheme: Scheme,
  dimension: RangeDimension,
  path: readonly Partition[],
): Cadence {
  if (scheme.dimensions.find(({ strategy }) => strategy === "range") !== dimension)
    return dimension;
  const values = path.flatMap(({ bound }, at) => {
    if (scheme.dimensions[at]?.strategy !== "list") return [];
    return [bound?.strategy === "list" && bound.values.length === 1 ? bound.values[0] : null];
  });
  return cadenceOf(scheme, values) ?? dimension;
}
