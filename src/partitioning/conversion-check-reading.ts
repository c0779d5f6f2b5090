import { readJson } from "../catalog/read-json.ts";
import type { Scheme } from "../definition/scheme.ts";
import { isConnectionError, isUnderpinError, sqlStateOf } from "../errors.ts";
import type { Executor } from "../executor/executor.ts";
import { showAllRows } from "../run/row-security.ts";
import { ident, literal, qualified } from "../sql/quote.ts";
import { namesOf } from "./provision-names.ts";

/** What a server says of a table before it is converted. */
export interface CheckReading {
  readonly rows: number;
  /** The heap with its long values, and the indexes. */
  readonly tableBytes: number;
  readonly indexBytes: number;
  readonly prepared: readonly { readonly gid: string; readonly seconds: number }[];
  readonly long: readonly {
    readonly pid: number;
    readonly role: string | null;
    readonly seconds: number;
    readonly query: string | null;
  }[];
  /** Runs that are not over and whose plan names the table. */
  readonly runs: readonly { readonly name: string; readonly state: string }[];
  /** Statements with ON CONFLICT on the table, as far as the server counted them. */
  readonly conflicts: readonly { readonly query: string; readonly calls: number }[];
  /** Partition columns of which some row is NULL. */
  readonly nulls: readonly string[];
  /** Policies would hide rows from who asks: what was read of rows is not known. */
  readonly hidden: boolean;
}

/** A transaction that is older makes every step wait that needs a strong lock, and CONCURRENTLY ones. */
const LONG_SECONDS = 60;

/** Reads what may stand in the way of a conversion. It changes nothing. */
export async function readCheck(
  db: Executor,
  scheme: Scheme,
  runSchema: string,
): Promise<CheckReading> {
  const { schema, table } = namesOf(scheme);
  const path = qualified(schema, table);
  const oid = `pg_catalog.to_regclass(${literal(path)})`;
  const read = await readJson(
    db,
    {
      sizes: `select greatest(c.reltuples, pg_catalog.pg_stat_get_live_tuples(c.oid), 0)::float8 as rows,
        pg_catalog.pg_table_size(c.oid) as "tableBytes", pg_catalog.pg_indexes_size(c.oid) as "indexBytes"
        from pg_catalog.pg_class as c where c.oid = ${oid}`,
      prepared: `select p.gid, pg_catalog.round(extract(epoch from pg_catalog.clock_timestamp() - p.prepared))::int as seconds
        from pg_catalog.pg_prepared_xacts as p where p.database = pg_catalog.current_database() order by p.prepared`,
      long: `select a.pid, a.usename as role, pg_catalog.round(extract(epoch from pg_catalog.clock_timestamp() - a.xact_start))::int as seconds,
        pg_catalog.left(a.query, 120) as query from pg_catalog.pg_stat_activity as a
        where a.datname = pg_catalog.current_database() and a.backend_type = 'client backend' and a.pid <> pg_catalog.pg_backend_pid()
          and a.xact_start < pg_catalog.clock_timestamp() - ${LONG_SECONDS} * interval '1 second' order by a.xact_start`,
    },
    { schemas: [schema] },
  );
  const [sizes] = (read["sizes"] ?? []) as readonly Pick<
    CheckReading,
    "rows" | "tableBytes" | "indexBytes"
  >[];
  return {
    rows: Math.max(0, Math.round(sizes?.rows ?? 0)),
    tableBytes: sizes?.tableBytes ?? 0,
    indexBytes: sizes?.indexBytes ?? 0,
    prepared: (read["prepared"] ?? []) as CheckReading["prepared"],
    long: (read["long"] ?? []) as CheckReading["long"],
    runs: await readRunsOn(db, runSchema, schema, table),
    conflicts: await readConflicts(db, table),
    ...(await readNulls(db, scheme)),
  };
}

/** Other plans that are about the same table, in a run schema that may not be there. */
async function readRunsOn(
  db: Executor,
  runSchema: string,
  schema: string,
  table: string,
): Promise<CheckReading["runs"]> {
  const lock = literal(JSON.stringify([{ schema, name: table }]));
  return optional(
    db,
    `SELECT r.name, r.state FROM ${ident(runSchema)}.runs AS r
WHERE r.state NOT IN ('applied', 'undone') AND EXISTS (
  SELECT FROM pg_catalog.jsonb_array_elements(r.plan -> 'steps') AS s
  WHERE s -> 'locks' @> ${lock}::jsonb OR s -> 'table' @> (${lock}::jsonb -> 0)) ORDER BY r.id`,
  );
}

async function readConflicts(db: Executor, table: string): Promise<CheckReading["conflicts"]> {
  const name = literal(`%${table.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`);
  return optional(
    db,
    `SELECT s.query, pg_catalog.sum(s.calls)::float8 AS calls FROM pg_stat_statements AS s
WHERE s.query ILIKE '%on conflict%' AND s.query LIKE ${name}
  AND s.dbid = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database())
GROUP BY 1 ORDER BY 2 DESC LIMIT 20`,
  );
}

/** Where row security would hide rows, that is said and not taken for none. */
async function readNulls(
  db: Executor,
  scheme: Scheme,
): Promise<Pick<CheckReading, "nulls" | "hidden">> {
  const { schema, table } = namesOf(scheme);
  const path = qualified(schema, table);
  const columns = [...new Set(scheme.dimensions.map(({ column }) => column))];
  const asked = columns.map(
    (column) =>
      `SELECT ${literal(column).trim()}::text AS name WHERE EXISTS (SELECT FROM ${path} AS b WHERE b.${ident(column)} IS NULL)`,
  );
  try {
    const rows = await db.transaction(async (transaction) => {
      await showAllRows(transaction, [{ schema, name: table, access: "read" }], "checkConversion");
      return transaction.query<{ name: string }>(asked.join(" UNION ALL "));
    });
    return { nulls: rows.map(({ name }) => name), hidden: false };
  } catch (error) {
    if (sqlStateOf(error) === "42501" || (isUnderpinError(error) && error.code === "rowSecurity"))
      return { nulls: [], hidden: true };
    // A column that is not there is said by the plan.
    if (sqlStateOf(error) === "42703") return { nulls: [], hidden: false };
    throw error;
  }
}

/** What may not be there, or not for this login. */
async function optional<Row extends object>(db: Executor, query: string): Promise<readonly Row[]> {
  try {
    const [row] = await db.query<{ json: string }>(
      `SELECT coalesce(pg_catalog.json_agg(q), '[]'::json)::text AS json FROM (${query}) AS q`,
    );
    return JSON.parse(row?.json ?? "[]") as readonly Row[];
  } catch (error) {
    if (isConnectionError(error)) throw error;
    return [];
  }
}
