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

/** The part of a postgres.js client that is used here. */
export interface PostgresJsLike {
  unsafe(
    text: string,
    parameters?: Parameter[],
    options?: object,
  ): PromiseLike<readonly Row[] & { readonly state?: { readonly pid?: number | null } }>;
  begin: unknown;
  reserve(): Promise<PinnedLike>;
}

interface PinnedLike extends Pick<PostgresJsLike, "unsafe"> {
  release(): void;
}

/** postgres.js' own connection object, as its `onexecute` option hands it out. */
interface RawConnection {
  onclose: ((error: unknown) => void) | null;
  terminate(): void;
}

/** Adapts a postgres.js client. */
export function fromPostgresJs(sql: PostgresJsLike): Executor {
  return brandExecutor({
    driver: "postgres.js",
    query: async <R extends Row>(text: string, parameters?: readonly Parameter[]) =>
      lastRows<R>(await sql.unsafe(text, parameters === undefined ? [] : [...parameters])),
    transaction: (work) => pin(sql, (pinned) => inTransaction(pinned, work)),
    session: (work) =>
      pin(sql, async (pinned) => {
        await pinned.query("SELECT 1");
        const session: Session = {
          connectPid: pinned.pid(),
          query: pinned.query,
          transaction: (inner) => inTransaction(pinned, inner),
          withSettings: (settings, inner) =>
            withSettings(pinned, settings, inner, () => pinned.destroy()),
        };
        return work(session);
      }),
  });
}

/** A connection of our own. Once it is lost it refuses: postgres.js would write to a socket that is null. */
interface Pinned extends Queryable {
  pid(): number | undefined;
  destroy(): void;
}

/**
 * Reserves a connection, and tells at once when it closes.
 *
 * `sql.begin` answers a connection that dies inside with a ROLLBACK on it, and `release` puts a dead connection back among the
 * open ones: either way the next write throws outside any promise (3.4.9). So transactions are made by hand, nothing is
 * written after the end, and only a living connection is released: a dead one has left the reserved ones by itself.
 */
async function pin<T>(sql: PostgresJsLike, work: (pinned: Pinned) => Promise<T>): Promise<T> {
  const reserved = await sql.reserve();
  let connection: RawConnection | undefined;
  let pid: number | undefined;
  let lost: { readonly cause: unknown } | undefined;
  const onexecute = (raw: RawConnection) => {
    connection = raw;
    raw.onclose = (cause) => (lost ??= { cause });
    return true;
  };
  const pinned: Pinned = {
    pid: () => pid,
    query: async <R extends Row>(text: string, parameters?: readonly Parameter[]) => {
      if (lost !== undefined) throw new ConnectionLost(lost.cause);
      const options = connection === undefined ? { onexecute } : {};
      try {
        const result = await reserved.unsafe(text, parameters ? [...parameters] : [], options);
        pid ??= pidOf(result);
        return lastRows<R>(result);
      } catch (error) {
        // A FATAL answer comes before its socket closes: nothing may be written in between.
        if (isConnectionError(error)) lost ??= { cause: error };
        throw error;
      }
    },
    destroy: () => {
      lost ??= { cause: new Error("destroyed: its settings could not be taken back") };
      connection?.terminate();
    },
  };
  try {
    return await work(pinned);
  } finally {
    if (connection !== undefined) connection.onclose = null;
    if (lost === undefined) reserved.release();
  }
}

async function inTransaction<T>(
  pinned: Pinned,
  work: (transaction: Queryable) => Promise<T>,
): Promise<T> {
  // Not awaited: the first statement of the work follows in the same pipeline, and fails too should this one fail.
  const begun = pinned.query("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE");
  begun.catch(() => {});
  try {
    const result = await work({ query: pinned.query });
    await begun;
    await pinned.query("COMMIT");
    return result;
  } catch (error) {
    // A connection that cannot roll back holds a transaction that nobody will end.
    if (!isConnectionError(error)) await pinned.query("ROLLBACK").catch(() => pinned.destroy());
    throw error;
  }
}

/** Several statements in one text come back as a list of results. */
function lastRows<R extends Row>(result: readonly unknown[]): readonly R[] {
  return (Array.isArray(result[0]) ? result.at(-1) : result) as readonly R[];
}

function pidOf(result: unknown): number | undefined {
  const single = Array.isArray(result) && Array.isArray(result[0]) ? (result[0] as object) : result;
  return (single as { state?: { pid?: number | null } }).state?.pid ?? undefined;
}
