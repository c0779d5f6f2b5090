import type { PgColumn } from "drizzle-orm/pg-core";
import { UnderpinError } from "../../errors.ts";

/** How the values of a column are written into a cursor, and what a value has to be to be read from one. */
export interface ValueKind {
  readonly name: string;
  /** A value as JSON can hold it. */
  encode(value: unknown): string | number | boolean;
  /** The value again, or undefined where it is none of this kind. */
  decode(json: unknown): unknown;
}

const text: ValueKind = {
  name: "text",
  encode: (value) => String(value),
  // PostgreSQL's text holds no NUL: 22021.
  decode: (json) => (typeof json === "string" && !json.includes("\0") ? json : undefined),
};

const number: ValueKind = {
  name: "a number",
  encode: Number,
  decode: (json) => (typeof json === "number" ? json : undefined),
};

const boolean: ValueKind = {
  name: "true or false",
  encode: Boolean,
  decode: (json) => (typeof json === "boolean" ? json : undefined),
};

const moment: ValueKind = {
  name: "a moment",
  encode: (value) => (value as Date).toISOString(),
  decode: (json) => {
    if (typeof json !== "string" || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(json))
      return undefined;
    const date = new Date(json);
    // There is no year 0 in PostgreSQL, and no 31st of February anywhere.
    return date.getTime() >= YEAR_ONE && date.toISOString() === json ? date : undefined;
  },
};

const YEAR_ONE = Date.parse("0001-01-01T00:00:00.000Z");

const uuid = matching("a uuid", /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i);
const numeric = matching("a decimal number", /^-?\d{1,1000}(?:\.\d{1,1000})?$/);
const momentText = matching(
  "a moment as text",
  /^\d{4,6}-\d\d-\d\d(?:[ T]\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d(?::?\d\d){0,2})?)?$/,
);
const timeText = matching(
  "a time of day",
  /^\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:[+-]\d\d(?::?\d\d){0,2})?$/,
);

const INTEGERS: Readonly<Record<string, number>> = {
  PgSmallInt: 2 ** 15,
  PgSmallSerial: 2 ** 15,
  PgInteger: 2 ** 31,
  PgSerial: 2 ** 31,
  PgBigInt53: 2 ** 53,
  PgBigSerial53: 2 ** 53,
};

const KINDS: Readonly<Record<string, ValueKind>> = {
  PgUUID: uuid,
  PgNumeric: numeric,
  PgTimestamp: moment,
  PgDateString: momentText,
  PgTimestampString: momentText,
  PgTime: timeText,
  PgText: text,
  PgVarchar: text,
  PgChar: text,
  PgBoolean: boolean,
  PgReal: number,
  PgDoublePrecision: number,
  PgBigInt64: wholeNumberText(2n ** 63n),
  PgBigSerial64: wholeNumberText(2n ** 63n),
};

/**
 * What the values of a column are.
 *
 * A Date holds milliseconds and PostgreSQL's moments microseconds: after a Date that was cut, the rows of the same millisecond come
 * twice or never. So such a column has to be of precision 3, or read as text.
 */
export function valueKind(column: PgColumn): ValueKind {
  const { columnType } = column;
  if (columnType === "PgTimestamp") {
    const { precision } = column as PgColumn & { readonly precision?: number };
    if (precision === undefined || precision > 3) throw tooFine(column);
  }
  if (column.enumValues !== undefined && column.enumValues.length > 0)
    return oneOf(column.enumValues);
  const limit = INTEGERS[columnType];
  const kind = limit === undefined ? KINDS[columnType] : wholeNumber(limit);
  if (kind !== undefined) return kind;
  throw new UnderpinError({
    code: "invalidInput",
    message: `${column.name} is ${column.getSQLType()}, which a cursor does not hold`,
    hint: "Order by a number, a text, a uuid, a boolean, an enum or a moment.",
  });
}

function tooFine(column: PgColumn): UnderpinError {
  return new UnderpinError({
    code: "invalidInput",
    message: `${column.name} holds microseconds and is read as a Date, which cuts them off: rows of one millisecond would come twice or never`,
    hint: `Declare it with { precision: 3 }, or with { mode: "string" }.`,
  });
}

function matching(name: string, form: RegExp): ValueKind {
  return {
    name,
    encode: (value) => String(value),
    decode: (json) => (typeof json === "string" && form.test(json) ? json : undefined),
  };
}

function oneOf(values: readonly string[]): ValueKind {
  return {
    name: `one of ${values.join(", ")}`,
    encode: (value) => String(value),
    decode: (json) => (typeof json === "string" && values.includes(json) ? json : undefined),
  };
}

function wholeNumber(limit: number): ValueKind {
  return {
    name: "a whole number",
    encode: Number,
    decode: (json) =>
      Number.isInteger(json) && (json as number) >= -limit && (json as number) < limit
        ? json
        : undefined,
  };
}

function wholeNumberText(limit: bigint): ValueKind {
  return {
    name: "a whole number",
    encode: (value) => String(value),
    decode: (json) => {
      if (typeof json !== "string" || !/^-?\d{1,19}$/.test(json)) return undefined;
      const value = BigInt(json);
      return value >= -limit && value < limit ? value : undefined;
    },
  };
}
