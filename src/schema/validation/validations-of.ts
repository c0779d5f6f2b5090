import { is } from "drizzle-orm";
import { PgTable } from "drizzle-orm/pg-core";
import { validationOf, type ToldChecks, type Validation } from "./validation-of.ts";

/** The schemas of each table among the values, under the same names. */
export type Validations<T> = {
  readonly [K in keyof T as T[K] extends PgTable ? K : never]: T[K] extends PgTable
    ? Validation<T[K]>
    : never;
};

/**
 * The schemas of all tables of a domain, also of one that is bound to a host. What is no table is left out; `told` is by the
 * names of the tables, then of the checks.
 */
export function validationsOf<T extends object>(
  tables: T,
  told: Readonly<Record<string, ToldChecks>> = {},
): Validations<T> {
  return Object.fromEntries(
    Object.entries(tables)
      .filter((entry): entry is [string, PgTable] => is(entry[1], PgTable))
      .map(([name, table]) => [name, validationOf(table, told[name])]),
  ) as unknown as Validations<T>;
}
