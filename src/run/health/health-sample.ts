/**
 * How a database is at one moment. Plain JSON: what a sample does not know is null, and `unread` says why.
 */
export interface HealthSample {
  /** The server's own clock, ISO 8601 in UTC. */
  readonly clock: string;
  /** The same as milliseconds since 1970. */
  readonly clockMs: number;
  readonly serverVersionNum: number;
  readonly database: string;
  /** In recovery: a standby. Its WAL position is what it has replayed. */
  readonly isReplica: boolean;
  readonly locks: LockHealth;
  readonly transactions: TransactionHealth;
  /** What keeps vacuum from removing dead rows, the oldest first; at most five. */
  readonly xminHolders: readonly XminHolder[];
  readonly tables: readonly TableHealth[];
  /** Every vacuum that is running in this database. */
  readonly vacuums: readonly RunningVacuum[];
  readonly indexBuilds: readonly IndexBuild[];
  readonly replicas: readonly ReplicaHealth[];
  readonly slots: readonly SlotHealth[];
  readonly wal: WalHealth;
  /** Null where `archive_mode` is off. */
  readonly archiver: ArchiverHealth | null;
  readonly connections: ConnectionHealth;
  /** The backfills of runs that are not over; empty where there is no run schema. */
  readonly backfills: readonly BackfillHealth[];
  /** Null where no probe was asked for. */
  readonly probe: ProbeHealth | null;
  /** What the host said of itself; SQL cannot tell. */
  readonly host: HostHealth | null;
  /** What this login may not read, each by name. Nothing of it is guessed. */
  readonly unread: readonly Unread[];
}

/** Who waits for a lock, and for whom. */
export interface LockHealth {
  /** Sessions of this database that wait for a lock. */
  readonly waiting: number;
  /** Those of them that wait for a transaction of underpin. */
  readonly waitingBehindUs: number;
  /** The longest waits first; at most fifty. */
  readonly waiters: readonly LockWaiter[];
  /** Those that others wait for, the most waited-for first; at most fifty. */
  readonly blockers: readonly LockBlocker[];
  /** Deadlocks of this database since its statistics were reset. */
  readonly deadlocks: number;
}

/** One session that waits for a lock. */
export interface LockWaiter {
  readonly pid: number;
  /** When the wait began. PostgreSQL sets it a moment after, so that it is null for a wait that is very young. */
  readonly since: string | null;
  readonly waitedMs: number | null;
  readonly mode: string;
  /** What kind of lock: `relation`, `transactionid` or `tuple` (a row), … */
  readonly kind: string;
  readonly relation: string | null;
  /** Zero stands for a prepared transaction, which has no process. */
  readonly blockedBy: readonly number[];
  /** It waits for a transaction of underpin, or stands in a queue behind one that does. */
  readonly behindUs: boolean;
  /** Cut; null where this login may not see it. */
  readonly query: string | null;
}

/** One transaction that others wait for. */
export interface LockBlocker {
  /** Null for prepared transactions: they have no process. */
  readonly pid: number | null;
  /** How many sessions wait for it. */
  readonly waiting: number;
  /** It is a transaction of underpin. */
  readonly ours: boolean;
  readonly role: string | null;
  readonly application: string | null;
  readonly state: string | null;
  readonly transactionAgeMs: number | null;
  readonly query: string | null;
}

/** The open transactions of other sessions. */
export interface TransactionHealth {
  /** The one that has been open the longest, of those that this login may see. */
  readonly longest: OpenTransaction | null;
  readonly idleInTransaction: number;
}

/** One open transaction. */
export interface OpenTransaction {
  readonly pid: number;
  readonly role: string | null;
  readonly application: string | null;
  readonly state: string | null;
  readonly ageMs: number;
  /** It is a transaction of underpin. */
  readonly ours: boolean;
  readonly query: string | null;
}

/** What holds back the oldest row versions. */
export interface XminHolder {
  readonly kind: "backend" | "preparedTransaction" | "replicationSlot" | "standbyFeedback";
  /** The process id, the prepared transaction's or the slot's name, or the standby's application name. */
  readonly name: string;
  /** How many transaction ids it is behind. */
  readonly xminAge: number;
  /** How long it has been open; null where PostgreSQL does not say. */
  readonly ageMs: number | null;
  /** A logical slot holds back the rows of catalogs only. */
  readonly holds: "rows" | "catalogs";
}

