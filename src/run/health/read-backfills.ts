import type { Queryable } from "../../executor/executor.ts";
import { ident } from "../../sql/quote.ts";
import type { BackfillHealth } from "./health-sample.ts";

/** The backfills of runs that are not over, of a run schema that is there and may be read. */
export async function readBackfills(
  db: Queryable,
  runSchema: string,
): Promise<readonly BackfillHealth[]> {
  const s = ident(runSchema);
  const [row] = await db.query<{ json: string }>(
    `SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
       'run', r.name, 'state', r.state, 'step', s.id,
       'table', pg_catalog.json_build_object('schema', t.schema, 'name', t.name),
       'rowsChanged', b.rows_changed, 'batches', b.batches, 'failedBatches', b.failed_batches,
       'rowsEstimated', (
         WITH RECURSIVE tree (oid) AS (
           SELECT c.oid FROM pg_catalog.pg_class c
           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
           WHERE n.nspname = t.schema AND c.relname = t.name
           UNION SELECT i.inhrelid FROM tree JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.oid)
         SELECT pg_catalog.sum(c.reltuples) FILTER (WHERE c.reltuples >= 0)::bigint
         FROM tree JOIN pg_catalog.pg_class c ON c.oid = tree.oid WHERE c.relkind <> 'p'))
       ORDER BY r.id, s.ordinal), '[]'::json)::text AS json
     FROM ${s}.runs r
     JOIN ${s}.steps s ON s.run_id = r.id
     JOIN LATERAL (
       SELECT pg_catalog.count(*) AS ranges, pg_catalog.sum(range.rows_changed) AS rows_changed,
              pg_catalog.sum(range.batches) AS batches,
              -- As JSON, since a run schema that no newer underpin has been at lacks the column.
              pg_catalog.sum(coalesce((pg_catalog.to_jsonb(range) ->> 'failed_batches')::bigint, 0))
                AS failed_batches
       FROM ${s}.backfill_ranges range WHERE range.run_id = r.id AND range.step_id = s.id
     ) b ON b.ranges > 0
     JOIN LATERAL (
       SELECT step -> 'table' ->> 'schema' AS schema, step -> 'table' ->> 'name' AS name
       FROM pg_catalog.jsonb_array_elements(r.plan -> 'steps') step WHERE step ->> 'id' = s.id
     ) t ON true
     WHERE r.state NOT IN ('applied', 'undone')`,
  );
  return JSON.parse(row?.json ?? "[]") as readonly BackfillHealth[];
}
