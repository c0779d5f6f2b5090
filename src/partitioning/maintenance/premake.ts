import { getTableConfig } from "drizzle-orm/pg-core";
import type { Scheme } from "../../definition/scheme.ts";
import type { Lock, Step } from "../../plan/step.ts";
import { targetOf } from "../../plan/target.ts";
import { literal, qualified } from "../../sql/quote.ts";
import type { Bound, Edge } from "../bound.ts";
import { LEAVES_PER_COMMIT } from "../provision-body.ts";
import { namesOf } from "../provision-names.ts";
import { pathOf } from "../read-tree.ts";
import { typeOf } from "../scheme-columns.ts";
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

/** What is missing of one tuple, as moments or numbers that the provision function takes. */
interface Missing {
  readonly from: string;
  /** Null for as many as the scheme keeps ready. */
  readonly until: string | null;
  readonly calls: number;
}

/**
 * One step for each call of the scheme's provision function that makes something: what lies between the newest partition and the
 * present, the present itself, and as many intervals after it as the scheme keeps ready; and where rows are ahead of the clock, as
 * many after those.
 */
export function premakeSteps(
  state: MaintenanceState,
  belongs: (parent: number) => boolean = () => true,
): readonly Step[] {
  return tuplesOf(state)
    .filter(({ parent }) => belongs(parent.oid))
    .flatMap((tuple) =>
      missingOf(state, tuple).flatMap((missing) => callSteps(state, tuple, missing)),
    );
}

function tuplesOf(state: MaintenanceState): readonly Tuple[] {
  const { scheme, root } = state;
  const range = rangeLevelOf(scheme);
  if (range === undefined) return [];
  const groups = new Map<string, Tuple & { readonly ranges: Range[] }>();
  const lists = scheme.dimensions.filter(({ strategy }) => strategy === "list").length;
  if (lists === 0) groups.set("[]", { values: [], parent: root, ranges: [] });
  for (const leaf of state.partitions) {
    if (!leaf.isLeaf || leaf.detachPending) continue;
    const path = pathOf(state, leaf) as readonly Member[];
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
): readonly Missing[] {
  const cadence = cadenceOf(scheme, values);
  const calendar = calendars.find(
    ({ every, premake }) => every === cadence?.every && premake === cadence.premake,
  );
  const byClock = calendar === undefined ? undefined : missingByClock(scheme, calendar, ranges);
  const byData = missingByData(scheme, calendar, cadence?.premake ?? 0, ranges);
  return [byClock, byData].filter((missing) => missing !== undefined);
}

function missingByClock(
  scheme: Scheme,
  { intervals }: Calendar,
  ranges: readonly Range[],
): Missing | undefined {
  const wanted = intervals.slice(0, -1);
  const lacking = wanted.filter(
    ({ key }, at) => !covers(ranges, key, intervals[at + 1]?.key ?? key),
  );
  const [first] = lacking;
  const last = lacking.at(-1);
  if (first === undefined || last === undefined) return undefined;
  const newest = Math.max(...ranges.map(({ upper }) => upper));
  const length = (intervals[1]?.key ?? 0) - (intervals[0]?.key ?? 0);
  const behind = ranges.find(({ upper }) => upper === newest);
  // Nobody was here for some time: what lies between is made too, for rows that come late.
  const gap = newest < first.key && first === wanted[0] ? behind?.bound.upper[0] : undefined;
  const count = (last.key - (gap === undefined ? first.key : newest)) / length + 1;
  return {
    from: gap === undefined ? momentText(first.from) : edgeText(scheme, gap),
    until: momentText(last.from),
    calls: Math.max(1, Math.ceil((count + 1) / LEAVES_PER_COMMIT)),
  };
}

/** Of numbers, and of rows that are ahead of the clock, the newest partition that holds any is the present one. */
function missingByData(
  scheme: Scheme,
  calendar: Calendar | undefined,
  premake: number,
  ranges: readonly Range[],
): Missing | undefined {
  const newest =
    ranges.findLast(({ holds }) => holds) ?? (calendar === undefined ? ranges[0] : undefined);
  if (newest === undefined) return undefined;
  if (calendar !== undefined && newest.lower <= calendar.now) return undefined;
  const after = ranges.filter(({ lower }) => lower > newest.lower);
  const ahead = after.at(-1)?.upper ?? newest.upper;
  if (after.length >= premake && covers(ranges, newest.lower, ahead)) return undefined;
  const [edge] = newest.bound.lower;
  return edge === undefined || typeof edge === "string"
    ? undefined
    : { from: edgeText(scheme, edge), until: null, calls: 1 };
}

function covers(ranges: readonly Range[], from: number, to: number): boolean {
  let at = from;
  for (const { lower, upper } of ranges) if (lower <= at && upper > at) at = upper;
  return at >= to;
}

function momentText(moment: string): string {
  return `${literal(moment)}::timestamptz`;
}

/** An edge as an argument: a column without a zone has its wall clock in the scheme's. */
function edgeText(scheme: Scheme, edge: Edge): string {
  const range = rangeLevelOf(scheme);
  const type = range === undefined ? "" : typeOf(scheme, range.dimension);
  const value = typeof edge === "string" ? "" : edge.value;
  if (/^-?\d+$/.test(value)) return literal(value);
  if (type === "uuid") return `pg_catalog.to_timestamp(${keyOf({ value })} / 1000.0)`;
  return type.startsWith("timestamp with time zone")
    ? momentText(value)
    : `${literal(value)}::timestamp AT TIME ZONE ${literal(scheme.timeZone)}`;
}

function callSteps(
  { scheme }: MaintenanceState,
  { values, parent }: Tuple,
  { from, until, calls }: Missing,
): readonly Step[] {
  const { schema, provision, table } = namesOf(scheme);
  const call = [...values.map(literal), from, ...(until === null ? [] : [until])].join(", ");
  const { foreignKeys } = getTableConfig(scheme.table);
  const referenced = foreignKeys.map(
    (key): Lock => ({
      ...targetOf({ table: key.reference().foreignTable }),
      mode: "shareRowExclusive",
    }),
  );
  const named = values.length === 0 ? "" : ` of ${values.join(", ")}`;
  return Array.from(
    { length: calls },
    (_, at): Step => ({
      kind: "sql",
      id: `${until === null ? "premake-ahead" : "premake"}/${schema}.${table}/${[...values, ...(calls > 1 ? [at + 1] : [])].join("/")}`,
      title: `Make the partitions of ${table}${named} that are missing${calls > 1 ? ` (${at + 1} of ${calls})` : ""}`,
      sql: `SELECT ${qualified(schema, provision)}(${call})`,
      locks: [
        { schema: parent.schema, name: parent.name, mode: "shareUpdateExclusive" },
        ...referenced,
      ],
      // Each with its TOAST table, that one's index, and its own.
      creates: LEAVES_PER_COMMIT * 4,
      transaction: "commitAfter",
      undo: { kind: "nothing" },
    }),
  );
}
