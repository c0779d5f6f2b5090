import { isConnectionError } from "../errors.ts";
import {
  brandExecutor,
  type Executor,
  type Parameter,
  type Queryable,
  type Row,
  type Session,
} from "./executor.ts";
import { ConnectionLost } from "./lost.ts";
import { withSettings } from "./settings.ts";

interface PgResult {
  readonly rows: readonly Row[];
}

/** The part of a node-postgres pool that is used here. */
export interface PgPoolLike {
  readonly totalCount: number;
  query(text: string, parameters?: unknown[]): Promise<PgResult>;
  connect(): Promise<PgClientLike>;
  on(event: "error", listener: (error: Error) => void): unknown;
  listenerCount(event: string): number;
}

interface PgClientLike {
  readonly processID?: number | null;
  query(text: string, parameters?: unknown[]): Promise<PgResult>;
  release(destroy?: boolean | Error): void;
  on(event: "error", listener: (error: Error) => void): unknown;
  removeListener(event: "error", listener: (error: Error) => void): unknown;
}

/** Adapts a node-postgres pool. */
export function fromNodePostgres(pool: PgPoolLike): Executor {
  // An idle client whose backend ends makes the pool emit 'error', and without a listener that ends the process.
  if (pool.listenerCount("error") === 0) pool.on("error", () => {});
  return brandExecutor({
    driver: "pg",
    query: async <R extends Row>(text: string, parameters?: readonly Parameter[]) => {
      try {
        return lastRows<R>(await pool.query(text, parameters && [...parameters]));
      } catch (error) {
        throw named(error);
      }
    },
    transaction: (work) => pin(pool, (pinned) => inTransaction(pinned, work)),
    session: (work) =>
      pin(pool, (pinned) => {
        const session: Session = {
          connectPid: pinned.connectPid,
          query: pinned.query,
          transaction: (inner) => inTransaction(pinned, inner),
          withSettings: (settings, inner) =>
            withSettings(pinned, settings, inner, () => pinned.destroy()),
        };
        return work(session);
      }),
  });
}

interface Pinned extends Queryable {
  readonly connectPid: number | undefined;
  destroy(): void;
}

/** Checks a client out, listens to its end, and destroys it instead of returning it when it is lost. */
async function pin<T>(pool: PgPoolLike, work: (pinned: Pinned) => Promise<T>): Promise<T> {
  const client = await pool.connect().catch((error: unknown) => {
    throw named(error);
  });
  let lost: { readonly cause: unknown } | undefined;
  const onError = (cause: Error) => (lost ??= { cause });
  client.on("error", onError);
  const pinned: Pinned = {
    connectPid: client.processID ?? undefined,
    query: async <R extends Row>(text: string, parameters?: readonly Parameter[]) => {
      if (lost !== undefined) throw new ConnectionLost(lost.cause);
      try {
        return lastRows<R>(await client.query(text, parameters && [...parameters]));
      } catch (error) {
        const known = named(error);
        if (isConnectionError(known)) lost ??= { cause: error };
        throw known;
      }
    },
    destroy: () => (lost ??= { cause: new Error("destroyed: its state could not be taken back") }),
  };
  try {
    return await work(pinned);
  } finally {
    client.removeListener("error", onError);
    // The pool listens from here on.
    client.release(lost !== undefined);
  }
}

async function inTransaction<T>(
  pinned: Pinned,
  work: (transaction: Queryable) => Promise<T>,
): Promise<T> {
  await pinned.query("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE");
  try {
    const result = await work({ query: pinned.query });
    await pinned.query("COMMIT");
    return result;
  } catch (error) {
    // A connection that cannot roll back holds a transaction that nobody will end.
    if (!isConnectionError(error)) await pinned.query("ROLLBACK").catch(() => pinned.destroy());
    throw error;
  }
}

/** Several statements in one text come back as a list of results. */
function lastRows<R extends Row>(result: PgResult | readonly PgResult[]): readonly R[] {
  const last = Array.isArray(result) ? (result as readonly PgResult[]).at(-1) : result;
  return ((last as PgResult | undefined)?.rows ?? []) as readonly R[];
}

/** node-postgres says in words only that a connection is gone. */
const LOST_WORDS = /Connection terminated|not queryable|Client was closed|timeout exceeded when trying to connect/;

function named(error: unknown): unknown {
  const words = error instanceof Error && !("code" in error) ? error.message : "";
  return LOST_WORDS.test(words) ? new ConnectionLost(error) : error;
}
