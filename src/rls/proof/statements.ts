import { ident } from "../../sql/quote.ts";
import { value, type ProvenTable, type ProvenView } from "./model.ts";
import type { WorldRow } from "./world.ts";

/** The statements that a proof runs on a table. */

/** SQL of the keys of rows, as one text in a fixed order. */
function keysFrom(source: string): string {
  return `SELECT pg_catalog.string_agg(k, pg_catalog.chr(31) ORDER BY k COLLATE "C") FROM (${source}) AS q`;
}

/** The keys of all rows. */
export function selectKeys({ sql, key }: ProvenTable): string {
  return keysFrom(`SELECT ${key} AS k FROM ${sql}`);
}

/** The keys of all rows, locked. */
export function lockKeys({ sql, key }: ProvenTable): string {
  return keysFrom(`SELECT ${key} AS k FROM ${sql} FOR UPDATE`);
}

/** The keys of rows that were written after the world was made. */
export function changedKeys({ sql, key }: ProvenTable, horizon: number): string {
  return keysFrom(`SELECT ${key} AS k FROM ${sql} WHERE pg_catalog.age(xmin) < ${horizon}`);
}

/** All rows of a view, as text. */
export function selectView({ sql }: ProvenView): string {
  return keysFrom(`SELECT v::text AS k FROM ${sql} AS v`);
}

/** Removes all rows but those of these keys. */
export function keepOnly({ sql, key }: ProvenTable, keys: readonly string[]): string {
  return keys.length === 0
    ? `DELETE FROM ${sql}`
    : `DELETE FROM ${sql} WHERE NOT ${key} = ANY (ARRAY[${keys.map(value).join(", ")}])`;
}

/** Removes one row. */
export function removeRow({ sql, key }: ProvenTable, row: WorldRow): string {
  return `DELETE FROM ${sql} WHERE ${key} = ${value(row.key)}`;
}

/** Sets a column of all rows, without reading any: SELECT is not asked for. */
export function updateAll({ sql }: ProvenTable, column: string, to: string | null): string {
  return `UPDATE ${sql} SET ${ident(column)} = ${value(to)}`;
}

/** The same by MERGE, which filters by what can be seen only where it reads the row (15 and 18). */
export function mergeAll({ sql, columns }: ProvenTable, column: string, to: string | null): string {
  const read = ident(columns[0]?.name ?? "");
  return `MERGE INTO ${sql} AS t USING (SELECT 1) AS s ON t.${read} IS NOT DISTINCT FROM t.${read} WHEN MATCHED THEN UPDATE SET ${ident(column)} = ${value(to)}`;
}