/** One table; of a partitioned one all partitions together. */
export interface TableHealth {
  readonly schema: string;
  readonly name: string;
  /** Partitions that hold rows; 0 of a plain table. */
  readonly partitions: number;
  readonly liveRows: number;
  readonly deadRows: number;
  /** Dead rows of all rows, 0 to 1; null where there are none. */
  readonly deadRatio: number | null;
  /** Updates since the statistics were reset. */
  readonly updates: number;
  /** Updates that touched no index (HOT) of all updates, 0 to 1; null where there were none. */
  readonly hotShare: number | null;
  /** The latest of any partition, by hand or automatic; ISO 8601. */
  readonly lastVacuum: string | null;
  readonly lastAutovacuum: string | null;
  /** With its indexes, as of the last VACUUM or ANALYZE: the size on disk cannot be asked for without a lock. */
  readonly bytes: number;
}

/** One vacuum, or an analyse of autovacuum, that is at work. */
export interface RunningVacuum {
  readonly pid: number;
  readonly schema: string;
  /** The table, a partition, or a table's TOAST table by its owner's name. */
  readonly name: string;
  readonly automatic: boolean;
  /** The phase by pg_stat_progress_vacuum, `analyze`, or null where this login may not see it. */
  readonly phase: string | null;
  /** Of the heap's blocks, 0 to 100. */
  readonly percent: number | null;
  /** The root of its partition tree, where that is another table. */
  readonly root: { readonly schema: string; readonly name: string } | null;
}

/** One CREATE INDEX or REINDEX that is at work. */
export interface IndexBuild {
  readonly pid: number;
  readonly table: string | null;
  readonly index: string | null;
  readonly command: string | null;
  readonly phase: string | null;
  /** Of this phase, 0 to 100; null where the phase counts nothing. */
  readonly percent: number | null;
}

/** One standby or subscriber that is connected. */
export interface ReplicaHealth {
  readonly name: string;
  readonly state: string | null;
  readonly sync: string | null;
  /** What it has not replayed yet. */
  readonly lagBytes: number | null;
  /** How long the last WAL took to be replayed; null where it has caught up and nothing is written. */
  readonly lagMs: number | null;
}

/** One replication slot: what keeps WAL for somebody who may never come. */
export interface SlotHealth {
  readonly name: string;
  readonly kind: string;
  readonly active: boolean;
  readonly walStatus: string | null;
  readonly retainedBytes: number | null;
}

/** Where the write-ahead log is. */
export interface WalHealth {
  readonly lsn: string | null;
  /** The position as a number of bytes: the difference of two is what was written between. */
  readonly position: number | null;
  readonly checkpointsTimed: number | null;
  /** Checkpoints that came early, since `max_wal_size` was full or somebody asked. */
  readonly checkpointsRequested: number | null;
}

/** How the archiving of WAL goes on. */
export interface ArchiverHealth {
  readonly archived: number;
  readonly failed: number;
  readonly lastArchivedAt: string | null;
  readonly lastFailedAt: string | null;
  /** Full segments after the last archived one; null before the first. */
  readonly backlogSegments: number | null;
}

/** How many connections there are, and may be. */
export interface ConnectionHealth {
  readonly used: number;
  readonly max: number;
  /** Kept for superusers and, from 16, for `pg_use_reserved_connections`: no ordinary login gets one of these. */
  readonly reserved: number;
}

/** How far one backfill has come. */
export interface BackfillHealth {
  readonly run: string;
  readonly state: string;
  readonly step: string;
  readonly table: { readonly schema: string; readonly name: string };
  readonly rowsChanged: number;
  /** The planner's estimate of the table's rows; null where it was never analysed. */
  readonly rowsEstimated: number | null;
  /** Batches that were committed. */
  readonly batches: number;
  /** Batches that were rolled back, each try counted. */
  readonly failedBatches: number;
}

/** How long the probe query took. */
export interface ProbeHealth {
  readonly ms: number;
  /** It was stopped at its limit, which `ms` then is. */
  readonly timedOut: boolean;
}

/** Shares of a machine that are used, 0 to 1. */
export interface HostHealth {
  readonly cpu?: number;
  readonly memory?: number;
}

/** Something that could not be read, and why. */
export interface Unread {
  readonly what: string;
  readonly why: string;
}
