import type { Queryable } from "../executor/executor.ts";
import { ident } from "../sql/quote.ts";

/** What the server says of itself, of this login, and of what is going on. */
export interface ServerReadings {
  readonly version: string;
  readonly versionNum: number;
  readonly database: string;
  readonly role: string;
  readonly isReplica: boolean;
  readonly isReadOnly: boolean;
  readonly rights: Readonly<
    Record<
      | "superuser"
      | "bypassrls"
      | "createdb"
      | "createrole"
      | "createInDatabase"
      | "pg_signal_backend"
      | "pg_read_all_stats",
      boolean
    >
  >;
  readonly maxLocksPerTransaction: number;
  readonly maxConnections: number;
  readonly maxPreparedTransactions: number;
  /** Entries of the shared lock table: the product that PostgreSQL's manual gives (§19.12). */
  readonly lockTableSize: number;
  readonly preparedTransactions: readonly {
    readonly gid: string;
    readonly owner: string;
    readonly ageSeconds: number;
  }[];
  readonly longTransactions: readonly {
    readonly pid: number;
    readonly role: string | null;
    readonly state: string | null;
    readonly ageSeconds: number;
    readonly query: string | null;
  }[];
  readonly invalidIndexes: readonly {
    readonly schema: string;
    readonly name: string;
    readonly table: string;
    /** A CREATE INDEX CONCURRENTLY or REINDEX is at work on its table: not a rest. */
    readonly building: boolean;
  }[];
}

/** Older than this a transaction makes CONCURRENTLY steps wait, and holds back vacuum. */
const LONG_TRANSACTION_SECONDS = 60;

/** Reads it in one query, with the rights that every login has; the age of what it may not see is left out by PostgreSQL. */
export async function readServer(db: Queryable): Promise<ServerReadings> {
  const [row] = await db.query<{ json: string }>(SERVER_SQL);
  return JSON.parse(row?.json ?? "{}") as ServerReadings;
}

/** The numbers of one setting, a prepared transaction and an index may each be absent: nothing here assumes a row. */
const SERVER_SQL = `
SELECT pg_catalog.json_build_object(
  'version', pg_catalog.current_setting('server_version'),
  'versionNum', pg_catalog.current_setting('server_version_num')::int,
  'database', pg_catalog.current_database(),
  'role', CURRENT_USER,
  'isReplica', pg_catalog.pg_is_in_recovery(),
  'isReadOnly', pg_catalog.current_setting('default_transaction_read_only')::boolean,
  'rights', (SELECT pg_catalog.json_build_object(
      'superuser', r.rolsuper, 'bypassrls', r.rolsuper OR r.rolbypassrls,
      'createdb', r.rolsuper OR r.rolcreatedb, 'createrole', r.rolsuper OR r.rolcreaterole,
      'createInDatabase', pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE'),
      'pg_signal_backend', pg_catalog.pg_has_role('pg_signal_backend', 'USAGE'),
      'pg_read_all_stats', pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE'))
    FROM pg_catalog.pg_roles r WHERE r.rolname = CURRENT_USER),
  'maxLocksPerTransaction', pg_catalog.current_setting('max_locks_per_transaction')::int,
  'maxConnections', pg_catalog.current_setting('max_connections')::int,
  'maxPreparedTransactions', pg_catalog.current_setting('max_prepared_transactions')::int,
  'lockTableSize', pg_catalog.current_setting('max_locks_per_transaction')::bigint *
    (pg_catalog.current_setting('max_connections')::bigint +
     pg_catalog.current_setting('max_prepared_transactions')::bigint),
  'preparedTransactions', (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
      'gid', p.gid, 'owner', p.owner,
      'ageSeconds', pg_catalog.round(extract(epoch FROM pg_catalog.clock_timestamp() - p.prepared)))
      ORDER BY p.prepared), '[]'::json)
    FROM pg_catalog.pg_prepared_xacts p WHERE p.database = pg_catalog.current_database()),
  'longTransactions', (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
      'pid', a.pid, 'role', a.usename, 'state', a.state,
      'ageSeconds', pg_catalog.round(extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start)),
      'query', pg_catalog.left(a.query, 120)) ORDER BY a.xact_start), '[]'::json)
    FROM pg_catalog.pg_stat_activity a
    WHERE a.datname = pg_catalog.current_database() AND a.backend_type = 'client backend'
      AND a.pid <> pg_catalog.pg_backend_pid()
      AND a.xact_start < pg_catalog.clock_timestamp() - ${LONG_TRANSACTION_SECONDS} * interval '1 second'),
  'invalidIndexes', (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
      'schema', n.nspname, 'name', c.relname, 'table', t.relname,
      'building', EXISTS (SELECT FROM pg_catalog.pg_stat_progress_create_index b WHERE b.relid = i.indrelid))
      ORDER BY n.nspname, c.relname), '[]'::json)
    FROM pg_catalog.pg_index i
    JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
    JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    -- The index of a partitioned table is invalid as long as a partition lacks its part: that is a plan under way.
    WHERE NOT i.indisvalid AND c.relkind = 'i')
)::text AS json`;

/** The run schema as it is. */
export interface RunSchemaReadings {
  readonly version: number;
  /** Leases that have run out while their run says that it is running: its process is gone, or frozen. */
  readonly stuckLeases: readonly { readonly name: string; readonly owner: string }[];
}

/** Reads the run schema, which must be there. */
export async function readRunSchema(db: Queryable, schema: string): Promise<RunSchemaReadings> {
  const s = ident(schema);
  const [row] = await db.query<{ json: string }>(
    `SELECT pg_catalog.json_build_object(
       'version', (SELECT coalesce(pg_catalog.max(version), 0) FROM ${s}.versions),
       'stuckLeases', (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
           'name', l.name, 'owner', l.owner) ORDER BY l.name), '[]'::json)
         FROM ${s}.leases l JOIN ${s}.runs r ON r.name = l.name
         WHERE r.state IN ('running', 'undoing') AND l.expires_at < pg_catalog.clock_timestamp()))::text AS json`,
  );
  return JSON.parse(row?.json ?? "{}") as RunSchemaReadings;
}
