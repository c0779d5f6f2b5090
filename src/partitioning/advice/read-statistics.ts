import { readJson } from "../../catalog/read-json.ts";
import type { Scheme } from "../../definition/scheme.ts";
import { sqlStateOf, UnderpinError } from "../../errors.ts";
import type { Executor } from "../../executor/executor.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";
import { keyOf } from "../maintenance/calendar.ts";
import { inspectPartitions } from "../inspect-partitions.ts";
import { namesOf } from "../provision-names.ts";

/** What ANALYZE knows of a column. */
export interface ColumnStatistics {
  readonly column: string;
  /** How many values there are; null where nobody has analysed it, or may see it. */
  readonly distinct: number | null;
  /** The shares of the most common values, largest first. */
  readonly frequencies: readonly number[];
}

/** Where the rows of a table lie along its range. */
export interface Spread {
  readonly column: string;
  /** The least and the greatest value as numbers: milliseconds of a time. */
  readonly from: number;
  readonly until: number;
  /** Values in their order, each with about as many rows before it as the next: a busy month has more of them. */
  readonly quantiles: readonly number[];
  /** How many rows came in the last year of them; null where it is no time. */
  readonly rowsPerYear: number | null;
}

/** A table as it is, from statistics, and the server's lock table. */
export interface TableStatistics {
  readonly rows: number;
  /** Of the table, its long values and its indexes. */
  readonly bytes: number;
  readonly indexes: number;
  readonly columnNames: readonly string[];
  readonly partitioned: boolean;
  /** Partitions and the root, as they are now. */
  readonly relations: number;
  readonly columns: readonly ColumnStatistics[];
  readonly spread: Spread | null;
  /** Combinations of values of the list dimensions in a sample, with how often each was met. Null where none was taken. */
  readonly sample: readonly { readonly values: readonly string[]; readonly count: number }[] | null;
  readonly maxLocksPerTransaction: number;
  /** `max_connections + max_prepared_transactions`. */
  readonly connections: number;
  readonly versionNum: number;
}

interface RawTable {
  readonly oid: number;
  readonly kind: string;
  readonly rows: number;
  readonly bytes: number;
  readonly indexes: number;
  readonly columns: readonly string[];
}

interface RawColumn {
  readonly column: string;
  readonly distinct: number;
  readonly frequencies: readonly number[] | null;
  readonly common: readonly string[] | null;
  readonly histogram: readonly string[] | null;
}

interface RawServer {
  readonly locks: number;
  readonly connections: number;
  readonly versionNum: number;
}

const YEAR_MS = 365.25 * 24 * 60 * 60 * 1000;
const SAMPLED_ROWS = 50_000;

/** Stands in what we ask of the table, so that the server's count of statements does not show it as the application's. */
export const OWN_STATEMENT = "/* underpin advise */";

