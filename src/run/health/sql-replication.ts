/** Replicas, slots, the log and its archive; members of one JSON object. The log's counters moved in 17. */
export function replicationSql(versionNum: number): string {
  const [timed, requested] =
    versionNum >= 170_000
      ? ["pg_stat_get_checkpointer_num_timed", "pg_stat_get_checkpointer_num_requested"]
      : ["pg_stat_get_bgwriter_timed_checkpoints", "pg_stat_get_bgwriter_requested_checkpoints"];
  return `
-- greatest() skips NULL: what is unknown must not become 0.
'replicas', (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
    'name', r.application_name, 'state', r.state, 'sync', r.sync_state,
    'lagBytes', CASE WHEN r.replay_lsn IS NOT NULL
      THEN greatest(0, pg_catalog.pg_wal_lsn_diff(log.position, r.replay_lsn)) END,
    'lagMs', pg_catalog.round(1000 * extract(epoch FROM r.replay_lag)))
    ORDER BY r.application_name, r.pid), '[]'::json)
  FROM pg_catalog.pg_stat_replication r, log),
'slots', (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
    'name', s.slot_name, 'kind', s.slot_type, 'active', s.active, 'walStatus', s.wal_status,
    'retainedBytes', CASE WHEN s.restart_lsn IS NOT NULL
      THEN greatest(0, pg_catalog.pg_wal_lsn_diff(log.position, s.restart_lsn)) END)
    ORDER BY s.slot_name), '[]'::json)
  FROM pg_catalog.pg_replication_slots s, log),
'wal', (SELECT pg_catalog.json_build_object(
    'lsn', log.position::text,
    'position', pg_catalog.pg_wal_lsn_diff(log.position, '0/0'),
    'checkpointsTimed', pg_catalog.${timed}(),
    'checkpointsRequested', pg_catalog.${requested}()) FROM log),
'archiver', (SELECT pg_catalog.json_build_object(
    'archived', a.archived_count, 'failed', a.failed_count,
    'lastArchivedAt', a.last_archived_time,
    'lastFailedAt', a.last_failed_time,
    'lastArchived', a.last_archived_wal,
    'segmentBytes', pg_catalog.pg_size_bytes(pg_catalog.current_setting('wal_segment_size')))
  FROM pg_catalog.pg_stat_archiver a
  WHERE pg_catalog.current_setting('archive_mode') <> 'off')`;
}

/** Where the log is: what was put into it, written to disk or not; on a standby what was replayed. */
export const LOG_SQL = `log AS MATERIALIZED (
  SELECT CASE WHEN me.is_replica THEN pg_catalog.pg_last_wal_replay_lsn()
         ELSE pg_catalog.pg_current_wal_insert_lsn() END AS position FROM me
)`;
