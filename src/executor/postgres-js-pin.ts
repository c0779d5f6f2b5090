import { toError } from "../errors.ts";
import type { Connection } from "./connection.ts";
import { connectionLost, noConnection } from "./lost.ts";
import type { PostgresJsLike, Query, Reserved, Wire } from "./postgres-js-client.ts";
import { answerOf, isLeftOver, newQuery } from "./postgres-js-query.ts";
import type { Answer } from "./values.ts";

/** Full pipelines that are waited out, each for the answer to a whole pipeline. */
const MOST_TRIES = 1_000;

/**
 * Takes one connection out of the pool of a postgres.js client.
 *
 * A query that does nothing goes through the pool, and the connection that it is handed to is kept from then on, before the
 * answer. A connection with a full pipeline does not hand itself out: then the next try gets another place.
 */
export async function pinPostgresJs(sql: PostgresJsLike): Promise<Connection> {
  for (let tries = 0; ; tries++) {
    const connection = await new Promise<Connection | undefined>((resolve, reject) => {
      const probe = sql.unsafe("", [], {
        onexecute(wire) {
          resolve(pinned(sql, wire, probe.state?.pid ?? undefined));
          return false;
        },
      });
      answerOf(probe.raw()).then(
        () => resolve(undefined),
        (error: unknown) => {
          if (isLeftOver(sql, probe, error, tries)) resolve(undefined);
          else reject(toError(error));
        },
      );
    });
    if (connection !== undefined) return connection;
    if (tries === MOST_TRIES) throw noConnection(new Error("every connection is busy"));
  }
}

function pinned(sql: PostgresJsLike, wire: Wire, connectPid: number | undefined): Connection {
  let lost: Error | undefined;
  let last: Query | undefined;
  // What hands itself out has room for more, so that the first queries travel with the one that found it.
  let free = true;
  const waiting: Query[] = [];
  const flying = new Set<Query>();

  const reserved: Reserved = () => {
    free = true;
    while (free && waiting.length > 0) execute(waiting.shift()!);
  };
  reserved.release = true;
  wire.reserved = reserved;
  wire.onclose = lose;

  function lose(error: Error): void {
    lost ??= error;
    waiting.length = 0;
    for (const query of flying) query.reject(error);
  }

  function execute(query: Query): void {
    if (query === last) reserved.release = false;
    free = wire.execute(query);
  }

  async function run(query: Query): Promise<Answer> {
    // The driver calls this in a microtask after ours, and `execute` writes at once: no socket can close in between.
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

  function destroy(): void {
    if (lost !== undefined || wire.reserved !== reserved) return;
    lose(new Error("it was closed, since it could not be made clean"));
    // After the driver's own writes of this turn, which it must not lose.
    setImmediate(() => {
      if (wire.reserved === reserved) wire.terminate();
    });
  }

  return {
    connectPid,
    send: (text, parameters = []) => run(newQuery(sql, text, parameters)),
    async finish(text) {
      last = newQuery(sql, text, []);
      try {
        return await run(last);
      } finally {
        // Still here: a transaction is open on it.
        destroy();
        if (wire.onclose === lose) wire.onclose = null;
      }
    },
    destroy,
  };
}
