import { sqlStateOf, UnderpinError } from "../errors.ts";
import { ident } from "../sql/quote.ts";
import {
  connectionLost,
  guarded,
  guardOf,
  handleIsOver,
  isLostHandle,
  isPostgresJs,
  newGuard,
  untilLost,
  type Guard,
  type TransactionClient,
} from "./guarded-client.ts";
import {
  checkContext,
  setLocalSetting,
  type CheckedContext,
  type TenantContext,
} from "./tenant-context.ts";

/** A Drizzle database, or a handle of {@link withTenant}. */
export interface TenantDatabase {
  readonly transaction: (...words: never[]) => Promise<unknown>;
}

declare const TENANT: unique symbol;

/** The Drizzle transaction of one tenant. Only {@link withTenant} makes it: a function that takes it cannot be called without a context. */
export type TenantTransaction<DB extends TenantDatabase> = TransactionOf<DB> & {
  readonly [TENANT]: true;
};

/** What Drizzle hands to the work of a transaction. */
export type TransactionOf<DB> = DB extends {
  transaction(work: (transaction: infer X) => Promise<unknown>): Promise<unknown>;
}
  ? X
  : never;

/** How the transaction begins. */
export interface WithTenantOptions {
  readonly isolationLevel?: "read committed" | "repeatable read" | "serializable";
  readonly accessMode?: "read only" | "read write";
  readonly deferrable?: boolean;
}

/**
 * Runs `work` in a Drizzle transaction in which row security shows a persona its rows, and nothing of that stays on the connection.
 *
 * Role and settings are set by one statement, for the transaction only, together with the first query where the driver can. The handle stops
 * with the transaction: builders and prepared queries made of it throw, where a bare one would run in whatever transaction has the connection next
 * (postgres.js 3.4.9). Drizzle's query cache is left out, since it does not know tenants.
 *
 * On a handle of its own it makes a savepoint, for the same context only.
 */
export async function withTenant<DB extends TenantDatabase, const P extends string, T>(
  db: DB,
  context: TenantContext<P>,
  work: (transaction: TenantTransaction<DB>) => Promise<T>,
  options?: WithTenantOptions,
): Promise<T> {
  const checked = checkContext(context);
  const run = work as unknown as (transaction: DrizzleTransaction) => Promise<T>;
  const handle: unknown = db;
  if (isTransaction(handle)) return nested(handle, checked, run);
  refuseLoneClient(db);
  const guard = newGuard(checked);
  try {
    return await (handle as DrizzleDatabase).transaction(
      (transaction) => runInContext(transaction, guard, run),
      options,
    );
  } catch (error) {
    // What broke the connection is the news, not what Drizzle could not roll back on it.
    const ended = guard.ended();
    throw ended !== undefined && isLostHandle(ended) ? (ended.cause ?? error) : error;
  } finally {
    guard.end(handleIsOver(checked));
  }
}

/** The parts of a Drizzle transaction that are the same for all drivers (0.44 and 0.45). */
export interface DrizzleTransaction extends DrizzleDatabase {
  readonly dialect: unknown;
  readonly schema: unknown;
  readonly nestedIndex?: number;
  readonly session: {
    readonly client: TransactionClient;
    readonly schema: unknown;
    readonly options?: object;
  };
}

interface DrizzleDatabase {
  transaction<T>(
    work: (transaction: DrizzleTransaction) => Promise<T>,
    config?: WithTenantOptions,
  ): Promise<T>;
}

/** Whether a handle is a Drizzle transaction, and not a database. */
export function isTransaction(handle: unknown): handle is DrizzleTransaction {
  return typeof handle === "object" && handle !== null && "nestedIndex" in handle;
}

/** Runs work in a transaction or savepoint that has just begun. */
async function runInContext<T>(
  transaction: DrizzleTransaction,
  guard: Guard,
  work: (transaction: DrizzleTransaction) => Promise<T>,
): Promise<T> {
  const { client } = transaction.session;
  refuseUnknownClient(client);
  const forget = listen(client, guard);
  const setting = sendContext(client, guard);
  // A failed statement fails the transaction: what was sent behind it does not run.
  setting.catch(() => undefined);
  try {
    // One statement is sent at once, and the first query behind it. What is asked for first has to be waited for.
    if (!isPostgresJs(client) || guard.context.lookups.length > 0) await setting;
    const result = await work(guardedHandle(transaction, guard));
    await setting;
    if (guard.failure() !== undefined && !isPostgresJs(client))
      // COMMIT of a failed transaction rolls back and is no error: this is one.
      await client.query("SELECT").catch(() => {
        throw guard.failure();
      });
    return result;
  } catch (error) {
    await setting.catch((cause: unknown) => {
      throw notAllowed(guard.context, cause);
    });
    throw error;
  } finally {
    guard.end(handleIsOver(guard.context));
    forget();
    if (isPostgresJs(client)) await untilLost(guard);
  }
}

/**
 * Runs work in a savepoint of a transaction that somebody else began. The work must throw: what takes the context back is the rollback of
 * the savepoint.
 *
 * @internal
 */
export async function withTenantInside<T>(
  transaction: DrizzleTransaction,
  context: TenantContext,
  work: (transaction: DrizzleTransaction) => Promise<T>,
): Promise<T> {
  const guard = newGuard(checkContext(context));
  return transaction.transaction((savepoint) => runInContext(savepoint, guard, work));
}

