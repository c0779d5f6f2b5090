import type { Sql } from "postgres";
import { ident } from "../../src/sql/quote.ts";

/** What a run leaves behind, as plain values to be compared: rows, catalog and journal. */
export interface EndState {
  readonly rows: Readonly<Record<string, unknown>>;
  readonly columns: unknown;
  readonly constraints: unknown;
  readonly indexes: unknown;
  readonly triggers: unknown;
  readonly runs: unknown;
  readonly steps: unknown;
  readonly ranges: unknown;
}

/** Reads the tables of a schema, what the catalog says of them, and the journal. */
export async function readEndState(sql: Sql, schema: string, runSchema: string): Promise<EndState> {
  const tables = await sql<{ name: string }[]>`
    select tablename as name from pg_catalog.pg_tables where schemaname = ${schema} order by 1`;
  const rows: Record<string, unknown> = {};
  for (const { name } of tables)
    rows[name] = [
      ...(await sql.unsafe(
        // Without the time at which a key was mapped, which no two runs share.
        `SELECT (pg_catalog.to_jsonb(t) - 'migrated_at')::text AS row FROM ${ident(schema)}.${ident(name)} t
         ORDER BY 1`,
      )),
    ];
  // By name and rank, never by number: a column that was dropped keeps its number for ever.
  const columns = await sql`
    select c.relname, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod) as type, a.attnotnull,
      pg_catalog.rank() over (partition by c.oid order by a.attnum)::int as rank
    from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid
    where c.relnamespace = (select oid from pg_catalog.pg_namespace where nspname = ${schema})
      and c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped
    order by c.relname, a.attnum`;
  const constraints = await sql`
    select k.conrelid::regclass::text as table, k.conname, k.convalidated,
      pg_catalog.pg_get_constraintdef(k.oid) as definition
    from pg_catalog.pg_constraint k
    where k.connamespace = (select oid from pg_catalog.pg_namespace where nspname = ${schema})
    order by 1, 2`;
  const indexes = await sql`
    select pg_catalog.pg_get_indexdef(i.indexrelid) as definition, i.indisvalid, i.indisready, i.indislive
    from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid
    where c.relnamespace = (select oid from pg_catalog.pg_namespace where nspname = ${schema})
    order by 1`;
  const triggers = await sql`
    select pg_catalog.pg_get_triggerdef(t.oid) as definition, t.tgenabled
    from pg_catalog.pg_trigger t join pg_catalog.pg_class c on c.oid = t.tgrelid
    where c.relnamespace = (select oid from pg_catalog.pg_namespace where nspname = ${schema})
      and not t.tgisinternal
    order by 1`;
  const journal = ident(runSchema);
  // Runs by rank, since a transaction that was rolled back has used up a number.
  const runs = await sql.unsafe(
    `SELECT pg_catalog.row_number() OVER (ORDER BY id) AS id, name, hash, plan::text, state, pause_requested FROM ${journal}.runs ORDER BY id`,
  );
  const steps = await sql.unsafe(
    `SELECT pg_catalog.dense_rank() OVER (ORDER BY run_id) AS run_id, id, ordinal, state, attempts, error::text, backend_pid, backend_start,
            confirmed_by IS NOT NULL AS confirmed
     FROM ${journal}.steps ORDER BY run_id, ordinal`,
  );
  const ranges = await sql.unsafe(
    `SELECT pg_catalog.dense_rank() OVER (ORDER BY run_id) AS run_id, step_id, ordinal, reached::text, done, rows_changed, batches
     FROM ${journal}.backfill_ranges ORDER BY 1, 2, 3`,
  );
  return {
    rows,
    columns: [...columns],
    constraints: [...constraints],
    indexes: [...indexes],
    triggers: [...triggers],
    runs: [...runs],
    steps: [...steps],
    ranges: [...ranges],
  };
}
