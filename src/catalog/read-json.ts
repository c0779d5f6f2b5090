import { sqlStateOf, UnderpinError } from "../errors.ts";
import type { Queryable } from "../executor/executor.ts";
import { literal } from "../sql/quote.ts";

/** How facts are read. */
export interface ReadOptions {
  /** The schemas to look at. @default all but `pg_*` and `information_schema` */
  readonly schemas?: readonly string[];
  /** How long to wait for one lock. @default {@link DEFAULT_READ_LOCK_TIMEOUT_MS} */
  readonly lockTimeoutMs?: number;
}

/** How several queries are read as one. */
export interface JsonOptions extends ReadOptions {
  /** What they all look at and is worked out once: a common table expression, which may be recursive. */
  readonly once?: string;
}

/** How long a reading waits for one lock when nothing else is said. */
export const DEFAULT_READ_LOCK_TIMEOUT_MS = 2_000;

/**
 * What `pg_get_*` and casts to text depend on, each at the value of a database dump.
 *
 * Without a search_path they qualify every name; `jit` costs seconds on a query of this size and earns nothing.
 */
const SETTINGS = {
  search_path: "",
  quote_all_identifiers: "off",
  DateStyle: "ISO, MDY",
  IntervalStyle: "postgres",
  TimeZone: "UTC",
  extra_float_digits: "1",
  bytea_output: "hex",
  jit: "off",
} as const;

/**
 * Runs several queries as one statement and returns the rows of each, as one JSON text.
 *
 * One statement is one snapshot and one round trip. Its settings are set by statements before it in the same text, because
 * names are resolved and plans are made when a statement begins (a multi-statement text is one implicit transaction); it takes
 * them back itself, after its result is complete, so that a transaction of the caller goes on with its own. Every deparsing
 * function waits behind an ACCESS EXCLUSIVE lock (seen on 15 and 18), hence the lock_timeout.
 */
export async function readJson(
  db: Queryable,
  queries: Readonly<Record<string, string>>,
  { schemas, lockTimeoutMs = DEFAULT_READ_LOCK_TIMEOUT_MS, once }: JsonOptions,
): Promise<Readonly<Record<string, readonly unknown[]>>> {
  const settings = { ...SETTINGS, lock_timeout: `${lockTimeoutMs}ms` };
  const keep = Object.keys(settings).map(
    (name) => `${literal(name)}, pg_catalog.current_setting(${literal(name)})`,
  );
  const set = Object.entries(settings).map(
    ([name, value]) => `pg_catalog.set_config(${literal(name)}, ${literal(value)}, true)`,
  );
  const parts = Object.entries(queries).map(
    ([name, sql]) =>
      `${literal(name)}, (select coalesce(pg_catalog.json_agg(r), '[]') from (${sql}) as r)`,
  );
  const text = `
select pg_catalog.set_config('underpin.kept', pg_catalog.json_build_object(${keep.join(", ")})::text, true);
select ${set.join(", ")};
with recursive ${once === undefined ? "" : `${once}, `}${shared(schemas)}
select case when (
    select pg_catalog.count(pg_catalog.set_config(k.key, k.value, true))
    from pg_catalog.json_each_text(pg_catalog.current_setting('underpin.kept')::json) as k
    where result.json is not null
  ) > 0 then result.json end as json
from (select pg_catalog.json_build_object(${parts.join(",\n")})::text as json offset 0) as result`;
  try {
    const [row] = await db.query<{ json: string }>(text);
    return JSON.parse(row?.json ?? "{}") as Readonly<Record<string, readonly unknown[]>>;
  } catch (error) {
    if (sqlStateOf(error) !== "55P03") throw error;
    throw new UnderpinError({
      code: "blocked",
      message: `the catalog could not be read: a relation is under an ACCESS EXCLUSIVE lock for longer than ${lockTimeoutMs} ms`,
      hint: "Look who holds it with readLocks(db), which waits for nobody, and read again.",
      cause: error,
    });
  }
}

/** What the queries share: which schemas, and the name of every relation. Both are views, planned with what uses them. */
function shared(schemas: readonly string[] | undefined): string {
  const chosen =
    schemas === undefined
      ? "n.nspname !~ '^pg_' and n.nspname <> 'information_schema'"
      : `n.nspname = any (array[${schemas.map(literal).join(", ")}]::text[])`;
  return `scope as not materialized (
    select n.oid, n.nspname as name from pg_catalog.pg_namespace as n where ${chosen}
  ), named as not materialized (
    select c.oid, n.nspname as schema, c.relname as name, c.relkind as kind
    from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
  )`;
}
