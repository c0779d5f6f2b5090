import type { Queryable } from "../../executor/executor.ts";
import type { RelationName } from "../../plan/step.ts";
import { literal } from "../../sql/quote.ts";
import type { HealthSample, LockBlocker, LockWaiter, OpenTransaction } from "./health-sample.ts";
import { ACTIVITY_SQL } from "./sql-activity.ts";
import { LOCKS_SQL, sharedSql } from "./sql-locks.ts";
import { LOG_SQL, replicationSql } from "./sql-replication.ts";
import { TABLES_SQL, tablesSharedSql } from "./sql-tables.ts";

/** What the server's own views say; the rest of a sample is read elsewhere. */
export interface ServerHealth
  extends Omit<HealthSample, "backfills" | "probe" | "host" | "unread"> {
  readonly rights: ServerRights;
  /** Whether the tables of runs are there, and may be read. */
  readonly runs: "absent" | "forbidden" | "readable";
}

/** What bounds what this login sees. */
export interface ServerRights {
  readonly role: string;
  readonly seesAll: boolean;
  readonly tracksActivities: boolean;
  readonly tracksCounts: boolean;
}

/** How many waiters and blockers a sample lists. */
const MOST_LISTED = 50;

/** Reads it in one statement. */
export async function readServerHealth(
  db: Queryable,
  {
    runSchema,
    tables,
    versionNum,
    timeoutMs,
  }: {
    readonly runSchema: string;
    readonly tables: readonly RelationName[] | undefined;
    readonly versionNum: number;
    readonly timeoutMs: number;
  },
): Promise<ServerHealth> {
  // One text is one transaction: the settings end with it. To compile this query would take longer than to run it.
  const [row] = await db.query<{ json: string }>(
    `SELECT pg_catalog.set_config('statement_timeout', ${literal(`${Math.round(timeoutMs)}ms`)}, true),
            pg_catalog.set_config('jit', 'off', true), pg_catalog.set_config('TimeZone', 'UTC', true);
     WITH RECURSIVE ${sharedSql(runSchema)}, ${LOG_SQL}, ${tablesSharedSql(tables)}
     SELECT pg_catalog.json_build_object(
       'clockMs', (SELECT pg_catalog.round(1000 * extract(epoch FROM me.now)) FROM me),
       'serverVersionNum', pg_catalog.current_setting('server_version_num')::int,
       'database', pg_catalog.current_database(),
       'isReplica', (SELECT me.is_replica FROM me),
       'rights', (SELECT pg_catalog.json_build_object('role', CURRENT_USER, 'seesAll', me.sees_all,
          'tracksActivities', pg_catalog.current_setting('track_activities')::boolean,
          'tracksCounts', pg_catalog.current_setting('track_counts')::boolean) FROM me),
       'runs', ${runsSql(runSchema)},
       ${[LOCKS_SQL, ACTIVITY_SQL, TABLES_SQL, replicationSql(versionNum)].join(",")}
     )::text AS json`,
  );
  return toHealth(JSON.parse(row?.json ?? "{}") as Read);
}

/** A SELECT of a table that may not be read fails as a whole, so that it is asked for first. */
function runsSql(runSchema: string): string {
  return `(SELECT CASE WHEN pg_catalog.count(*) < 3 THEN 'absent'
      WHEN pg_catalog.bool_and(pg_catalog.has_schema_privilege(n.oid, 'USAGE')
        AND pg_catalog.has_table_privilege(c.oid, 'SELECT')) THEN 'readable' ELSE 'forbidden' END
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ${literal(runSchema)} AND c.relname IN ('runs', 'steps', 'backfill_ranges'))`;
}

type ArchiverRead = NonNullable<HealthSample["archiver"]> & {
  readonly lastArchived: string | null;
  readonly segmentBytes: number;
};

/** As the statement returns it. */
type Read = Omit<ServerHealth, "clock" | "locks" | "transactions" | "archiver"> & {
  readonly waiters: readonly Omit<LockWaiter, "behindUs">[];
  readonly blockers: readonly (Omit<LockBlocker, "pid"> & { readonly pid: number })[];
  readonly ours: readonly number[];
  readonly deadlocks: number;
  readonly longest: OpenTransaction | null;
  readonly idleInTransaction: number;
  readonly archiver: Omit<ArchiverRead, "backlogSegments"> | null;
};

function toHealth(read: Read): ServerHealth {
  const { waiters, blockers, ours, deadlocks, longest, idleInTransaction, archiver, ...rest } =
    read;
  const behind = behindUs(waiters, ours);
  const told = waiters.map((waiter) => ({ ...waiter, behindUs: behind.has(waiter.pid) }));
  return {
    clock: new Date(rest.clockMs).toISOString(),
    ...rest,
    locks: {
      waiting: waiters.length,
      waitingBehindUs: behind.size,
      waiters: told.slice(0, MOST_LISTED),
      blockers: blockers
        .slice(0, MOST_LISTED)
        .map((blocker) => ({ ...blocker, pid: blocker.pid === 0 ? null : blocker.pid })),
      deadlocks,
    },
    transactions: { longest, idleInTransaction },
    archiver: archiver === null ? null : toArchiver(archiver, rest.wal.position),
  };
}

/** Those who wait for one of ours, and those who stand in a queue behind them. */
function behindUs(
  waiters: readonly Omit<LockWaiter, "behindUs">[],
  ours: readonly number[],
): ReadonlySet<number> {
  const behind = new Set<number>();
  for (let before = -1; before !== behind.size; ) {
    before = behind.size;
    // That one of our workers waits for another is no reason for anything.
    for (const { pid, blockedBy } of waiters)
      if (!ours.includes(pid) && blockedBy.some((by) => ours.includes(by) || behind.has(by)))
        behind.add(pid);
  }
  return behind;
}

/** A segment's name is its timeline and its number, in hexadecimal; names of backups and histories hold other things. */
function toArchiver(
  { lastArchived, segmentBytes, ...rest }: Omit<ArchiverRead, "backlogSegments">,
  position: number | null,
): HealthSample["archiver"] {
  const name = /^[0-9A-F]{8}([0-9A-F]{8})([0-9A-F]{8})(?:\.|$)/.exec(lastArchived ?? "");
  if (name === null || position === null) return { ...rest, backlogSegments: null };
  const [, high = "", low = ""] = name;
  const last = parseInt(high, 16) * (2 ** 32 / segmentBytes) + parseInt(low, 16);
  // The segment that is being written is not full yet.
  const full = Math.floor(position / segmentBytes) - 1;
  return { ...rest, backlogSegments: Math.max(0, full - last) };
}
