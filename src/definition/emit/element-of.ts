import type { PgColumn } from "drizzle-orm/pg-core";

/**
 * The column that the elements of an array would be; null for what is no array.
 *
 * By its shape: Drizzle 1.0 has no class of arrays to ask for.
 */
export function elementOf(column: PgColumn): PgColumn | null {
  return (column as { readonly baseColumn?: PgColumn }).baseColumn ?? null;
}
