import type { Interval, RangeDimension, Scheme } from "../definition/scheme.ts";
import { UnderpinError } from "../errors.ts";
import { literal } from "../sql/quote.ts";
import { typeOf } from "./scheme-columns.ts";

/** How the values of a range are counted, as SQL. Bounds are read and written in the time zone of the functions, which is UTC. */
export interface RangeScale {
  /** The type of a place on it. */
  readonly type: "timestamptz" | "numeric";
  /** The type of the length of an interval. */
  readonly lengthType: "interval" | "numeric";
  readonly isFinite: (place: string) => string;
  /** The beginning of the interval in which a place lies. */
  readonly floor: (place: string, unit: string, length: string) => string;
  /** So many intervals later. */
  readonly after: (place: string, count: string, length: string) => string;
  /** A bound as the catalog prints it, as a place. */
  readonly read: (bound: string) => string;
  /** A place as a bound, quoted. */
  readonly write: (place: string) => string;
  /** What the name of the partition that begins there ends with. */
  readonly tail: (place: string, format: string) => string;
  /** A place as text that its type reads again. */
  readonly print: (place: string) => string;
}

/** What an interval is called by `date_trunc` and `to_char`, and how long it is. */
export interface IntervalWords {
  readonly unit: string;
  readonly format: string;
  readonly length: string;
}

const CALENDAR: Readonly<Record<Interval, { readonly unit: string; readonly format: string }>> = {
  "1 day": { unit: "day", format: "_YYYY_MM_DD" },
  "1 week": { unit: "week", format: '_IYYY_"w"IW' },
  "1 month": { unit: "month", format: "_YYYY_MM" },
  "3 months": { unit: "quarter", format: '_YYYY_"q"Q' },
  "1 year": { unit: "year", format: "_YYYY" },
};

/** The words of an interval; of numbers the length alone. */
export function wordsOf(every: Interval | number): IntervalWords {
  if (typeof every === "string") return { ...CALENDAR[every], length: every };
  if (Number.isSafeInteger(every) && every > 0)
    return { unit: "", format: "", length: String(every) };
  throw new UnderpinError({
    code: "invalidInput",
    message: `a range of numbers cannot be cut every ${every}`,
    hint: "Give a whole number above 0: range(t.id, { every: 1_000_000 }).",
  });
}

/** The scale of a range dimension. */
export function scaleOf(scheme: Scheme, dimension: RangeDimension): RangeScale {
  if (typeof dimension.every === "number") return numberScale(typeOf(scheme, dimension));
  if (dimension.time === "uuidv7") return { ...timeScale(scheme), ...UUIDS };
  const hasZone = typeOf(scheme, dimension).startsWith("timestamp with time zone");
  return timeScale(scheme, hasZone);
}

function timeScale({ timeZone }: Scheme, hasZone = true): RangeScale {
  const zone = literal(timeZone);
  const iso = (place: string) =>
    `pg_catalog.to_char(${place} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"+00"')`;
  return {
    type: "timestamptz",
    lengthType: "interval",
    isFinite: (place) => `pg_catalog.isfinite(${place})`,
    floor: (place, unit) => `pg_catalog.date_trunc(${unit}, ${place}, ${zone})`,
    after: (place, count, length) =>
      `(${place} AT TIME ZONE ${zone} + ${count} * ${length}) AT TIME ZONE ${zone}`,
    read: (bound) =>
      `(CASE ${bound} WHEN 'MINVALUE' THEN '-infinity' WHEN 'MAXVALUE' THEN 'infinity' ELSE pg_catalog.btrim(${bound}, '''') END)::${hasZone ? "timestamptz" : `timestamp AT TIME ZONE ${zone}`}`,
    write: (place) =>
      `pg_catalog.quote_literal(${hasZone ? iso(place) : `pg_catalog.to_char(${place} AT TIME ZONE ${zone}, 'YYYY-MM-DD HH24:MI:SS')`})`,
    tail: (place, format) => `pg_catalog.to_char(${place} AT TIME ZONE ${zone}, ${format})`,
    print: iso,
  };
}

/** A uuid of version 7 begins with the milliseconds since 1970 in 48 bits; all zeros after them come before any that was made then. */
const UUIDS: Pick<RangeScale, "isFinite" | "read" | "write"> = {
  isFinite: (place) =>
    `(${place} >= '1970-01-01 00:00:00+00' AND ${place} < '10000-01-01 00:00:00+00')`,
  read: (bound) =>
    `(CASE ${bound} WHEN 'MINVALUE' THEN '-infinity' WHEN 'MAXVALUE' THEN 'infinity' ELSE ('1970-01-01 00:00:00+00'::timestamptz + ('x' || pg_catalog.lpad(pg_catalog.left(pg_catalog.replace(pg_catalog.btrim(${bound}, ''''), '-', ''), 12), 16, '0'))::bit(64)::bigint * interval '1 millisecond')::text END)::timestamptz`,
  write: (place) =>
    `pg_catalog.quote_literal(pg_catalog.rpad(pg_catalog.lpad(pg_catalog.to_hex((extract(epoch FROM ${place}) * 1000)::bigint), 12, '0'), 32, '0')::uuid)`,
};

const HIGHEST: Readonly<Record<string, string>> = {
  smallint: "32767",
  integer: "2147483647",
  bigint: "9223372036854775807",
};

/** The last interval of a type ends at no number that the type has: it is open. */
function numberScale(type: string): RangeScale {
  const highest = HIGHEST[type] ?? "9223372036854775807";
  return {
    type: "numeric",
    lengthType: "numeric",
    isFinite: (place) =>
      `(${place} > '-Infinity'::numeric AND ${place} <= ${highest} AND ${place} >= -${highest} - 1)`,
    floor: (place, _unit, length) => `pg_catalog.floor(${place} / ${length}) * ${length}`,
    after: (place, count, length) => `${place} + ${count} * ${length}`,
    read: (bound) =>
      `(CASE ${bound} WHEN 'MINVALUE' THEN '-Infinity' WHEN 'MAXVALUE' THEN 'Infinity' ELSE pg_catalog.btrim(${bound}, '''') END)::numeric`,
    write: (place) =>
      `CASE WHEN ${place} > ${highest} THEN 'MAXVALUE' WHEN ${place} < -${highest} - 1 THEN 'MINVALUE' ELSE pg_catalog.quote_literal(pg_catalog.trunc(${place})) END`,
    tail: (place) =>
      `'_' || CASE WHEN ${place} < 0 THEN 'm' ELSE '' END || pg_catalog.abs(pg_catalog.trunc(${place}))::text`,
    print: (place) => `pg_catalog.trunc(${place})::text`,
  };
}