/** Reads what is known of a scheme's table, plain or partitioned. Of a plain one it takes a sample of some thousand rows. */
export async function readStatistics(db: Executor, scheme: Scheme): Promise<TableStatistics> {
  const { schema, table } = namesOf(scheme);
  const name = qualified(schema, table);
  const oid = `pg_catalog.to_regclass(${literal(name)})`;
  const read = await readJson(
    db,
    {
      tables: `select c.oid::bigint as oid, c.relkind as kind, greatest(c.reltuples, pg_catalog.pg_stat_get_live_tuples(c.oid), 0) as rows,
        case when c.relkind = 'p' then 0 else pg_catalog.pg_total_relation_size(c.oid) end as bytes,
        (select pg_catalog.count(*) from pg_catalog.pg_index as x where x.indrelid = c.oid) as indexes,
        array(select a.attname from pg_catalog.pg_attribute as a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns
        from pg_catalog.pg_class as c where c.oid = ${oid} and c.relkind in ('r', 'p')`,
      columns: `select s.attname as column, s.n_distinct as distinct, s.most_common_freqs as frequencies,
        s.most_common_vals::text::text[] as common, s.histogram_bounds::text::text[] as histogram
        from pg_catalog.pg_stats as s where s.schemaname = ${literal(schema)} and s.tablename = ${literal(table)}
          and s.inherited = (select c.relkind = 'p' from pg_catalog.pg_class as c where c.oid = ${oid})
          and s.attname = any (array[${scheme.dimensions.map(({ column }) => literal(column)).join(", ")}]::text[])`,
      server: `select pg_catalog.current_setting('max_locks_per_transaction')::int as locks,
        pg_catalog.current_setting('max_connections')::int + pg_catalog.current_setting('max_prepared_transactions')::int as connections,
        pg_catalog.current_setting('server_version_num')::int as "versionNum"`,
    },
    { schemas: [schema] },
  );
  const [found] = (read["tables"] ?? []) as readonly RawTable[];
  const [server] = (read["server"] ?? []) as readonly RawServer[];
  if (found === undefined || server === undefined)
    throw new UnderpinError({
      code: "invalidInput",
      message: `${name} is not there, or is no table`,
      hint: "Install its definition: apply(db, planInstall(definition)).",
    });
  const partitioned = found.kind === "p";
  const inspected = partitioned ? await inspectPartitions(db, scheme) : null;
  const rows = Math.max(inspected?.root.rows ?? found.rows, 0);
  const raw = (read["columns"] ?? []) as readonly RawColumn[];
  return {
    rows,
    bytes: inspected?.root.bytes.total ?? found.bytes,
    indexes: found.indexes,
    columnNames: found.columns,
    partitioned,
    relations: 1 + (inspected?.partitions.length ?? 0),
    columns: scheme.dimensions.map(({ column }): ColumnStatistics => {
      const own = raw.find((each) => each.column === column);
      if (own === undefined) return { column, distinct: null, frequencies: [] };
      // A negative number is a share of the rows.
      const distinct = own.distinct < 0 ? -own.distinct * rows : own.distinct;
      return { column, distinct, frequencies: own.frequencies ?? [] };
    }),
    spread: spreadOf(scheme, raw, rows),
    sample: partitioned ? null : await sampled(db, scheme, rows),
    maxLocksPerTransaction: server.locks,
    connections: server.connections,
    versionNum: server.versionNum,
  };
}

function spreadOf(scheme: Scheme, raw: readonly RawColumn[], rows: number): Spread | null {
  const range = scheme.dimensions.find(({ strategy }) => strategy === "range");
  const own = raw.find(({ column }) => column === range?.column);
  if (range?.strategy !== "range" || own === undefined) return null;
  // Each bound of a histogram has as many rows before it as the next; few values have no histogram.
  const keys = (own.histogram ?? own.common ?? []).map((value) => keyOf({ value }));
  const sorted = keys.filter((key) => Number.isFinite(key)).sort((a, b) => a - b);
  const [from] = sorted;
  const until = sorted.at(-1);
  if (from === undefined || until === undefined) return null;
  if (typeof range.every === "number")
    return { column: range.column, from, until, quantiles: sorted, rowsPerYear: null };
  const years = (until - from) / YEAR_MS;
  const lastYear = sorted.filter((key) => key > until - YEAR_MS).length / sorted.length;
  return {
    ...{ column: range.column, from, until, quantiles: sorted },
    rowsPerYear: Math.round(years >= 1 ? rows * lastYear : rows / Math.max(years, 1 / 365)),
  };
}

/** Row security must not make the sample a part of the rows: then none is taken. */
async function sampled(
  db: Executor,
  scheme: Scheme,
  rows: number,
): Promise<TableStatistics["sample"]> {
  const lists = scheme.dimensions.filter(({ strategy }) => strategy === "list");
  if (lists.length === 0 || rows === 0) return null;
  const { schema, table } = namesOf(scheme);
  const share = Math.min(100, (100 * SAMPLED_ROWS) / rows);
  try {
    const found = await db.transaction(async (transaction) => {
      await transaction.query("SET LOCAL row_security = off");
      return transaction.query<{ json: string }>(
        `SELECT ${OWN_STATEMENT} coalesce(pg_catalog.json_agg(g), '[]'::json)::text AS json FROM (
           SELECT pg_catalog.json_build_array(${lists.map(({ column }) => `${ident(column)}::text`).join(", ")})::jsonb AS values, pg_catalog.count(*) AS count
           FROM ${qualified(schema, table)} TABLESAMPLE SYSTEM (${share.toFixed(6)}) GROUP BY 1) AS g`,
      );
    });
    return JSON.parse(found[0]?.json ?? "[]") as NonNullable<TableStatistics["sample"]>;
  } catch (error) {
    if (sqlStateOf(error) !== "42501") throw error;
    return null;
  }
}
