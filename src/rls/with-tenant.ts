import { UnderpinError } from "../errors.ts";
import { guardOf, handleIsOver, isLostHandle, newGuard } from "./guarded-client.ts";
import { poolOf, transactionOnPool } from "./node-postgres-transaction.ts";
import {
  isTransaction,
  runInContext,
  sendContext,
  type DrizzleDatabase,
  type DrizzleTransaction,
  type WithTenantOptions,
} from "./run-in-context.ts";
import { checkContext, type CheckedContext, type TenantContext } from "./tenant-context.ts";

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
  const drizzle = handle as DrizzleDatabase;
  const guard = newGuard(checked);
  const inside = (transaction: DrizzleTransaction) => runInContext(transaction, guard, run);
  const pool = poolOf(db);
  try {
    return await (pool === undefined
      ? drizzle.transaction(inside, options)
      : transactionOnPool(drizzle, pool, guard, inside, options));
  } catch (error) {
    // What broke the connection is the news, not what Drizzle could not roll back on it.
    const ended = guard.ended();
    throw ended !== undefined && isLostHandle(ended) ? (ended.cause ?? error) : error;
  } finally {
    guard.end(handleIsOver(checked));
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
    if (outer.context[field] !== checked[field])
      throw widened(`of ${field} ${outer.context[field]} asks for ${field} ${checked[field]}`);
  // Roles of another access of the same schema, and the claims, which the message does not show: they are data of a person.
  if (!isSame(outer.context.statements, checked.statements))
    throw widened("asks for other claims or roles");
  return transaction.transaction(async (savepoint) => {
    const result = await runInContext(savepoint, newGuard(checked, outer), work);
    // A released savepoint keeps what was set inside it.
    await sendContext(savepoint.session.client, outer);
    return result;
  });
}

function isSame(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((statement, at) => statement === other[at]);
}

function foreignTransaction(): UnderpinError {
  return new UnderpinError({
    code: "invalidInput",
    message: "withTenant was called on a transaction that another function began",
    hint: "Hand over the database, or the handle of an outer withTenant: the rest of a strange transaction would keep the persona's role.",
  });
}

function widened(what: string): UnderpinError {
  return new UnderpinError({
    code: "invalidInput",
    message: `withTenant inside the context ${what}`,
    hint: "A context is never widened: begin another transaction on the database itself, outside of this one.",
  });
}