async function nested<T>(
  transaction: DrizzleTransaction,
  checked: CheckedContext,
  work: (transaction: DrizzleTransaction) => Promise<T>,
): Promise<T> {
  const outer = guardOf(transaction.session.client);
  if (outer === undefined) throw foreignTransaction();
  for (const field of ["access", "persona", "tenant", "user"] as const)
    if (outer.context[field] !== checked[field]) throw widened(field, outer.context, checked);
  return transaction.transaction(async (savepoint) => {
    const result = await runInContext(savepoint, newGuard(checked, outer), work);
    // A released savepoint keeps what was set inside it.
    await sendContext(savepoint.session.client, outer);
    return result;
  });
}

/** A transaction over the same connection, whose every part goes through the guard. */
function guardedHandle(transaction: DrizzleTransaction, guard: Guard): DrizzleTransaction {
  const { session, dialect, schema, nestedIndex } = transaction;
  const Session = session.constructor as new (
    client: object,
    dialect: unknown,
    schema: unknown,
    options: object,
  ) => object;
  const Transaction = transaction.constructor as new (
    dialect: unknown,
    session: object,
    schema: unknown,
    nestedIndex: number,
  ) => DrizzleTransaction;
  const own = new Session(guarded(session.client, guard), dialect, session.schema, {
    ...session.options,
    cache: undefined,
  });
  return new Transaction(dialect, own, schema, nestedIndex ?? 0);
}

async function sendContext(client: TransactionClient, guard: Guard): Promise<void> {
  const { statements, lookups } = guard.context;
  await send(client, guard, statements.join(";\n"));
  for (const { query, setting } of lookups) {
    const [row] = await send(client, guard, query);
    await send(
      client,
      guard,
      setLocalSetting(setting, typeof row?.["ids"] === "string" ? row["ids"] : "{}"),
    );
  }
}

type Rows = readonly Readonly<Record<string, unknown>>[];

async function send(client: TransactionClient, guard: Guard, text: string): Promise<Rows> {
  if (isPostgresJs(client)) {
    const onexecute = (wire: { onclose?: ((error: Error) => void) | null }): boolean => {
      // The first to hear of a lost connection: before any query that waited for it.
      const { onclose } = wire;
      wire.onclose = (error) => {
        guard.end(connectionLost(error));
        onclose?.(error);
      };
      return true;
    };
    return (await client.unsafe(text, [], { onexecute }).execute()) as Rows;
  }
  const answered = await ("exec" in client ? client.exec(text) : client.query(text));
  // Several statements in one text have several results.
  const last: unknown = Array.isArray(answered) ? answered.at(-1) : answered;
  return (last as { readonly rows?: Rows }).rows ?? [];
}

/** An "error" event of a node-postgres client that nobody listens to ends the process. */
function listen(client: TransactionClient, guard: Guard): () => void {
  if (isPostgresJs(client) || !("on" in client) || client.on === undefined) return () => undefined;
  const lose = (error: Error) => {
    guard.end(connectionLost(error));
  };
  client.on("error", lose);
  return () => client.removeListener?.("error", lose);
}

function refuseLoneClient(db: object): void {
  const client: unknown = "$client" in db ? db.$client : undefined;
  if (typeof client !== "object" || client === null) return;
  if ("exec" in client || "totalCount" in client || !("query" in client)) return;
  throw new UnderpinError({
    code: "unsupportedDatabase",
    message: "withTenant cannot work on a lone pg Client: two transactions at a time would be one",
    hint: "Make the Drizzle db of a pool: drizzle(new Pool({ connectionString })).",
  });
}

function refuseUnknownClient(client: object): void {
  if (isPostgresJs(client) || "query" in client) return;
  throw new UnderpinError({
    code: "unsupportedDatabase",
    message: "withTenant cannot work on a Drizzle db of this driver",
    hint: "Use drizzle-orm/postgres-js, drizzle-orm/node-postgres or drizzle-orm/pglite.",
  });
}

function foreignTransaction(): UnderpinError {
  return new UnderpinError({
    code: "invalidInput",
    message: "withTenant was called on a transaction that another function began",
    hint: "Hand over the database, or the handle of an outer withTenant: the rest of a strange transaction would keep the persona's role.",
  });
}

function widened(
  field: "access" | "persona" | "tenant" | "user",
  outer: CheckedContext,
  inner: CheckedContext,
): UnderpinError {
  return new UnderpinError({
    code: "invalidInput",
    message: `withTenant inside the context of ${field} ${outer[field]} asks for ${field} ${inner[field]}`,
    hint: "A context is never widened: begin another transaction on the database itself, outside of this one.",
  });
}

/** 42501: the login may not take the role. 22023: there is no such role. */
function notAllowed({ role }: CheckedContext, cause: unknown): unknown {
  const state = sqlStateOf(cause);
  if (state !== "42501" && state !== "22023") return cause;
  return new UnderpinError({
    code: "missingRight",
    message: `the login cannot act as ${ident(role)}: ${(cause as Error).message}`,
    hint:
      state === "42501"
        ? `Let it: GRANT ${ident(role)} TO the login of the pool.`
        : "Install the definition: apply(db, planInstall(definition)).",
    cause,
  });
}
