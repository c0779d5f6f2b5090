import type { Scheme } from "../../definition/scheme.ts";

const DRIZZLE_NAME = Symbol.for("drizzle:Name");

/** The same scheme of a table of another name. */
export function schemeOf({ executeTo: _, ...scheme }: Scheme, name: string): Scheme {
  // Drizzle keeps what a table is behind symbols: all but the name are those of the first.
  const table = Object.create(scheme.table, { [DRIZZLE_NAME]: { value: name } }) as Scheme["table"];
  return { ...scheme, table };
}
