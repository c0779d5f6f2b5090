import { constant, strict, type Expression, type ValueType } from "./expression.ts";

/** A function of PostgreSQL as far as a row's values go; null where it cannot be told without a database. */
type Known = (operands: readonly Expression[]) => Expression | null;

/** The functions that a check may call and still be understood here. */
export const FUNCTIONS: Readonly<Record<string, Known>> = {
  char_length: ofText("number", characters),
  character_length: ofText("number", characters),
  length: ofText("number", characters),
  octet_length: ofText("number", (text) => new TextEncoder().encode(text).length),
  btrim: ofText("text", (text) => text.replaceAll(/^ +| +$/g, "")),
  ltrim: ofText("text", (text) => text.replace(/^ +/, "")),
  rtrim: ofText("text", (text) => text.replace(/ +$/, "")),
  lower: ofText("text", (text) => byCharacter(text, (character) => character.toLowerCase())),
  upper: ofText("text", (text) => byCharacter(text, (character) => character.toUpperCase())),
  abs: ofTypes("number", ["number"], (n: number) => Math.abs(n)),
  jsonb_typeof: ofTypes("text", ["json"], jsonType),
  json_typeof: ofTypes("text", ["json"], jsonType),
  // An error for anything but an array, as in the database: a check that asks first never meets it.
  jsonb_array_length: ofTypes("number", ["json"], (value: unknown) =>
    Array.isArray(value) ? value.length : Number.NaN,
  ),
  cardinality: ofTypes("number", ["array"], (values: readonly unknown[]) => values.flat(9).length),
  array_length: (operands) =>
    operands.length === 2 && operands[0]?.type === "array"
      ? strict("number", operands, (values: readonly unknown[], dimension: number) =>
          dimension === 1 && values.length > 0 ? values.length : null,
        )
      : null,
  // NULL is looked for like anything else.
  array_position: ([list, sought, ...others]) =>
    list?.type === "array" && sought !== undefined && others.length === 0
      ? {
          type: "number",
          run(row) {
            const values = list.run(row) as readonly unknown[] | null;
            const at = values?.indexOf(sought.run(row)) ?? -1;
            return at === -1 ? null : at + 1;
          },
        }
      : null,
  starts_with: ofTypes("boolean", ["text", "text"], (text: string, start: string) =>
    text.startsWith(start),
  ),
  num_nonnulls: (operands) => counted(operands, (value) => value !== null),
  num_nulls: (operands) => counted(operands, (value) => value === null),
  coalesce: (operands) => ({
    type: operands.find(({ type }) => type !== "unknown")?.type ?? "unknown",
    run: (row) => firstOf(operands, row),
  }),
  isfinite: ofTypes("boolean", ["time"], () => true),
};

/** One character becomes one, as in most collations: `ß` stays. In "C" only ASCII letters change. */
function byCharacter(text: string, change: (character: string) => string): string {
  return Array.from(text, (character) => {
    const changed = change(character);
    return characters(changed) === 1 ? changed : character;
  }).join("");
}

/** How many characters a text has, as PostgreSQL counts: by code point, not by UTF-16 unit. */
export function characters(text: string): number {
  return Array.from(text).length;
}

/** What `jsonb_typeof` says of a value. */
export function jsonType(value: unknown): string {
  if (value === JSON_NULL) return "null";
  if (Array.isArray(value)) return "array";
  return typeof value;
}

/** JSON's null, which is a value: NULL is none. */
export const JSON_NULL = Symbol("null");

/** `extract(day from x)` in UTC. */
export function extract(field: string, from: Expression): Expression | null {
  const part = PARTS[field];
  if (part === undefined || from.type !== "time") return null;
  return strict("number", [from], (time: number) => part(new Date(time)));
}

const PARTS: Readonly<Record<string, (date: Date) => number>> = {
  day: (date) => date.getUTCDate(),
  month: (date) => date.getUTCMonth() + 1,
  year: (date) => date.getUTCFullYear(),
  dow: (date) => date.getUTCDay(),
  isodow: (date) => date.getUTCDay() || 7,
  epoch: (date) => date.getTime() / 1000,
};

function ofText(type: ValueType, run: (text: string) => unknown): Known {
  return ofTypes(type, ["text"], run);
}

function ofTypes(
  type: ValueType,
  takes: readonly ValueType[],
  run: (...values: readonly never[]) => unknown,
): Known {
  return (operands) =>
    operands.length === takes.length &&
    operands.every((operand, i) => operand.type === takes[i] || operand.type === "unknown")
      ? strict(type, operands, run)
      : null;
}

function counted(operands: readonly Expression[], counts: (value: unknown) => boolean): Expression {
  return {
    type: "number",
    run: (row) => operands.filter((operand) => counts(operand.run(row))).length,
  };
}

function firstOf(operands: readonly Expression[], row: Parameters<Expression["run"]>[0]): unknown {
  for (const operand of operands) {
    const value = operand.run(row);
    if (value !== null) return value;
  }
  return constant("unknown", null).run(row);
}
