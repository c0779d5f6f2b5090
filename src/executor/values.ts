import { UnderpinError } from "../errors.ts";
import type { Parameter, Row } from "./executor.ts";

/** What a statement answered: its command tag and its rows. */
export interface Answer {
  readonly command: string | undefined;
  readonly rows: readonly Row[];
}

/** A column of a result, as the protocol describes it. */
export interface Column {
  readonly name: string;
  readonly type: number;
}

const BOOLEAN = 16;
/** int2, int4, oid, float4, float8: a JavaScript number holds each of them. */
const NUMBERS = new Set([21, 23, 26, 700, 701]);
/** json, jsonb. */
const JSONS = new Set([114, 3802]);

/**
 * One value of a row from the server's own text.
 *
 * Numbers that fit, booleans and json are decoded, all else stays the text that PostgreSQL prints: int8, numeric, dates and
 * arrays alike. Drivers differ in all of these, and a Drizzle wrapper or the host changes its client's parsers.
 */
export function decode(type: number, text: string | null): unknown {
  if (text === null) return null;
  if (NUMBERS.has(type)) return Number(text);
  if (type === BOOLEAN) return text === "t";
  return JSONS.has(type) ? (JSON.parse(text) as unknown) : text;
}

/** Rows by column name, from rows by position. */
export function toRows(
  columns: readonly Column[],
  rows: readonly (readonly (string | null)[])[],
): readonly Row[] {
  return rows.map((row) => {
    const named: Row = {};
    columns.forEach(({ name, type }, index) => (named[name] = decode(type, row[index] ?? null)));
    return named;
  });
}

/** Parameters as the text that goes to the server, which finds their types by the casts in the SQL. */
export function toTexts(parameters: readonly Parameter[]): readonly (string | null)[] {
  return parameters.map((value: unknown, index) => {
    if (value === null || typeof value === "string") return value;
    if (typeof value === "number") return String(value);
    throw new UnderpinError({
      code: "invalidInput",
      message: `parameter $${index + 1} is a ${typeof value}: ${JSON.stringify(value)}`,
      hint: "Hand over text, a number or null, and cast it in the SQL: $1::timestamptz.",
    });
  });
}
