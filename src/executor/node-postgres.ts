import { isConnectionError } from "../errors.ts";
import { inSession, inTransaction, type Connection } from "./connection.ts";
import { brandExecutor, type Executor, type Parameter, type Row } from "./executor.ts";
import { connectionLost, noConnection } from "./lost.ts";
import { toRows, toTexts, type Answer } from "./values.ts";

/** What is used of a node-postgres pool. */
export interface PgPoolLike {
  connect(): Promise<PgClient>;
  listenerCount(event: "error"): number;
  on(event: "error", listener: () => void): unknown;
}

interface PgClient {
  readonly processID?: number | null;
  query(config: QueryConfig): Promise<Result | readonly Result[]>;
  on(event: "error", listener: (error: unknown) => void): unknown;
  removeListener(event: "error", listener: (error: unknown) => void): unknown;
  release(destroy: boolean): void;
}

interface QueryConfig {
  readonly text: string;
  readonly values?: readonly (string | null)[];
  readonly rowMode: "array";
  readonly types: { getTypeParser(): (text: string) => string };
}

interface Result {
  readonly command: string | null;
  readonly fields: readonly { readonly name: string; readonly dataTypeID: number }[];
  readonly rows: readonly (readonly (string | null)[])[];
}

/** An executor over a node-postgres pool. */
export function fromNodePostgres(pool: PgPoolLike): Executor {
  // An idle connection that dies is reported as an "error" event of the pool, and Node ends the process when nobody
  // listens, though the pool has already dropped that connection and nothing is lost.
  if (pool.listenerCount("error") === 0) pool.on("error", () => undefined);
  return brandExecutor({
    driver: "pg",
    async query<R extends Row>(text: string, parameters: readonly Parameter[] = []) {
      // Not pool.query: it closes the connection after every failed statement, lock timeouts included.
      const { send, release } = await pin(pool);
      try {
        return (await send(text, parameters)).rows as readonly R[];
      } finally {
        release();
      }
    },
    async transaction(work) {
      const connection = await pin(pool);
      return inTransaction(connection, connection.finish, work);
    },
    async session(work) {
      return inSession(await pin(pool), work);
    },
  });
}

const TEXT = { getTypeParser: () => (text: string) => text };

/** Whether no transaction is open: in one, now() is older than the statement; in a failed one this fails. */
const IS_IDLE = "SELECT pg_catalog.now() = pg_catalog.statement_timestamp() AS idle";

interface PinnedConnection extends Connection {
  /** Gives the connection back, or drops it when it is lost. */
  readonly release: () => void;
}

async function pin(pool: PgPoolLike): Promise<PinnedConnection> {
  const client = await pool.connect().catch((error: unknown) => {
    throw noConnection(error);
  });
  let lost: unknown;
  let used = false;
  let released = false;
  const release = () => {
    if (released) return;
    released = true;
    // A lost client must be dropped: the pool would hand it out again. It listens itself before we stop.
    client.release(lost !== undefined);
    client.removeListener("error", lose);
  };
  // An "error" event that nobody listens to ends the process. A lost client leaves its place in the pool at once.
  const lose = (error: unknown) => {
    lost ??= error;
    release();
  };
  client.on("error", lose);
  const send = async (text: string, parameters: readonly Parameter[] = []): Promise<Answer> => {
    if (lost !== undefined) throw connectionLost(lost);
    used = true;
    const values = toTexts(parameters);
    const config = { text, rowMode: "array", types: TEXT } as const;
    try {
      return answerOf(await client.query(values.length === 0 ? config : { ...config, values }));
    } catch (error) {
      // What the driver says of a lost connection itself has no code.
      if (lost !== undefined && !isConnectionError(error)) throw connectionLost(error);
      if (isConnectionError(error)) lose(error);
      throw error;
    }
  };
  return {
    connectPid: client.processID ?? undefined,
    send,
    async finish(text) {
      if (text !== "") return send(text).finally(release);
      if (used && (await send(IS_IDLE)).rows[0]?.["idle"] !== true)
        lose(new Error("a transaction was left open on it"));
      release();
      return { command: undefined, rows: [] };
    },
    destroy: () => lose(new Error("it was closed, since it could not be made clean")),
    release,
  };
}

function answerOf(answered: Result | readonly Result[]): Answer {
  const results: readonly Result[] = Array.isArray(answered) ? answered : [answered as Result];
  const rows = results.findLast(({ fields }) => fields.length > 0);
  const columns = (rows?.fields ?? []).map(({ name, dataTypeID }) => ({ name, type: dataTypeID }));
  return {
    command: results.at(-1)?.command ?? undefined,
    rows: toRows(columns, rows?.rows ?? []),
  };
}
