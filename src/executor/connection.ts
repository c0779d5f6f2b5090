import type { Parameter, Queryable, Row, Session } from "./executor.ts";
import { isOver, nestedTransaction } from "./lost.ts";
import { alterSettings } from "./settings.ts";
import type { Answer } from "./values.ts";

/** One connection of a driver's pool, pinned. */
export interface Connection {
  readonly connectPid: number | undefined;
  /** Queues a text. Once the connection is lost it rejects, and never runs on another one. */
  readonly send: (text: string, parameters?: readonly Parameter[]) => Promise<Answer>;
  /** Sends the last text and gives the connection back; destroys it when a transaction is left open on it. */
  readonly finish: (text: string) => Promise<Answer>;
  /** Closes the connection, so that nobody uses it again. */
  readonly destroy: () => void;
}

/** Isolation and access mode are named, since a role or database may have other defaults. */
export const BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

/** Runs `work` in a transaction of a connection, whose last text goes through `end`. */
export async function inTransaction<T>(
  connection: Connection,
  end: (text: string) => Promise<Answer>,
  work: (transaction: Queryable) => Promise<T>,
): Promise<T> {
  const opening = openTransaction(connection);
  let result: T;
  try {
    result = await work(opening.transaction);
  } catch (error) {
    // The work's own failure is the news. A connection that cannot roll back is closed, which rolls back.
    await end(await opening.close("ROLLBACK")).catch(() => connection.destroy());
    throw error;
  }
  const { command } = await end(await opening.close("COMMIT"));
  // COMMIT of a failed transaction rolls back and is no error.
  if (command === "ROLLBACK") throw opening.failure();
  return result;
}

interface OpenTransaction {
  readonly transaction: Queryable;
  /** Refuses further queries; the text that ends what was begun, if anything was. */
  close(text: string): Promise<string>;
  /** The first failure inside. */
  failure(): unknown;
}

/**
 * A transaction that begins with its first query, in the same message, which saves a round trip.
 *
 * Only a text without parameters can hold two statements. BEGIN is never sent ahead unanswered: were it refused (a standby
 * refuses READ WRITE), what follows would run and commit by itself. In one message nothing follows an error.
 */
function openTransaction(connection: Connection): OpenTransaction {
  let begun: Promise<unknown> | undefined;
  let over = false;
  let failure: unknown;

  async function first(text: string, parameters: readonly Parameter[]): Promise<Answer> {
    if (parameters.length > 0) {
      begun = connection.send(BEGIN);
      await begun;
      return connection.send(text, parameters);
    }
    const prefix = `${BEGIN};\n`;
    const answer = connection.send(prefix + text).catch((error: unknown) => {
      throw shiftPosition(error, prefix.length);
    });
    begun = answer;
    return answer;
  }

  async function send(text: string, parameters: readonly Parameter[]): Promise<Answer> {
    if (over) throw isOver("transaction");
    try {
      if (begun === undefined) return await first(text, parameters);
      await begun;
      return await connection.send(text, parameters);
    } catch (error) {
      failure ??= error;
      throw error;
    }
  }

  return {
    transaction: {
      query: async <R extends Row>(text: string, parameters: readonly Parameter[] = []) =>
        (await send(text, parameters)).rows as readonly R[],
    },
    async close(text) {
      over = true;
      if (begun === undefined) return "";
      // Its failure was given to whoever sent it.
      await begun.catch(() => undefined);
      return text;
    },
    failure: () => failure ?? new Error("the transaction was rolled back instead of committed"),
  };
}

/** Takes what was put before a text out of the place that the server's error names in it. */
function shiftPosition(error: unknown, by: number): unknown {
  const at = error as { position?: unknown };
  if (typeof error === "object" && error !== null && Number(at.position) > by)
    at.position = String(Number(at.position) - by);
  return error;
}

/** Runs `work` with a connection as its session. Then the connection goes back, or is closed if it is no longer clean. */
export async function inSession<T>(
  connection: Connection,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  let over = false;
  let inside = false;
  const query = async <R extends Row>(text: string, parameters: readonly Parameter[] = []) => {
    if (over) throw isOver("session");
    return (await connection.send(text, parameters)).rows as readonly R[];
  };
  const session: Session = {
    connectPid: connection.connectPid,
    query,
    async transaction(inner) {
      if (over) throw isOver("session");
      if (inside) throw nestedTransaction();
      inside = true;
      try {
        return await inTransaction(connection, (text) => connection.send(text), inner);
      } finally {
        inside = false;
      }
    },
    async withSettings(settings, inner) {
      const restore = await alterSettings({ query }, settings);
      try {
        return await inner();
      } finally {
        // What could not be taken back goes away with its connection.
        await restore().catch(() => connection.destroy());
      }
    },
  };
  try {
    return await work(session);
  } finally {
    over = true;
    // The work is done: that the connection was lost after it, or was left in a transaction, is no failure of it.
    await connection.finish("").catch(() => connection.destroy());
  }
}
