import { isConnectionError, sqlStateOf, toError, UnderpinError } from "../errors.ts";
import type { CheckedContext } from "./tenant-context.ts";

/** Whether a handle may still be used. */
export interface Guard {
  readonly context: CheckedContext;
  /** Why it may not; undefined while it may. */
  ended(): Error | undefined;
  end(reason: Error): void;
  /** The first failure of a query, whether it was caught or not. */
  failure(): unknown;
  fail(error: unknown): void;
}

/** A guard that ends with its outer one at the latest. */
export function newGuard(context: CheckedContext, outer?: Guard): Guard {
  let reason: Error | undefined;
  let failed: unknown;
  return {
    context,
    ended: () => reason ?? outer?.ended(),
    end: (why) => {
      reason ??= why;
    },
    failure: () => failed,
    fail: (error) => {
      failed ??= error;
      outer?.fail(error);
    },
  };
}

/** Marks the client of a handle, so that a nested use finds its context, also through a savepoint of Drizzle's own. */
const GUARD = Symbol.for("underpin.tenantGuard");

/** The guard of a client that {@link guarded} made. */
export function guardOf(client: object): Guard | undefined {
  return (client as { readonly [GUARD]?: Guard })[GUARD];
}

/** The client of a Drizzle session inside a transaction, by shape. */
export type TransactionClient = PostgresJsTransaction | PgClient | PgliteTransaction;

/** What Drizzle uses of a postgres.js transaction. */
export interface PostgresJsTransaction {
  unsafe(text: string, parameters?: readonly unknown[], options?: object): LazyQuery;
  savepoint<T>(work: (client: PostgresJsTransaction) => Promise<T>): Promise<T>;
}

/** A postgres.js query: a promise that its `handler` sends, a moment after it was first awaited. */
export interface LazyQuery extends Promise<unknown> {
  handler: (query: LazyQuery) => void;
  reject: (error: Error) => void;
  execute(): LazyQuery;
}

/** What Drizzle uses of a node-postgres client. */
export interface PgClient {
  query(...words: readonly unknown[]): Promise<unknown>;
}

/** What Drizzle uses of a PGlite transaction. */
export interface PgliteTransaction {
  query(...words: readonly unknown[]): Promise<unknown>;
  exec(...words: readonly unknown[]): Promise<unknown>;
}

/** Whether a client is that of a postgres.js transaction. */
export function isPostgresJs(client: object): client is PostgresJsTransaction {
  return "unsafe" in client && "savepoint" in client;
}

/**
 * A client through which queries go for as long as its guard allows. It stands below Drizzle's session, where builders and
 * prepared queries that were made earlier look for it, too.
 */
export function guarded(client: TransactionClient, guard: Guard): object {
  if (isPostgresJs(client)) return guardedPostgresJs(client, guard);
  const query = async (...words: readonly unknown[]): Promise<unknown> => {
    refuseEnded(guard);
    return client.query(...words).catch((error: unknown) => fail(guard, error));
  };
  if (!("exec" in client)) return { [GUARD]: guard, query };
  const exec = async (...words: readonly unknown[]): Promise<unknown> => {
    refuseEnded(guard);
    return client.exec(...words).catch((error: unknown) => fail(guard, error));
  };
  return { [GUARD]: guard, query, exec };
}

function guardedPostgresJs(client: PostgresJsTransaction, guard: Guard): object {
  return {
    [GUARD]: guard,
    unsafe(text: string, parameters?: readonly unknown[], options?: object): LazyQuery {
      refuseEnded(guard);
      return guardedQuery(client.unsafe(text, parameters, options), guard);
    },
    savepoint<T>(work: (client: object) => Promise<T>): Promise<T> {
      refuseEnded(guard);
      return client.savepoint((inner) => {
        const result = work(guardedPostgresJs(inner, guard));
        return result.finally(() => untilLost(guard));
      });
    },
  };
}

/**
 * A query is sent a moment after it was awaited, when its transaction may be over already. A connection that broke says so first to the query that
 * was under way: after that nothing more may be written to it (postgres.js 3.4.9 would write to the next transaction's).
 */
function guardedQuery(query: LazyQuery, guard: Guard): LazyQuery {
  const { handler, reject } = query;
  query.handler = (own) => {
    const ended = guard.ended();
    if (ended === undefined) handler(own);
    else own.reject(ended);
  };
  query.reject = (error) => {
    guard.fail(error);
    if (isLoss(error)) guard.end(connectionLost(error));
    reject(error);
  };
  return query;
}

function refuseEnded(guard: Guard): void {
  const ended = guard.ended();
  if (ended !== undefined) throw ended;
}

function fail(guard: Guard, error: unknown): never {
  guard.fail(error);
  if (isLoss(error)) guard.end(connectionLost(error));
  throw error;
}

/** Whether an error says that this connection ends: what a foreign server said of its own may bear the same codes. */
function isLoss(error: unknown): boolean {
  if (!isConnectionError(error)) return false;
  const { severity } = error as { readonly severity?: unknown };
  return sqlStateOf(error) === undefined || severity === "FATAL" || severity === "PANIC";
}

/**
 * Never returns where the connection of a postgres.js transaction was lost.
 *
 * `sql.begin` has rejected then, and still waits for the work, to send COMMIT or ROLLBACK: on a socket that is gone that throws outside of any
 * promise, which ends the process (3.4.9).
 */
export async function untilLost(guard: Guard): Promise<void> {
  const ended = guard.ended();
  if (ended !== undefined && isLostHandle(ended)) await new Promise(() => undefined);
}

/** Whether a handle ended with its connection. */
export function isLostHandle(error: Error): boolean {
  return "code" in error && error.code === "connection";
}

/** The error of a handle whose transaction is over. */
export function handleIsOver({ persona, tenant }: CheckedContext): UnderpinError {
  return new UnderpinError({
    code: "invalidInput",
    message: `a query was sent through the transaction of ${persona} in tenant ${tenant}, which is over`,
    hint: "Await every query inside the work of withTenant, and keep no handle, builder or prepared query of it.",
  });
}

/** The error of a handle whose connection broke. */
export function connectionLost(cause: unknown): UnderpinError {
  return new UnderpinError({
    code: "connection",
    message: `the connection of the tenant's transaction was lost: ${toError(cause).message}`,
    hint: "Nothing of it was kept. Call withTenant again.",
    cause,
  });
}
