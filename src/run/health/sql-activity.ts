import { QUERY_SQL } from "./sql-locks.ts";

/** The most that a sample lists of what holds back vacuum. */
const MOST_HOLDERS = 5;

/** Open transactions, what holds back vacuum, and connections; members of one JSON object. */
export const ACTIVITY_SQL = `
'longest', (SELECT pg_catalog.json_build_object(
    'pid', a.pid, 'role', a.usename, 'application', nullif(a.application_name, ''),
    'state', a.state, 'ageMs', pg_catalog.round(1000 * extract(epoch FROM me.now - a.xact_start)),
    'ours', a.pid IN (SELECT ours.pid FROM ours), 'query', ${QUERY_SQL})
  FROM activity a, me
  WHERE a.datid = me.database AND a.pid <> pg_catalog.pg_backend_pid() AND a.xact_start IS NOT NULL
    AND a.leader_pid IS NULL AND a.backend_type NOT IN ('autovacuum worker', 'walsender')
  ORDER BY a.xact_start LIMIT 1),
'idleInTransaction', (SELECT pg_catalog.count(*) FROM activity a, me
  WHERE a.datid = me.database AND a.state LIKE 'idle in transaction%'),
'xminHolders', (SELECT coalesce(pg_catalog.json_agg(h ORDER BY h."xminAge" DESC), '[]'::json) FROM (
  SELECT * FROM (
    SELECT CASE a.backend_type WHEN 'walsender' THEN 'standbyFeedback' ELSE 'backend' END AS kind,
           CASE a.backend_type WHEN 'walsender' THEN a.application_name ELSE a.pid::text END AS name,
           greatest(pg_catalog.age(a.backend_xid), pg_catalog.age(a.backend_xmin)) AS "xminAge",
           pg_catalog.round(1000 * extract(epoch FROM me.now - a.xact_start)) AS "ageMs",
           'rows' AS holds
    FROM activity a, me
    WHERE (a.datid = me.database OR a.backend_type = 'walsender')
      AND a.pid <> pg_catalog.pg_backend_pid() AND a.leader_pid IS NULL
      AND (a.backend_xid IS NOT NULL OR a.backend_xmin IS NOT NULL)
      -- What a vacuum holds, no other vacuum looks at.
      AND a.backend_type <> 'autovacuum worker'
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_progress_vacuum p WHERE p.pid = a.pid)
    UNION ALL
    SELECT 'preparedTransaction', p.gid, pg_catalog.age(p.transaction),
           pg_catalog.round(1000 * extract(epoch FROM me.now - p.prepared)), 'rows'
    FROM pg_catalog.pg_prepared_xacts p, me
    WHERE p.database = pg_catalog.current_database()
    UNION ALL
    SELECT 'replicationSlot', s.slot_name, pg_catalog.age(s.xmin), NULL, 'rows'
    FROM pg_catalog.pg_replication_slots s WHERE s.xmin IS NOT NULL
    UNION ALL
    SELECT 'replicationSlot', s.slot_name, pg_catalog.age(s.catalog_xmin), NULL, 'catalogs'
    FROM pg_catalog.pg_replication_slots s WHERE s.catalog_xmin IS NOT NULL
  ) every ORDER BY "xminAge" DESC LIMIT ${MOST_HOLDERS}) h),
'connections', (SELECT pg_catalog.json_build_object(
    -- Of another login's session the kind is hidden; every ordinary one has a database and a role.
    'used', (SELECT pg_catalog.count(*) FROM activity a
      WHERE a.datid IS NOT NULL AND a.usesysid IS NOT NULL
        AND coalesce(a.backend_type, 'client backend') = 'client backend'),
    'max', pg_catalog.current_setting('max_connections')::int,
    'reserved', pg_catalog.current_setting('superuser_reserved_connections')::int
      + coalesce(pg_catalog.current_setting('reserved_connections', true), '0')::int))`;
