import type { Queryable } from "./executor.ts";
import { literal } from "../sql/quote.ts";

/**
 * Changes session settings for the time of `work`, and takes them back however it ends.
 *
 * A setting that is left on a pooled connection governs strangers. So where taking back fails the connection is destroyed.
 */
export async function withSettings<T>(
  session: Queryable,
  settings: Readonly<Record<string, string>>,
  work: () => Promise<T>,
  destroy: () => void,
): Promise<T> {
  const names = Object.keys(settings);
  if (names.length === 0) return work();
  const [before] = await session.query<Record<string, string>>(
    `SELECT ${names.map((name, at) => `pg_catalog.current_setting(${literal(name)}) AS v${at}`).join(", ")}`,
  );
  const set = (values: Readonly<Record<string, string>>) =>
    session.query(
      `SELECT ${names.map((name) => `pg_catalog.set_config(${literal(name)}, ${literal(values[name] ?? "")}, false)`).join(", ")}`,
    );
  const old = Object.fromEntries(names.map((name, at) => [name, before?.[`v${at}`] ?? ""]));
  try {
    await set(settings);
    return await work();
  } finally {
    await set(old).catch(destroy);
  }
}
