import { sqlStateOf, UnderpinError } from "../errors.ts";
import { ident } from "../sql/quote.ts";
import {
  connectionLost,
  guarded,
  handleIsOver,
  isPostgresJs,
  untilLost,
  type Guard,
  type TransactionClient,
} from "./guarded-client.ts";
import { setLocalSetting, type CheckedContext } from "./tenant-context.ts";

/** How the transaction begins. */
export interface WithTenantOptions {
  readonly isolationLevel?: "read committed" | "repeatable read" | "serializable";
  readonly accessMode?: "read only" | "read write";
  readonly deferrable?: boolean;
}

/** The parts of a Drizzle transaction that are the same for all drivers (0.44 and 0.45). */
export interface DrizzleTransaction extends DrizzleDatabase {
  readonly schema: unknown;
  readonly nestedIndex?: number;
  readonly session: DrizzleSession & { readonly client: TransactionClient };
}

/** What Drizzle keeps of a connection. */
export interface DrizzleSession extends Transacting {
  readonly schema: unknown;
  readonly options?: object;
}

/** The parts of a Drizzle database that are the same for all drivers. */
export interface DrizzleDatabase extends Transacting {
  readonly dialect: unknown;
  readonly session: DrizzleSession;
}

interface Transacting {
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
export async function runInContext<T>(
  transaction: DrizzleTransaction,
  guard: Guard,
  work: (transaction: DrizzleTransaction) => Promise<T>,
): Promise<T> {
  const { client } = transaction.session;
  refuseUnknownClient(client);
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
    if (isPostgresJs(client)) await untilLost(guard);
  }
}

/** A transaction over the same connection, whose every part goes through the guard. */
function guardedHandle(transaction: DrizzleTransaction, guard: Guard): DrizzleTransaction {
  const { session, dialect, schema, nestedIndex } = transaction;
  const Transaction = transaction.constructor as new (
    dialect: unknown,
    session: object,
    schema: unknown,
    nestedIndex: number,
  ) => DrizzleTransaction;
  const own = sessionOver(guarded(session.client, guard), session, dialect);
  return new Transaction(dialect, own, schema, nestedIndex ?? 0);
}

/** A session like another one, over another client and without a cache: that knows no tenants. */
export function sessionOver(
  client: object,
  like: DrizzleSession,
  dialect: unknown,
): DrizzleSession {
  const Session = like.constructor as new (
    client: object,
    dialect: unknown,
    schema: unknown,
    options: object,
  ) => DrizzleSession;
  return new Session(client, dialect, like.schema, { ...like.options, cache: undefined });
}

/** Sets the context of a guard for the rest of its transaction. */
export async function sendContext(client: TransactionClient, guard: Guard): Promise<void> {
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

function refuseUnknownClient(client: object): void {
  if (isPostgresJs(client) || "query" in client) return;
  throw new UnderpinError({
    code: "unsupportedDatabase",
    message: "withTenant cannot work on a Drizzle db of this driver",
    hint: "Use drizzle-orm/postgres-js, drizzle-orm/node-postgres or drizzle-orm/pglite.",
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
