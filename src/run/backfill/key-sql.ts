import type { BackfillStep } from "../../plan/step.ts";
import { ident, literal } from "../../sql/quote.ts";

/** First in every transaction that reads or writes keys: as text they travel between sessions that print dates and floats in their own ways. */
export const KEY_TEXTS = `SELECT pg_catalog.set_config('datestyle', 'ISO', true), pg_catalog.set_config('intervalstyle', 'postgres', true), pg_catalog.set_config('extra_float_digits', '1', true)`;

/** A key as text, column by column. */
export type Key = readonly string[];

/** The columns of a step's key, as they are written in its statements. */
export interface KeySql {
  /** `target."id"`, in the order of the key. */
  readonly own: string;
  /** The same as text, in a JSON array. */
  readonly asJson: (of: string) => string;
  /** The key of a row is after this one. */
  readonly after: (key: Key | null) => string;
  /** The key of a row is this one, or before it. */
  readonly upTo: (key: Key | null) => string;
}

/**
 * How the key of a step is compared. Rows are compared as rows, `(a, b) > (1, 2)`, which an index over the columns answers as one
 * range; the values are literals with their types, so that the planner sees how few rows lie between.
 */
export function keySql({ key }: Pick<BackfillStep, "key">): KeySql {
  const own = key.map(({ name }) => `target.${ident(name)}`).join(", ");
  const values = (of: Key) =>
    key.map(({ type }, at) => `CAST(${literal(of[at] ?? "")} AS ${type})`).join(", ");
  return {
    own,
    asJson: (of) =>
      `pg_catalog.json_build_array(${key.map(({ name }) => `${of}.${ident(name)}::text`).join(", ")})`,
    after: (of) => (of === null ? "true" : `(${own}) > (${values(of)})`),
    upTo: (of) => (of === null ? "true" : `(${own}) <= (${values(of)})`),
  };
}
