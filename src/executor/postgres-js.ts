import { isConnectionError } from "../errors.ts";
import { inSession, inTransaction, type Connection } from "./connection.ts";
import { brandExecutor, type Executor, type Parameter, type Row } from "./executor.ts";
import { connectionLost } from "./lost.ts";
import { toRows, toTexts, type Answer, type Column } from "./values.ts";

/** What is used of a postgres.js client. */
export interface PostgresJsLike {
  readonly options: unknown;
  typed(value: string | null, type: number): unknown;
  unsafe(text: string, parameters: readonly unknown[], options?: QueryOptions): Query;
}

interface QueryOptions {
  /** Called as soon as the query is handed to a connection, if that has room for more. */
  readonly onexecute?: (this: void, wire: Wire) => boolean;
}

interface Query extends Promise<Result | readonly Result[]> {
  handler: (query: Query) => void;
  readonly state: { readonly pid: number | null } | null;
  raw(): Query;
  reject(error: unknown): void;
}

interface Result extends ReadonlyArray<readonly (Uint8Array | null)[]> {
  readonly command?: string;
  readonly columns?: readonly Column[];
}

/** The driver's own connection. Its `sql.begin` pins one with these very members. */
interface Wire {
  /** Called when all that was sent is answered. Without `release` the driver takes the connection back by itself when idle. */
  reserved: Reserved | null;
  onclose: ((error: unknown) => void) | null;
  /** Sends, and says whether the next query may follow before the answer. */
  execute(query: Query): boolean;
  terminate(): void;
}

type Reserved = (() => void) & { release?: boolean };

/** `unknown`: the server finds the type from the cast, and no serialiser of the client touches the text. */
const UNKNOWN = 705;

/**
 * An executor over a postgres.js client.
 *
 * Neither `sql.begin` nor `sql.reserve` is used, for what they do when a connection is lost (3.4.9): both go on writing to
 * it, which throws outside of any promise or runs on a new backend; `reserve` leaves its request behind when no
 * connection can be made, and a later connection is lost to it; and it never returns under `fetch_types: false`.
 */
export function fromPostgresJs(sql: PostgresJsLike): Executor {
  return brandExecutor({
    driver: "postgres.js",
    query: async <R extends Row>(text: string, parameters: readonly Parameter[] = []) =>
      (await answerOf(newQuery(sql, text, parameters))).rows as readonly R[],
    async transaction(work) {
      const connection = await pin(sql);
      return inTransaction(connection, connection.finish, work);
    },
    async session(work) {
      return inSession(await pin(sql), work);
    },
  });
}

function newQuery(sql: PostgresJsLike, text: string, parameters: readonly Parameter[]): Query {
  const values = toTexts(parameters).map((value) => sql.typed(value, UNKNOWN));
  return sql.unsafe(text, values).raw();
}

async function answerOf(query: Query): Promise<Answer> {
  try {
    const answered = await query;
    const results = isMany(answered) ? answered : [answered];
    const last = results.at(-1);
    const rows = (last ?? []).map((row) =>
      row.map((value) => (value === null ? null : Buffer.from(value).toString())),
    );
    return { command: last?.command, rows: toRows(last?.columns ?? [], rows) };
  } catch (error) {
    if (isConnectionError(error)) await nextTurn();
    throw error;
  }
}

/** Only a single result has `columns` itself; several come as an array of results. */
function isMany(answered: Result | readonly Result[]): answered is readonly Result[] {
  return !("columns" in answered) && !("command" in answered) && answered.length > 0;
}

/**
 * Lets the other connections that died in the same moment find out.
 *
 * postgres.js drops a write that it has put off when the socket closes, and then never writes on that connection again, so
 * that a query sent in the same turn of the event loop makes a connection useless for ever.
 */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/**
 * Takes one connection out of the pool.
 *
 * An empty query goes through the pool, and the connection that it is handed to is kept from then on, before the answer. A
 * connection with a full pipeline does not hand itself out: then the next try gets another place.
 */
async function pin(sql: PostgresJsLike): Promise<Connection> {
  for (;;) {
    const connection = await new Promise<Connection | undefined>((resolve, reject) => {
      const probe = sql.unsafe("", [], {
        onexecute(wire) {
          resolve(pinned(sql, wire, probe.state?.pid ?? undefined));
          return false;
        },
      });
      answerOf(probe).then(() => resolve(undefined), reject);
    });
    if (connection !== undefined) return connection;
  }
}

function pinned(sql: PostgresJsLike, wire: Wire, connectPid: number | undefined): Connection {
  let lost: unknown;
  let free = false;
  const waiting: Query[] = [];
  const flying = new Set<Query>();

  const reserved: Reserved = () => {
    free = true;
    while (free && waiting.length > 0) execute(waiting.shift()!);
  };
  reserved.release = true;
  wire.reserved = reserved;
  wire.onclose = lose;

  function lose(error: unknown): void {
    lost ??= error;
    for (const query of [...waiting.splice(0), ...flying]) query.reject(error);
  }

  let last: Query | undefined;
  function execute(query: Query): void {
    // From here on the driver takes the connection back when it has answered and is idle.
    if (query === last) reserved.release = false;
    free = wire.execute(query);
  }

  async function run(query: Query): Promise<Answer> {
    // The driver calls this in a later microtask; here, in the same turn as the write, nothing can happen in between.
    query.handler = () => {
      if (lost !== undefined) query.reject(connectionLost(lost));
      else if (free) execute(query);
      else waiting.push(query);
    };
    flying.add(query);
    try {
      return await answerOf(query);
    } finally {
      flying.delete(query);
    }
  }

  return {
    connectPid,
    send: (text, parameters = []) => run(newQuery(sql, text, parameters)),
    async finish(text) {
      last = newQuery(sql, text, []);
      try {
        return await run(last);
      } finally {
        if (wire.reserved === reserved) this.destroy();
        if (wire.onclose === lose) wire.onclose = null;
      }
    },
    destroy() {
      if (lost !== undefined || wire.reserved !== reserved) return;
      lose(new Error("it was closed, since it could not be made clean"));
      // After the driver's own writes of this turn: see nextTurn.
      setImmediate(() => {
        if (wire.reserved === reserved) wire.terminate();
      });
    },
  };
}
