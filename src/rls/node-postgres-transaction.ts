import { UnderpinError } from "../errors.ts";
import { connectionLost, isLostHandle, type Guard, type PgClient } from "./guarded-client.ts";
import {
  sessionOver,
  type DrizzleDatabase,
  type DrizzleTransaction,
  type WithTenantOptions,
} from "./run-in-context.ts";

/** What is used of a node-postgres pool. */
export interface PgPool {
  connect(): Promise<PooledClient>;
  on(event: "error", listener: () => void): unknown;
  listenerCount(event: "error"): number;
}

interface PooledClient extends PgClient {
  on(event: "error", listener: (error: Error) => void): unknown;
  removeListener(event: "error", listener: (error: Error) => void): unknown;
  release(destroy: boolean): void;
}

/** The pool of a Drizzle database over node-postgres; undefined over other drivers. */
export function poolOf(db: object): PgPool | undefined {
  const client: unknown = "$client" in db ? db.$client : undefined;
  if (typeof client !== "object" || client === null || "exec" in client) return undefined;
  if ("totalCount" in client) return client as unknown as PgPool;
  if (!("query" in client)) return undefined;
  throw new UnderpinError({
    code: "unsupportedDatabase",
    message: "withTenant cannot work on a lone pg Client: two transactions at a time would be one",
    hint: "Make the Drizzle db of a pool: drizzle(new Pool({ connectionString })).",
  });
}

/**
 * Drizzle's own transaction, on a connection that is taken and given back here.
 *
 * Drizzle 0.45 never gives a connection back whose BEGIN failed, so that a pool runs dry when backends are killed; and it does not listen to
 * the "error" event of a connection in use, which ends the process then.
 */
export async function transactionOnPool<T>(
  db: DrizzleDatabase,
  pool: PgPool,
  guard: Guard,
  work: (transaction: DrizzleTransaction) => Promise<T>,
  options: WithTenantOptions | undefined,
): Promise<T> {
  // The pool has dropped such a connection already: nothing is lost.
  if (pool.listenerCount("error") === 0) pool.on("error", () => undefined);
  const client = await pool.connect();
  let begun = false;
  let failed: unknown;
  let clean = true;
  const lose = (error: Error) => {
    clean = false;
    guard.end(connectionLost(error));
  };
  client.on("error", lose);
  try {
    return await sessionOver(client, db.session, db.dialect).transaction((transaction) => {
      begun = true;
      return work(transaction).catch((error: unknown) => {
        failed = error;
        throw error;
      });
    }, options);
  } catch (error) {
    // Another error than the work's own: BEGIN, COMMIT or ROLLBACK failed, and nobody knows what is open.
    clean &&= begun && error === failed;
    throw error;
  } finally {
    const ended = guard.ended();
    client.release(!clean || (ended !== undefined && isLostHandle(ended)));
    client.removeListener("error", lose);
  }
}
