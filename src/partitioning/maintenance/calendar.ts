import type { RangeDimension, Scheme } from "../../definition/scheme.ts";
import { literal } from "../../sql/quote.ts";
import type { Edge } from "../bound.ts";
import { scaleOf, wordsOf } from "../range-scale.ts";
import { typeOf } from "../scheme-columns.ts";

/** The range of a scheme, and at which level of the tree its partitions are. */
export interface RangeLevel {
  readonly dimension: RangeDimension;
  /** 1 for the partitions of the root. */
  readonly level: number;
}

/** The first range of a scheme. */
export function rangeLevelOf({ dimensions }: Scheme): RangeLevel | undefined {
  const at = dimensions.findIndex(({ strategy }) => strategy === "range");
  const dimension = dimensions[at];
  return dimension?.strategy === "range" ? { dimension, level: at + 1 } : undefined;
}

/** How many intervals of which length are kept ready. */
export type Cadence = Pick<RangeDimension, "every" | "premake">;

/** How the ranges of some values are cut: as the first override that fits them says, or as the scheme does. */
export function cadenceOf(
  scheme: Scheme,
  values: readonly (string | null | undefined)[],
): Cadence | undefined {
  const range = rangeLevelOf(scheme);
  if (range === undefined) return undefined;
  const lists = scheme.dimensions.filter(({ strategy }) => strategy === "list");
  const found = scheme.overrides?.find((override) =>
    Object.entries(override.values).every(
      ([column, value]) => values[lists.findIndex((list) => list.column === column)] === value,
    ),
  );
  const { every, premake } = range.dimension;
  return { every: found?.every ?? every, premake: found?.premake ?? premake };
}

/** All cadences of a scheme; its own is the first. */
export function cadencesOf(scheme: Scheme): readonly Cadence[] {
  const range = rangeLevelOf(scheme);
  if (range === undefined) return [];
  const { every, premake } = range.dimension;
  return [
    { every, premake },
    ...(scheme.overrides ?? []).map((each) => ({
      every: each.every,
      premake: each.premake ?? premake,
    })),
  ];
}

/** One interval: where it begins, as a number that edges are compared with, and as a moment for the provision function. */
export interface Interval {
  readonly key: number;
  readonly from: string;
}

/** What the server's calendar says of one cadence of a scheme at a moment. */
export interface Calendar extends Cadence {
  /** From the present interval on. The last is no interval to make: where it begins, the one before it ends. */
  readonly intervals: readonly Interval[];
  /** What ended at this key or before may leave; null where everything stays. */
  readonly cutOff: number | null;
  /** What ended at this key or before, and holds nothing, may leave; null where it stays. */
  readonly emptyCutOff: number | null;
  /** The moment itself. */
  readonly now: number;
}

/**
 * The query of the calendar: all of it is worked out by the server, in the zone of the scheme, like the bounds themselves.
 *
 * A bound of a column without a time zone is a wall clock in the scheme's zone; its key is that wall clock read as UTC.
 */
export function calendarSql(
  scheme: Scheme,
  dimension: RangeDimension,
  { every, premake }: Cadence,
  moment: string,
  dropEmptyAfter: string | undefined,
): string {
  const { timeZone } = scheme;
  const zone = literal(timeZone);
  const { unit, length } = wordsOf(every);
  const scale = scaleOf(scheme, dimension);
  const start = scale.floor(moment, literal(unit), literal(length));
  const after = (count: string) =>
    `(${scale.after(`(${start})`, count, `${literal(length)}::interval`)})`;
  const type = typeOf(scheme, dimension);
  const wall = !type.startsWith("timestamp with time zone") && type !== "uuid";
  const key = (at: string) =>
    `pg_catalog.round(1000 * extract(epoch FROM ${wall ? `(${at} AT TIME ZONE ${zone})` : at}))::bigint`;
  const before = (interval: string | null | undefined) =>
    interval == null
      ? "NULL::bigint"
      : key(
          `((${moment} AT TIME ZONE ${zone} - ${literal(interval)}::interval) AT TIME ZONE ${zone})`,
        );
  return `select ${literal(String(every))} as every, ${premake} as premake,
  (select pg_catalog.json_agg(pg_catalog.json_build_object('key', ${key(after("n"))}, 'from', ${scale.print(after("n"))}) order by n)
    from pg_catalog.generate_series(0, ${premake + 1}) as n) as intervals,
  ${before(dimension.retain)} as "cutOff", ${before(dropEmptyAfter)} as "emptyCutOff", ${key(moment)} as now`;
}

/**
 * An edge as a number that is compared with those of a {@link Calendar}: milliseconds for a time, the number itself for a number.
 *
 * The first 48 bits of a UUID of version 7 are its milliseconds (RFC 9562).
 */
export function keyOf(edge: Edge | undefined): number {
  if (edge === "minimum") return Number.NEGATIVE_INFINITY;
  if (edge === "maximum" || edge === undefined) return Number.POSITIVE_INFINITY;
  const { value } = edge;
  if (/^[0-9a-f]{8}-[0-9a-f]{4}-/.test(value))
    return Number.parseInt(value.slice(0, 8) + value.slice(9, 13), 16);
  if (/^-?\d+(?:\.\d+)?$/.test(value)) return Number(value);
  const [, day = "", time = "00:00:00", zone = "+00"] =
    /^(\d{4,}-\d\d-\d\d)(?: ([\d:.]+))?([+-]\d\d(?::\d\d)?)?$/.exec(value) ?? [];
  return Date.parse(`${day}T${time}${zone.length === 3 ? `${zone}:00` : zone}`);
}
