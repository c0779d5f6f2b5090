import { literal } from "../../sql/quote.ts";

/** How much of a query's text a sample keeps. */
export const QUERY_LENGTH = 200;

/** The text of a session's query, or NULL where PostgreSQL hides it from this login. */
export const QUERY_SQL = `CASE WHEN a.query <> '<insufficient privilege>' AND a.query <> ''
  THEN pg_catalog.left(a.query, ${QUERY_LENGTH}) END`;

/**
 * What all readings share, each looked at once: `me`, `activity`, `locks`, and `ours`, the backends of underpin.
 *
 * A login without pg_read_all_stats sees of another login's session hardly more than its process id; pg_locks it sees
 * whole. A transaction of ours begins with a row lock on its lease, so that it holds ROW SHARE on a table of the run
 * schema until it ends: that tells it from all others, whoever looks. Outside a transaction the comment in the text does.
 */
export function sharedSql(runSchema: string): string {
  return `me AS MATERIALIZED (
  SELECT pg_catalog.clock_timestamp() AS now, d.oid AS database,
         pg_catalog.pg_is_in_recovery() AS is_replica,
         pg_catalog.current_setting('is_superuser') = 'on'
           OR pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') AS sees_all
  FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()
), activity AS MATERIALIZED (
  SELECT * FROM pg_catalog.pg_stat_activity
), locks AS MATERIALIZED (
  SELECT * FROM pg_catalog.pg_locks
), ours AS MATERIALIZED (
  SELECT l.pid FROM locks l, me
  WHERE l.granted AND l.locktype = 'relation' AND l.database = me.database
    AND l.mode IN ('RowShareLock', 'RowExclusiveLock')
    AND l.relation IN (SELECT c.oid FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = ${literal(runSchema)} AND c.relkind = 'r')
  UNION
  SELECT a.pid FROM activity a WHERE a.state <> 'idle' AND a.query LIKE '/* underpin %'
), waiters AS MATERIALIZED (
  SELECT DISTINCT ON (l.pid) l.pid, l.waitstart, l.mode, l.locktype, l.database, l.relation,
         pg_catalog.pg_blocking_pids(l.pid) AS blocked_by
  FROM locks l JOIN activity a ON a.pid = l.pid, me
  WHERE NOT l.granted AND a.datid = me.database
  ORDER BY l.pid, l.waitstart
)`;
}

/** The waiters, and who holds them up; a member of one JSON object. */
export const LOCKS_SQL = `
'waiters', (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
    'pid', w.pid,
    'since', w.waitstart,
    'waitedMs', pg_catalog.round(1000 * extract(epoch FROM me.now - w.waitstart)),
    'mode', w.mode, 'kind', w.locktype,
    'relation', (SELECT n.nspname || '.' || c.relname FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE w.database = me.database AND c.oid = w.relation),
    'blockedBy', w.blocked_by, 'query', ${QUERY_SQL})
    ORDER BY w.waitstart, w.pid), '[]'::json)
  FROM waiters w JOIN activity a ON a.pid = w.pid, me),
'blockers', (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
    'pid', b.pid, 'waiting', b.waiting, 'ours', b.pid IN (SELECT ours.pid FROM ours),
    'role', a.usename, 'application', nullif(a.application_name, ''), 'state', a.state,
    'transactionAgeMs', pg_catalog.round(1000 * extract(epoch FROM me.now - a.xact_start)),
    'query', ${QUERY_SQL}) ORDER BY b.waiting DESC, b.pid), '[]'::json)
  FROM (SELECT held.pid, pg_catalog.count(DISTINCT w.pid) AS waiting
        FROM waiters w, pg_catalog.unnest(w.blocked_by) AS held (pid) GROUP BY held.pid) b
  LEFT JOIN activity a ON a.pid = b.pid, me),
'ours', (SELECT coalesce(pg_catalog.json_agg(ours.pid), '[]'::json) FROM ours),
'deadlocks', (SELECT pg_catalog.pg_stat_get_db_deadlocks(me.database) FROM me)`;
