import type { Queryable } from "../executor/executor.ts";
import { UnderpinError } from "../errors.ts";
import { CONFLICTS, lockRank, PG_LOCK_MODE } from "../plan/lock.ts";
import type { Lock } from "../plan/step.ts";
import type { Blocker } from "./blockers.ts";

/** What the locks of one transaction will meet. */
export interface Preflight {
  /** How many relations it locks: partitions included, and the indexes that reading and writing rows locks too. */
  readonly lockCount: number;
  /** How many entries the server's shared lock table has room for. */
  readonly lockTableSize: number;
  /** Transactions of others that hold what conflicts, the oldest first. */
  readonly blockers: readonly Blocker[];
}

/**
 * Looks at what a transaction is about to queue for, before it queues.
 *
 * A waiting ACCESS EXCLUSIVE blocks every later reader, so the way not to make readers wait for a long transaction is not
 * to stand in the queue behind it. Autovacuum is left out since it gives way to whoever waits. Prepared transactions hold
 * locks without a process.
 */
export async function readPreflight(db: Queryable, locks: readonly Lock[]): Promise<Preflight> {
  const wanted = locks.map(({ schema, name, mode, partitions }) => ({
    schema,
    name,
    partitions: partitions === true,
    indexes: lockRank(mode) <= lockRank("rowExclusive"),
    modes: CONFLICTS[mode].map((conflicting) => PG_LOCK_MODE[conflicting]),
  }));
  const [row] = await db.query<{ json: string }>(PREFLIGHT_SQL, [JSON.stringify(wanted)]);
  return JSON.parse(row?.json ?? "{}") as Preflight;
}

const PREFLIGHT_SQL = `
WITH RECURSIVE wanted AS (
  SELECT c.oid, w.partitions, w.indexes, w.modes
  FROM pg_catalog.json_to_recordset($1::text::json)
    AS w (schema text, name text, partitions boolean, indexes boolean, modes text[])
  JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.name
), tree AS (
  SELECT oid, partitions, indexes, modes FROM wanted
  UNION
  SELECT i.inhrelid, t.partitions, t.indexes, t.modes
  FROM tree t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid
  WHERE t.partitions
), blocking AS (
  SELECT l.pid, l.virtualtransaction, l.mode, n.nspname || '.' || c.relname AS relation, a.usename, a.application_name,
         a.state, a.query, l.pid IS NULL AS prepared,
         pg_catalog.round(1000 * extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start)) AS age_ms
  FROM tree t
  JOIN pg_catalog.pg_locks l ON l.locktype = 'relation' AND l.granted AND l.relation = t.oid
    AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
    AND l.mode = ANY (t.modes)
  JOIN pg_catalog.pg_class c ON c.oid = t.oid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
  WHERE l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
    AND coalesce(a.backend_type, '') <> 'autovacuum worker'
)
SELECT pg_catalog.json_build_object(
  'lockCount', (SELECT pg_catalog.count(*) FROM (
    SELECT oid FROM tree
    UNION SELECT i.indexrelid FROM tree t JOIN pg_catalog.pg_index i ON i.indrelid = t.oid WHERE t.indexes) r),
  'lockTableSize', current_setting('max_locks_per_transaction')::int
    * (current_setting('max_connections')::int + current_setting('max_prepared_transactions')::int),
  'blockers', coalesce((
    SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
      'pid', pid, 'mode', mode, 'relation', relation, 'role', usename, 'application', application_name,
      'state', CASE WHEN prepared THEN 'prepared transaction' ELSE state END,
      'query', query, 'transaction', virtualtransaction, 'transactionAgeMs', age_ms) ORDER BY age_ms DESC NULLS LAST)
    FROM blocking), '[]'::json)
)::text AS json`;

/** How much of the shared lock table one transaction may take: others need the rest. */
const LOCK_TABLE_SHARE = 1 / 4;

/**
 * Refuses a transaction that would take more than a quarter of the server's lock table.
 *
 * The table is shared by all sessions and does not grow: when it is full, every statement of everybody may fail with 53200.
 */
export function refuseOverLockBudget(
  { lockCount, lockTableSize }: Preflight,
  creates: number,
  step: string,
): void {
  const count = lockCount + creates;
  if (count <= lockTableSize * LOCK_TABLE_SHARE) return;
  const setting = "max_locks_per_transaction";
  throw new UnderpinError({
    code: "lockBudget",
    message: `step "${step}" takes ${count} locks in one transaction; the server's lock table has room for ${lockTableSize}, and a quarter of it is the most that one transaction may take`,
    hint: `Raise ${setting} at least ${Math.ceil((count / LOCK_TABLE_SHARE / lockTableSize) * 10) / 10}-fold in postgresql.conf and restart the server, or split the step.`,
  });
}
