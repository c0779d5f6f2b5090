import {
  brandExecutor,
  type Executor,
  type Queryable,
  type Session,
} from "../../executor/executor.ts";
import { LOCK_MODES, PG_LOCK_MODE, type LockMode } from "../../plan/lock.ts";
import { ident } from "../../sql/quote.ts";

/** A lock that a statement was seen to hold. */
export interface MeasuredLock {
  readonly schema: string;
  readonly name: string;
  readonly mode: LockMode;
  /** Made by this very transaction: nobody else could wait for it. */
  readonly created: boolean;
  /** For an index, its table. */
  readonly table: string | null;
}

/** A database that takes note of the locks of every marked statement. */
export interface LockMeter {
  readonly executor: Executor;
  /** What the transaction held when the statement had run, by the statement's leading comment. */
  readonly measured: ReadonlyMap<string, readonly MeasuredLock[]>;
}

/** What is looked at beside the locks, around each marked statement, and within its transaction where it has one. */
export interface StatementWatch {
  before(db: Queryable): Promise<void>;
  after(db: Queryable, marker: string): Promise<void>;
}

const MARKED = /^\/\* underpin .*? \*\//;

/**
 * Wraps a database so that the locks of each step of a run are read from `pg_locks` before its transaction ends.
 *
 * A statement outside a transaction has let go of its locks when it returns. So another transaction is put in its way, and the
 * locks are read while it waits: possible on a server with several connections, not on PGlite.
 */
export function meterLocks(inner: Executor, runSchema: string, watch?: StatementWatch): LockMeter {
  const measured = new Map<string, readonly MeasuredLock[]>();
  const noteInside = (tx: Queryable, known: Relations): Queryable => ({
    query: async (text, parameters) => {
      const marker = MARKED.exec(text)?.[0];
      if (marker !== undefined) await watch?.before(tx);
      const rows = await tx.query<never>(text, parameters);
      if (marker !== undefined) {
        measured.set(marker, await readLocks(tx, "pg_catalog.pg_backend_pid()", runSchema, known));
        await watch?.after(tx, marker);
      }
      return rows;
    },
  });
  const transaction: Executor["transaction"] = async (work) => {
    const known = await readRelations(inner);
    return inner.transaction((tx) => work(noteInside(tx, known)));
  };
  const noteOutside = (session: Session): Session => ({
    ...session,
    transaction: (work) => session.transaction(work),
    withSettings: (settings, work) => session.withSettings(settings, work),
    query: async (text, parameters) => {
      const marker = MARKED.exec(text)?.[0];
      const pid = session.connectPid;
      if (marker === undefined) return session.query<never>(text, parameters);
      await watch?.before(session);
      if (pid === undefined) {
        const rows = await session.query<never>(text, parameters);
        await watch?.after(session, marker);
        return rows;
      }
      return inTheWay(inner, async (release) => {
        const known = await readRelations(inner);
        const running = session.query<never>(text, parameters);
        // The statement is awaited below; a failure before that must not go unheard as an unhandled rejection.
        running.catch(() => {});
        const waits = await untilItWaits(inner, pid, running);
        if (waits) measured.set(marker, await readLocks(inner, String(pid), runSchema, known));
        await release();
        const rows = await running;
        await watch?.after(session, marker);
        return rows;
      });
    },
  });
  return {
    measured,
    executor: brandExecutor({
      driver: inner.driver,
      query: (text, parameters) => inner.query(text, parameters),
      transaction,
      session: (work) => inner.session((session) => work(noteOutside(session))),
    }),
  };
}

/** Holds a snapshot, and a weak lock on every table, until `release` is called. */
async function inTheWay<T>(
  executor: Executor,
  work: (release: () => Promise<void>) => Promise<T>,
): Promise<T> {
  return executor.session(async (holder) => {
    const tables = await readTables(holder);
    await holder.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
    if (tables.length > 0)
      await holder.query(`LOCK TABLE ${tables.join(", ")} IN ACCESS SHARE MODE`);
    await holder.query("SELECT 1");
    let held = true;
    const release = async () => {
      if (held) await holder.query("ROLLBACK");
      held = false;
    };
    try {
      return await work(release);
    } finally {
      await release();
    }
  });
}

/** Whether the statement came to wait for somebody before it ended. */
async function untilItWaits(
  executor: Executor,
  pid: number,
  running: Promise<unknown>,
): Promise<boolean> {
  let ended = false;
  const end = () => (ended = true);
  running.then(end, end);
  while (!ended) {
    const [row] = await executor.query<{ waits: string }>(
      "SELECT pg_catalog.cardinality(pg_catalog.pg_blocking_pids($1::int))::text AS waits",
      [pid],
    );
    if (Number(row?.waits) > 0) return true;
  }
  return false;
}

async function readTables(db: Queryable): Promise<readonly string[]> {
  const rows = await db.query<{ schema: string; name: string }>(
    `SELECT n.nspname::text AS schema, c.relname::text AS name
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
       AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
       AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
       AND pg_catalog.has_table_privilege(c.oid, 'SELECT')`,
  );
  return rows.map(({ schema, name }) => `${ident(schema)}.${ident(name)}`);
}

interface Relation {
  readonly oid: string;
  readonly schema: string;
  readonly name: string;
  readonly table: string | null;
}

/** The relations of the database by oid, as they were before a transaction: it may drop some. */
type Relations = ReadonlyMap<string, Relation>;

async function readRelations(db: Queryable): Promise<Relations> {
  const rows = await db.query<{ oid: string; schema: string; name: string; table: string | null }>(
    `SELECT c.oid::text AS oid, n.nspname::text AS schema, c.relname::text AS name,
            (SELECT t.relname::text FROM pg_catalog.pg_index i
             JOIN pg_catalog.pg_class t ON t.oid = i.indrelid WHERE i.indexrelid = c.oid) AS table
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.oid >= ${FIRST_OID}`,
  );
  return new Map(rows.map((row) => [row.oid, row]));
}

async function readLocks(
  db: Queryable,
  pid: string,
  runSchema: string,
  before: Relations,
): Promise<readonly MeasuredLock[]> {
  const locks = await db.query<{ oid: string; mode: string }>(
    `SELECT l.relation::text AS oid, l.mode::text AS mode
     FROM pg_catalog.pg_locks l
     WHERE l.pid = ${pid} AND l.locktype = 'relation' AND l.granted AND l.relation >= ${FIRST_OID}
       AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())`,
  );
  const now = await readRelations(db);
  const strongest = new Map<string, MeasuredLock>();
  for (const { oid, mode: text } of locks) {
    const mode = LOCK_MODES.find((candidate) => PG_LOCK_MODE[candidate] === text);
    const known = before.get(oid);
    const { schema, name, table } = known ??
      now.get(oid) ?? { schema: "", name: `a new relation (${oid})`, table: null };
    if (mode === undefined || NOT_COUNTED.has(schema) || schema === runSchema) continue;
    const seen = strongest.get(oid);
    if (seen === undefined || LOCK_MODES.indexOf(seen.mode) < LOCK_MODES.indexOf(mode))
      strongest.set(oid, { schema, name, mode, created: known === undefined, table });
  }
  return [...strongest.values()];
}

/** What initdb makes has smaller ones: catalogs are locked by everything and for moments. */
const FIRST_OID = "16384";

/** A TOAST table goes with its table. */
const NOT_COUNTED = new Set(["pg_catalog", "information_schema", "pg_toast"]);
