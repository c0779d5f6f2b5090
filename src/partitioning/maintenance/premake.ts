import type { Bound } from "../bound.ts";
import type { ProvisionWindow } from "../survey.ts";
import { cadenceOf, keyOf, rangeLevelOf, type Calendar } from "./calendar.ts";
import type { MaintenanceState, Member } from "./read-state.ts";

/** The partitions of one value of each list dimension. */
interface Tuple {
  readonly values: readonly string[];
  /** What is directly above the ranges. */
  readonly parent: Member;
  readonly ranges: readonly Range[];
}

interface Range {
  readonly lower: number;
  readonly upper: number;
  /** The edges as the catalog prints them. */
  readonly bound: Extract<Bound, { readonly strategy: "range" }>;
  readonly holds: boolean;
}

/** A set of values that lacks partitions, and between which places it lacks them. */
export interface Lacking {
  /** The values of the list dimensions, outermost first. */
  readonly values: readonly string[];
  /** What the new partitions are attached to. */
  readonly parent: number;
  readonly window: ProvisionWindow;
}

/**
 * Which sets of values lack partitions: between the newest one and the present, for the present itself, and for as many intervals
 * after it as the scheme keeps ready; and where rows are ahead of the clock, for as many after those.
 */
export function lackingPartitions(state: MaintenanceState): readonly Lacking[] {
  return tuplesOf(state).flatMap((tuple) =>
    missingOf(state, tuple).map((window) => ({
      values: tuple.values,
      parent: tuple.parent.oid,
      window,
    })),
  );
}

function tuplesOf(state: MaintenanceState): readonly Tuple[] {
  const { scheme, root } = state;
  const range = rangeLevelOf(scheme);
  if (range === undefined) return [];
  const groups = new Map<string, Tuple & { readonly ranges: Range[] }>();
  const lists = scheme.dimensions.filter(({ strategy }) => strategy === "list").length;
  if (lists === 0) groups.set("[]", { values: [], parent: root, ranges: [] });
  const byOid = new Map(state.partitions.map((each) => [each.oid, each]));
  for (const leaf of state.partitions) {
    if (!leaf.isLeaf || leaf.detachPending) continue;
    const path = pathTo(leaf, byOid);
    const found = describe(path);
    if (found === undefined || found.values.length !== lists) continue;
    const { values, remainders, bound } = found;
    const key = JSON.stringify([...values, ...remainders]);
    const above = path[range.level - 2] ?? root;
    const group = groups.get(key) ?? { values, parent: above, ranges: [] };
    groups.set(key, group);
    group.ranges.push({
      bound,
      lower: keyOf(bound.lower[0]),
      upper: keyOf(bound.upper[0]),
      holds: leaf.holds === true,
    });
  }
  for (const { ranges } of groups.values()) ranges.sort((a, b) => a.lower - b.lower);
  return [...groups.values()];
}

/** A leaf with what is above it, outermost first, without the root. */
function pathTo(leaf: Member, byOid: ReadonlyMap<number, Member>): readonly Member[] {
  const above = leaf.parent === null ? undefined : byOid.get(leaf.parent);
  return above === undefined ? [leaf] : [...pathTo(above, byOid), leaf];
}

/** The values that lead to a leaf; none where a default partition is on the way. */
function describe(path: readonly Member[]):
  | {
      readonly values: readonly string[];
      readonly remainders: readonly number[];
      readonly bound: Range["bound"];
    }
  | undefined {
  const values: string[] = [];
  const remainders: number[] = [];
  let range: Range["bound"] | undefined;
  for (const { bound } of path) {
    if (bound === null || bound.strategy === "default") return undefined;
    if (bound.strategy === "range") range = bound;
    else if (bound.strategy === "hash") remainders.push(bound.remainder);
    else {
      const value = bound.values.find((each) => each !== null);
      if (value === undefined || value === null) return undefined;
      values.push(value);
    }
  }
  return range === undefined ? undefined : { values, remainders, bound: range };
}

function missingOf(
  { scheme, calendars }: MaintenanceState,
  { values, ranges }: Tuple,
): readonly ProvisionWindow[] {
  const cadence = cadenceOf(scheme, values);
  const calendar = calendars.find(
    ({ every, premake }) => every === cadence?.every && premake === cadence.premake,
  );
  const byClock = calendar === undefined ? undefined : missingByClock(calendar, ranges);
  const byData = missingByData(calendar, cadence?.premake ?? 0, ranges);
  return [byClock, byData].filter((missing) => missing !== undefined);
}

function missingByClock(
  { intervals }: Calendar,
  ranges: readonly Range[],
): ProvisionWindow | undefined {
  const wanted = intervals.slice(0, -1);
  const lacking = wanted.filter(
    ({ key }, at) => !covers(ranges, key, intervals[at + 1]?.key ?? key),
  );
  const [first] = lacking;
  const last = lacking.at(-1);
  if (first === undefined || last === undefined) return undefined;
  const newest = Math.max(...ranges.map(({ upper }) => upper));
  // Nobody was here for some time: what lies between is made too, for rows that come late.
  const gap = first === wanted[0] && newest < first.key && Number.isFinite(newest);
  return { from: gap ? new Date(newest) : momentOf(first), until: momentOf(last) };
}

function momentOf({ from }: Calendar["intervals"][number]): Date {
  return new Date(from.replace(" ", "T").replace(/\+00$/, "Z"));
}

/** Of numbers, and of rows that are ahead of the clock, the newest partition that holds any is the present one. */
function missingByData(
  calendar: Calendar | undefined,
  premake: number,
  ranges: readonly Range[],
): ProvisionWindow | undefined {
  const newest =
    ranges.findLast(({ holds }) => holds) ?? (calendar === undefined ? ranges[0] : undefined);
  if (newest === undefined) return undefined;
  if (calendar !== undefined && newest.lower <= calendar.now) return undefined;
  const after = ranges.filter(({ lower }) => lower > newest.lower);
  const ahead = after.at(-1)?.upper ?? newest.upper;
  if (after.length >= premake && covers(ranges, newest.lower, ahead)) return undefined;
  if (!Number.isFinite(newest.lower)) return undefined;
  return { from: calendar === undefined ? newest.lower : new Date(newest.lower) };
}

function covers(ranges: readonly Range[], from: number, to: number): boolean {
  let at = from;
  for (const { lower, upper } of ranges) if (lower <= at && upper > at) at = upper;
  return at >= to;
}
