import { literal } from "../sql/quote.ts";
import type { Queryable } from "./executor.ts";

/**
 * Changes settings of a session and returns how to take them back.
 *
 * Old values are read in the statement that sets the new ones, from a MATERIALIZED query that is finished before. A custom
 * setting that did not exist becomes empty: PostgreSQL cannot forget its name.
 */
export async function alterSettings(
  session: Queryable,
  settings: Readonly<Record<string, string>>,
): Promise<() => Promise<void>> {
  const names = Object.keys(settings);
  if (names.length === 0) return async () => undefined;
  const reads = names.map((name) => `pg_catalog.current_setting(${literal(name)}, true)`);
  const [row] = await session.query<{ json: string }>(
    `WITH old AS MATERIALIZED (SELECT pg_catalog.json_build_array(${reads.join(", ")})::text AS json)
     SELECT old.json, ${setAll(settings)} FROM old`,
  );
  const values = JSON.parse(row?.json ?? "[]") as readonly (string | null)[];
  const old = Object.fromEntries(names.map((name, index) => [name, values[index] ?? null]));
  return async () => {
    await session.query(`SELECT ${setAll(old)}`);
  };
}

function setAll(values: Readonly<Record<string, string | null>>): string {
  return Object.entries(values)
    .map(([name, value], index) => {
      const text = value === null ? "NULL" : literal(value);
      return `pg_catalog.set_config(${literal(name)}, ${text}, false) AS "${index}"`;
    })
    .join(", ");
}
