/**
 * What underpin asks of a database connection. Drivers are adapted by shape; none is imported.
 */

/**
 * One row, keyed by column name.
 *
 * Values are the same on every driver: int2, int4, oid and floats are numbers, bool is boolean, json is parsed, and all else
 * (int8, numeric, dates, arrays, bytea) is the text that PostgreSQL prints. Neither Drizzle nor the host's parsers change that.
 */
export type Row = Record<string, unknown>;

/**
 * Parameters are text, number or null, cast in the SQL (`$1::uuid`): a Drizzle wrapper changes its client's
 * serialisers, so that a Date that works on one handle throws on another. They go to the server as text of unknown type.
 */
export type Parameter = string | number | null;

/** Anything that runs one statement. */
export interface Queryable {
  /**
   * Runs one statement and returns its rows. Without parameters several statements may stand in one text; then the
   * rows of the last one that returns rows are returned, and the text is one implicit transaction.
   */
  query<R extends Row = Row>(
    text: string,
    parameters?: readonly Parameter[],
  ): Promise<readonly R[]>;
}

/** One connection, pinned for as long as the work lasts. */
export interface Session extends Queryable {
  /**
   * The process id that the server named at connect; undefined where the driver hides it or there is none.
   *
   * A pooler makes up its own, so that a difference from `pg_backend_pid()` shows a pooler in between.
   */
  readonly connectPid: number | undefined;
  /** As {@link Executor.transaction}, on this connection. */
  transaction<T>(work: (transaction: Queryable) => Promise<T>): Promise<T>;
  /**
   * Changes settings for the time of `work` and takes them back. If that fails, the connection is destroyed and
   * never goes back to its pool.
   */
  withSettings<T>(settings: Readonly<Record<string, string>>, work: () => Promise<T>): Promise<T>;
}

/** A database: a pool of connections, or the one session of PGlite. */
export interface Executor extends Queryable {
  readonly driver: "postgres.js" | "pglite" | "pg";
  /**
   * Runs `work` in one READ COMMITTED READ WRITE transaction, whatever the role's defaults are; commits when it
   * returns, rolls back when it throws. When the connection dies inside, the promise rejects with the connection's
   * error, nothing is thrown elsewhere, and the dead connection never goes back to its pool. When a query failed and the work
   * returned all the same, it rejects with that failure: a failed transaction cannot commit.
   *
   * BEGIN travels with the first query, if that has no parameters.
   */
  transaction<T>(work: (transaction: Queryable) => Promise<T>): Promise<T>;
  /** Pins one connection. It dies with its backend: it never reconnects by itself. */
  session<T>(work: (session: Session) => Promise<T>): Promise<T>;
}

const BRAND = Symbol.for("underpin.executor");

/** Marks an Executor so that another copy of this package knows it. */
export function brandExecutor(executor: Executor): Executor {
  return Object.defineProperty(executor, BRAND, { value: true });
}

/** Whether a value is an {@link Executor}, also one of another copy of this package. */
export function isExecutor(value: unknown): value is Executor {
  return typeof value === "object" && value !== null && BRAND in value;
}
