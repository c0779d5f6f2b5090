import type { PgColumn } from "drizzle-orm/pg-core";
import { z } from "zod";
import { elementOf } from "../../definition/emit/element-of.ts";
import { baseType, scaleOf } from "./check-value.ts";
import { decimalOf, fits } from "./decimal.ts";
import { characters } from "./functions.ts";

/** Whether a value comes from the database or goes there. Only what goes there is held to the forms that are read. */
export type Direction = "read" | "write";

/**
 * What PostgreSQL stores in a column, which is not what its type in TypeScript says: no NUL in a text, lengths by character,
 * uuids of any version, numbers after rounding. Null where drizzle-zod's own schema serves.
 */
export function columnSchema(column: PgColumn, direction: Direction): z.ZodType | null {
  const inner = elementOf(column);
  if (inner !== null) {
    const element = columnSchema(inner, direction);
    return element === null ? null : z.array(element);
  }
  if (column.enumValues !== undefined && column.enumValues.length > 0)
    return z.enum(column.enumValues as [string, ...string[]]);
  const make = SCHEMAS[baseType(column)];
  return make === undefined ? null : make(column, direction);
}

type Make = (column: PgColumn, direction: Direction) => z.ZodType;

const text: Make = () =>
  z.string().refine((value) => !value.includes("\0"), "holds a NUL character");

/** Characters beyond the length are cut where they are spaces, and refused otherwise (manual, §8.3). */
const limited: Make = (column, direction) => {
  const { length } = column as PgColumn & { readonly length?: number };
  const most = length ?? (baseType(column) === "char" ? 1 : Infinity);
  const kept = (value: string) => characters(value.replace(/ +$/, "")) <= most;
  return (text(column, direction) as z.ZodString).refine(kept, `has more than ${most} characters`);
};

const UUID = /^(?:(?:[0-9a-f]{4}-?){7}[0-9a-f]{4}|\{(?:[0-9a-f]{4}-?){7}[0-9a-f]{4}\})$/i;

const whole =
  (least: number, most: number): Make =>
  () =>
    z.number().int().min(least).max(most);

const bigint: Make = ({ dataType }) =>
  dataType === "bigint"
    ? z
        .bigint()
        .min(-(2n ** 63n))
        .max(2n ** 63n - 1n)
    : z.number().int().min(Number.MIN_SAFE_INTEGER).max(Number.MAX_SAFE_INTEGER);

/** Fewer digits after the point than given are rounded to, and only then is the size looked at. */
const numeric: Make = (column) => {
  const bounds = scaleOf(column);
  const told = (value: string | number | bigint): boolean => {
    const decimal = decimalOf(String(value), bounds?.scale ?? 0);
    return decimal !== null && (bounds === null || fits(decimal, bounds.precision));
  };
  const message =
    bounds === null
      ? "is not a decimal number"
      : `does not fit into numeric(${bounds.precision}, ${bounds.scale})`;
  if (column.dataType === "number") return z.number().refine(told, message);
  if (column.dataType === "bigint") return z.bigint().refine(told, message);
  return z.string().refine((value) => /^\s*NaN\s*$/i.test(value) || told(value), message);
};

const real: Make = () =>
  z.number().refine((value) => {
    const stored = Math.fround(value);
    return Number.isFinite(stored) && (stored !== 0 || value === 0);
  }, "is out of the range of real");

/** A Date becomes text with a sign where its year has not four digits, and PostgreSQL does not read that. */
const moment: Make = () => z.date().refine(hasPlainYear, "is not in the years 1 to 9999");

function hasPlainYear(date: Date): boolean {
  const year = date.getUTCFullYear();
  return year >= 1 && year <= 9999;
}

const DAY = /^(\d{4})-(\d{2})-(\d{2})$/;

function isDay(value: string): boolean {
  const [, year = "0", month = "0", day = "0"] = DAY.exec(value) ?? [];
  const date = new Date(`${year}-${month}-${day}T00:00:00Z`);
  return (
    Number(year) >= 1 &&
    date.getUTCDate() === Number(day) &&
    date.getUTCMonth() + 1 === Number(month)
  );
}

const TIME = /^(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,6})?)?$/;
const ZONE = /(?:Z|[+-](?:0\d|1[0-5])(?::?[0-5]\d)?)$/;

function isTime(value: string): boolean {
  return TIME.test(value.replace(ZONE, ""));
}

/** ISO 8601 alone: PostgreSQL reads far more, and `01/02/03` by a setting. */
const written =
  (name: string, holds: (value: string) => boolean): Make =>
  (_, direction) =>
    direction === "read" ? z.string() : z.string().refine(holds, `is not ${name} of ISO 8601`);

const day: Make = (column, direction) =>
  column.dataType === "date"
    ? moment(column, direction)
    : written("a day", isDay)(column, direction);

const timestamp: Make = (column, direction) =>
  column.dataType === "date"
    ? moment(column, direction)
    : written("a time", (value) => {
        const [date = "", time = "00:00"] = value.split(/[T ]/);
        return isDay(date) && isTime(time);
      })(column, direction);

/** An address, or one with the length of its network. */
const inet: Make = () =>
  z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()], { error: "is not an internet address" });

/** What `JSON.stringify` writes, and jsonb can hold: no NUL and no half of a surrogate pair (22P05). */
const json: Make = (column) =>
  z.any().refine(
    (value) => {
      const document = documentOf(value);
      if (document === null) return false;
      return baseType(column) === "json" || !UNSTORED.test(document);
    },
    // Aborts, because no check can look at what is no document.
    { error: "is not a JSON document that PostgreSQL stores", abort: true },
  );

const UNSTORED = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f][0-9a-f]{2})/;

/** Null for JavaScript's null too, which becomes NULL and not a document. */
function documentOf(value: unknown): string | null {
  try {
    return value === null ? null : (JSON.stringify(value) ?? null);
  } catch {
    return null;
  }
}

const SCHEMAS: Readonly<Record<string, Make>> = {
  text,
  citext: text,
  varchar: limited,
  char: limited,
  uuid: () => z.string().regex(UUID, "is not a uuid"),
  smallint: whole(-32768, 32767),
  smallserial: whole(-32768, 32767),
  integer: whole(-2147483648, 2147483647),
  serial: whole(-2147483648, 2147483647),
  bigint,
  bigserial: bigint,
  numeric,
  real,
  "double precision": () => z.number(),
  date: day,
  timestamp,
  "timestamp with time zone": timestamp,
  time: written("a time", isTime),
  inet,
  json,
  jsonb: json,
};
