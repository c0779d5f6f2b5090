import type { RelationName } from "../../plan/step.ts";
import { literal } from "../../sql/quote.ts";

/** How many tables a sample looks at when none were named: those with the most dead rows. */
const MOST_TABLES = 10;

/**
 * The tables that are asked about, each with its partitions: `roots` and `members`.
 *
 * Nothing here takes a lock on them, since a sample must not stand in the queue that it is to report:
 * pg_partition_tree and pg_table_size do, so that inheritance is walked and sizes are those of pg_class.
 */
export function tablesSharedSql(tables: readonly RelationName[] | undefined): string {
  const roots =
    tables === undefined
      ? `SELECT pg_catalog.row_number() OVER (ORDER BY dead DESC, oid) AS ordinal, oid, nspname, relname FROM (
           SELECT c.oid, n.nspname, c.relname, pg_catalog.pg_stat_get_dead_tuples(c.oid) AS dead
           FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
           WHERE c.relkind IN ('r', 'm') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
           ORDER BY dead DESC, c.oid LIMIT ${MOST_TABLES}) worst WHERE dead > 0`
      : `SELECT named.ordinal, c.oid, n.nspname, c.relname
         FROM pg_catalog.json_array_elements(${literal(JSON.stringify(tables))}::json)
           WITH ORDINALITY AS named (relation, ordinal)
         JOIN pg_catalog.pg_namespace n ON n.nspname = named.relation ->> 'schema'
         JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = named.relation ->> 'name'
         WHERE c.relkind IN ('r', 'p', 'm')`;
  return `roots AS MATERIALIZED (
  ${roots}
), tree (root, oid) AS (
  SELECT oid, oid FROM roots
  UNION
  SELECT tree.root, i.inhrelid FROM tree JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.oid
), members AS MATERIALIZED (
  SELECT tree.root, c.oid, c.relkind, c.relpages, c.reltoastrelid
  FROM tree JOIN pg_catalog.pg_class c ON c.oid = tree.oid WHERE c.relkind IN ('r', 'm')
)`;
}

/** Tables, vacuums and index builds; members of one JSON object. */
export const TABLES_SQL = `
'tables', (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
    'schema', r.nspname, 'name', r.relname, 'partitions', m.partitions,
    'liveRows', m.live, 'deadRows', m.dead,
    'deadRatio', m.dead::float8 / nullif(m.live + m.dead, 0),
    'updates', m.updates, 'hotShare', m.hot::float8 / nullif(m.updates, 0),
    'lastVacuum', m.vacuumed,
    'lastAutovacuum', m.autovacuumed,
    'bytes', (m.pages + m.side_pages) * pg_catalog.current_setting('block_size')::bigint)
    ORDER BY r.ordinal), '[]'::json)
  FROM roots r, LATERAL (
    SELECT pg_catalog.count(*) FILTER (WHERE m.oid <> r.oid) AS partitions,
           coalesce(pg_catalog.sum(pg_catalog.pg_stat_get_live_tuples(m.oid)), 0)::bigint AS live,
           coalesce(pg_catalog.sum(pg_catalog.pg_stat_get_dead_tuples(m.oid)), 0)::bigint AS dead,
           coalesce(pg_catalog.sum(pg_catalog.pg_stat_get_tuples_updated(m.oid)), 0)::bigint AS updates,
           coalesce(pg_catalog.sum(pg_catalog.pg_stat_get_tuples_hot_updated(m.oid)), 0)::bigint AS hot,
           pg_catalog.max(pg_catalog.pg_stat_get_last_vacuum_time(m.oid)) AS vacuumed,
           pg_catalog.max(pg_catalog.pg_stat_get_last_autovacuum_time(m.oid)) AS autovacuumed,
           coalesce(pg_catalog.sum(m.relpages), 0)::bigint AS pages,
           coalesce(pg_catalog.sum((SELECT coalesce(pg_catalog.sum(c.relpages), 0)
             FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
             WHERE i.indrelid = m.oid)
           + coalesce((SELECT c.relpages FROM pg_catalog.pg_class c
             WHERE c.oid = m.reltoastrelid), 0)), 0)::bigint AS side_pages
    FROM members m WHERE m.root = r.oid) m),
'vacuums', (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
    'pid', v.pid, 'schema', n.nspname, 'name', c.relname, 'automatic', v.automatic,
    'phase', v.phase, 'percent', v.percent,
    'root', (SELECT pg_catalog.json_build_object('schema', rn.nspname, 'name', rc.relname)
      FROM pg_catalog.pg_class rc JOIN pg_catalog.pg_namespace rn ON rn.oid = rc.relnamespace
      WHERE rc.oid = pg_catalog.pg_partition_root(c.oid) AND rc.oid <> c.oid))
    ORDER BY v.pid, n.nspname, c.relname), '[]'::json)
  FROM (
    SELECT p.pid, p.relid, a.usesysid IS NULL AS automatic, p.phase,
           pg_catalog.round(100.0 * p.heap_blks_scanned / nullif(p.heap_blks_total, 0), 1) AS percent
    FROM pg_catalog.pg_stat_progress_vacuum p JOIN activity a ON a.pid = p.pid, me
    WHERE p.datid = me.database AND p.relid IS NOT NULL
    UNION ALL
    SELECT p.pid, p.relid, a.usesysid IS NULL, 'analyze',
           pg_catalog.round(100.0 * p.sample_blks_scanned / nullif(p.sample_blks_total, 0), 1)
    FROM pg_catalog.pg_stat_progress_analyze p JOIN activity a ON a.pid = p.pid, me
    WHERE p.datid = me.database AND p.relid IS NOT NULL
    UNION ALL
    -- Whose progress is hidden: only a worker of autovacuum has no role, and the lock on its table everybody sees.
    SELECT l.pid, l.relation, true, NULL, NULL
    FROM locks l JOIN activity a ON a.pid = l.pid, me
    WHERE a.datid = me.database AND a.usesysid IS NULL AND l.granted AND l.locktype = 'relation'
      AND l.database = me.database AND l.mode = 'ShareUpdateExclusiveLock'
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_progress_vacuum p
        WHERE p.pid = l.pid AND p.relid IS NOT NULL)
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_progress_analyze p
        WHERE p.pid = l.pid AND p.relid IS NOT NULL)
  ) v
  JOIN pg_catalog.pg_class r ON r.oid = v.relid
  -- A TOAST table is spoken of by its owner's name.
  JOIN pg_catalog.pg_class c ON c.oid = CASE r.relkind WHEN 't' THEN
    (SELECT o.oid FROM pg_catalog.pg_class o WHERE o.reltoastrelid = r.oid) ELSE r.oid END
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace),
'indexBuilds', (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
    'pid', p.pid, 'table', t.name, 'index', i.name, 'command', p.command, 'phase', p.phase,
    'percent', coalesce(
      pg_catalog.round(100.0 * p.blocks_done / nullif(p.blocks_total, 0), 1),
      pg_catalog.round(100.0 * p.tuples_done / nullif(p.tuples_total, 0), 1)))
    ORDER BY p.pid), '[]'::json)
  FROM pg_catalog.pg_stat_progress_create_index p
  LEFT JOIN (SELECT c.oid, n.nspname || '.' || c.relname AS name FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace) t ON t.oid = p.relid
  LEFT JOIN (SELECT c.oid, c.relname AS name FROM pg_catalog.pg_class c) i ON i.oid = p.index_relid,
  me WHERE p.datid = me.database)`;
