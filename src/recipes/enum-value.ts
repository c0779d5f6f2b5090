import { plan } from "../plan/plan.ts";
import type { Plan } from "../plan/step.ts";
import { literal, qualified } from "../sql/quote.ts";

/** An enum type. */
export interface EnumTarget {
  /** @default "public" */
  readonly schema?: string;
  readonly type: string;
}

/** Which value to add to an enum, and where. */
export interface AddEnumValueOptions extends EnumTarget {
  readonly value: string;
  /** @default after the last one */
  readonly before?: string;
  readonly after?: string;
}

/** Which value of an enum to rename. */
export interface RenameEnumValueOptions extends EnumTarget {
  readonly from: string;
  readonly to: string;
}

/**
 * Adds a value to an enum: a change of the catalog that locks no table.
 *
 * It commits by itself, since a new value cannot be used in the transaction that adds it (55P04). PostgreSQL cannot take a value
 * back: the undo leaves it, unused, and a later apply finds it there.
 *
 * @example
 * const plan = addEnumValue({ type: "mood", value: "calm", before: "happy" });
 * plan.name; // "add-enum-value-public-mood-calm"
 */
export function addEnumValue(options: AddEnumValueOptions): Plan {
  const { schema = "public", type, value, before, after } = options;
  const path = qualified(schema, type);
  const place =
    before !== undefined
      ? ` BEFORE ${literal(before)}`
      : after !== undefined
        ? ` AFTER ${literal(after)}`
        : "";
  return plan(`add-enum-value-${schema}-${type}-${value}`, [
    {
      kind: "sql",
      id: "add",
      title: `${type} may be ${value}`,
      sql: `ALTER TYPE ${path} ADD VALUE IF NOT EXISTS ${literal(value)}${place}`,
      locks: [],
      transaction: "commitAfter",
      undo: {
        kind: "statement",
        sql: `SELECT ${literal(`${value} stays a value of ${path}`)} AS residue`,
        locks: [],
        transaction: "inside",
        residue: `the value ${value} of ${path}`,
      },
    },
  ]);
}

/**
 * Renames a value of an enum, in an instant: rows hold the value by its number, and views, indexes and constraints too.
 *
 * Application versions know it by its name, and so do the bodies of functions: where both names have to be served, add the new
 * value, move the rows, and `removeEnumValue` the old one.
 *
 * @example
 * const plan = renameEnumValue({ type: "mood", from: "ok", to: "fine" });
 * plan.name; // "rename-enum-value-public-mood-ok"
 */
export function renameEnumValue(options: RenameEnumValueOptions): Plan {
  const { schema = "public", type, from, to } = options;
  const sql = (was: string, is: string) =>
    `ALTER TYPE ${qualified(schema, type)} RENAME VALUE ${literal(was)} TO ${literal(is)}`;
  return plan(`rename-enum-value-${schema}-${type}-${from}`, [
    {
      kind: "sql",
      id: "rename",
      title: `${from} is called ${to}`,
      sql: sql(from, to),
      locks: [],
      transaction: "commitAfter",
      undo: { kind: "statement", sql: sql(to, from), locks: [], transaction: "inside" },
    },
  ]);
}
