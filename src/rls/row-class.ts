import type { RowClass } from "../definition/access.ts";

/**
 * The classes of rows that a rule names. Columns are those of the table's third argument, by property, and checked by it.
 */

/** A row class over the columns `C` and the lookups `L`. */
export type RowClassOf<C extends string, L extends string> =
  | { readonly kind: "own"; readonly column: C }
  | { readonly kind: "among"; readonly lookup: L; readonly column: C }
  | { readonly kind: "tenant" }
  | { readonly kind: "public" }
  | { readonly kind: "none" }
  | { readonly kind: "custom"; readonly predicate: string; readonly reason: string }
  | { readonly kind: "anyOf"; readonly classes: readonly RowClassOf<C, L>[] };

/** The rows whose column is the user's own id. */
export function own<const C extends string>(
  column: C,
): { readonly kind: "own"; readonly column: C } {
  return { kind: "own", column };
}

/** The rows whose column is among the ids that a lookup yields. */
export function among<const L extends string, const C extends string>(
  lookup: L,
  column: C,
): { readonly kind: "among"; readonly lookup: L; readonly column: C } {
  return { kind: "among", lookup, column };
}

/** {@link among} the ids of the lookup `assigned`. */
export function assigned<const C extends string>(column: C) {
  return among("assigned", column);
}

/** {@link among} the ids of the lookup `children`. */
export function childrenOf<const C extends string>(column: C) {
  return among("children", column);
}

/** All rows of the tenant. */
export const tenant: { readonly kind: "tenant" } = { kind: "tenant" };

/** All rows, of a table that belongs to no tenant. (`public` is a reserved word.) */
export const everyone: { readonly kind: "public" } = { kind: "public" };

/** No row: what a persona that is not named has. */
export const none: { readonly kind: "none" } = { kind: "none" };

/**
 * Rows that meet a predicate written by hand, as SQL about the row, beside the tenant's floor.
 *
 * Call functions in a sub-select, `(select app.f())`, so that they run once and not for each row.
 */
export function custom(predicate: string, reason: string): RowClass & { readonly kind: "custom" } {
  return { kind: "custom", predicate, reason };
}

/** Rows that are in one of several classes. */
export function anyOf<const T extends readonly RowClassOf<string, string>[]>(
  ...classes: T
): { readonly kind: "anyOf"; readonly classes: T } {
  return { kind: "anyOf", classes };
}
