import { UnderpinError } from "../errors.ts";
import type { Queryable } from "../executor/executor.ts";
import { CONFLICTS, lockRank, PG_LOCK_MODE } from "../plan/lock.ts";
import type { Lock } from "../plan/step.ts";
import { literal, qualified } from "../sql/quote.ts";
import type { Blocker } from "./blockers.ts";

/**
 * Looks at who holds what a transaction is about to queue for, before it queues.
 *
 * A waiting ACCESS EXCLUSIVE blocks every later reader, so the way not to make readers wait for a long transaction is not
 * to stand in the queue behind it. Autovacuum is left out since it gives way to whoever waits,
 * but for the one that prevents wraparound. Prepared transactions hold
 * locks without a process.
 */
export async function readBlockers(
  db: Queryable,
  locks: readonly Lock[],
): Promise<readonly Blocker[]> {
  if (locks.length === 0) return [];
  // Two queries, since the first is ten times cheaper to plan and almost always the last.
  const held = await db.query<{ n: string }>(
    `${treeSql(locks)} SELECT '1' AS n FROM tree t JOIN ${conflictSql} LIMIT 1`,
  );
  if (held.length === 0) return [];
  const [row] = await db.query<{ json: string }>(`${treeSql(locks)} ${BLOCKERS_SQL}`);
  return JSON.parse(row?.json ?? "[]") as readonly Blocker[];
}

/** The relations of declared locks, partitions included, each with the modes that conflict. */
function treeSql(locks: readonly Lock[]): string {
  const rows = locks.map(({ schema, name, mode, partitions }) => {
    const modes = CONFLICTS[mode].map((conflicting) => literal(PG_LOCK_MODE[conflicting]));
    const oid = `pg_catalog.to_regclass(${literal(qualified(schema, name))})::oid`;
    return `(${oid}, ARRAY[${modes.join(", ")}]::text[], ${partitions === true})`;
  });
  const wanted = `SELECT * FROM (VALUES ${rows.join(", ")}) AS w (oid, modes, partitions)`;
  if (!locks.some(({ partitions }) => partitions === true)) return `WITH tree AS (${wanted})`;
  return `WITH RECURSIVE tree AS (${wanted} UNION
    SELECT i.inhrelid, t.modes, t.partitions FROM tree t
    JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid WHERE t.partitions)`;
}

const conflictSql = `pg_catalog.pg_locks l ON l.locktype = 'relation' AND l.granted
  AND l.relation = t.oid AND l.mode = ANY (t.modes)
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
  AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()`;

const BLOCKERS_SQL = `
SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
  'pid', l.pid, 'mode', l.mode, 'relation', n.nspname || '.' || c.relname, 'role', a.usename,
  'application', a.application_name, 'query', a.query, 'transaction', l.virtualtransaction,
  'state', CASE WHEN l.pid IS NULL THEN 'prepared transaction' ELSE a.state END,
  'transactionAgeMs', pg_catalog.round(1000 * extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start)))
  ORDER BY a.xact_start), '[]'::json)::text AS json
FROM tree t
JOIN ${conflictSql}
JOIN pg_catalog.pg_class c ON c.oid = t.oid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE coalesce(a.backend_type, '') <> 'autovacuum worker' OR a.query LIKE '%to prevent wraparound%'`;

/** How many locks one transaction takes, and how many the server has room for. */
export interface LockBudget {
  /** Partitions included, and the indexes that reading and writing rows locks too. */
  readonly lockCount: number;
  readonly lockTableSize: number;
}

/** Counts the locks that declared locks come to. */
export async function readLockBudget(db: Queryable, locks: readonly Lock[]): Promise<LockBudget> {
  const withIndexes = locks.filter(
    ({ mode, indexes }) => indexes !== false && lockRank(mode) <= lockRank("rowExclusive"),
  );
  const none: Lock = { schema: "", name: "", mode: "accessShare" };
  const [row] = await db.query<{ json: string }>(
    `SELECT pg_catalog.json_build_object(
       'lockCount', (SELECT pg_catalog.count(*) FROM (
          (${treeSql(locks.length > 0 ? locks : [none])} SELECT oid FROM tree WHERE oid IS NOT NULL)
          UNION
          (${treeSql(withIndexes.length > 0 ? withIndexes : [none])}
           SELECT i.indexrelid FROM tree t JOIN pg_catalog.pg_index i ON i.indrelid = t.oid
           JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
           -- Queries lock the index of a partitioned table itself since 16.
           WHERE x.relkind = 'i' OR pg_catalog.current_setting('server_version_num')::int >= 160000)) r),
       'lockTableSize', pg_catalog.current_setting('max_locks_per_transaction')::int
         * (pg_catalog.current_setting('max_connections')::int + pg_catalog.current_setting('max_prepared_transactions')::int)
     )::text AS json`,
  );
  return JSON.parse(row?.json ?? "{}") as LockBudget;
}

/** How much of the shared lock table one transaction may take: others need the rest. */
const LOCK_TABLE_SHARE = 1 / 4;

/** Not worth asking the server: its default lock table has room for 6,400. */
const ALWAYS_FITS = 50;

/**
 * Refuses a transaction that would take more than a quarter of the server's lock table.
 *
 * The table is shared by all sessions and does not grow: when it is full, every statement of everybody may fail with 53200.
 */
export async function refuseOverLockBudget(
  db: Queryable,
  locks: readonly Lock[],
  creates: number,
  step: string,
): Promise<void> {
  const countsTree = locks.some(
    ({ partitions, mode }) => partitions === true || lockRank(mode) <= lockRank("rowExclusive"),
  );
  if (!countsTree && locks.length + creates <= ALWAYS_FITS) return;
  const { lockCount, lockTableSize } = await readLockBudget(db, locks);
  const count = lockCount + creates;
  if (count <= lockTableSize * LOCK_TABLE_SHARE) return;
  const factor = Math.ceil((count / LOCK_TABLE_SHARE / lockTableSize) * 10) / 10;
  throw new UnderpinError({
    code: "lockBudget",
    message: `step "${step}" takes ${count} locks in one transaction; the server's lock table has room for ${lockTableSize}, and a quarter of it is the most that one transaction may take`,
    hint: `Raise max_locks_per_transaction at least ${factor}-fold in postgresql.conf and restart the server, or split the step.`,
  });
}
