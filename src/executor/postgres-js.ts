import { inSession, inTransaction } from "./connection.ts";
import { brandExecutor, type Executor, type Parameter, type Row } from "./executor.ts";
import type { PostgresJsLike } from "./postgres-js-client.ts";
import { pinPostgresJs } from "./postgres-js-pin.ts";
import { answerOf, isLeftOver, newQuery } from "./postgres-js-query.ts";

/**
 * An executor over a postgres.js client.
 *
 * Neither `sql.begin` nor `sql.reserve` is used (3.4.9). A reserved connection that was lost is written to all the same, which
 * throws outside of any promise or runs on another backend; `reserve` never returns under `fetch_types: false`; and
 * `begin` waits for an answer to BEGIN before the first statement.
 */
export function fromPostgresJs(sql: PostgresJsLike): Executor {
  return brandExecutor({
    driver: "postgres.js",
    async query<R extends Row>(text: string, parameters: readonly Parameter[] = []) {
      for (let tries = 0; ; tries++) {
        const query = newQuery(sql, text, parameters);
        try {
          return (await answerOf(query)).rows as readonly R[];
        } catch (error) {
          if (!isLeftOver(sql, query, error, tries)) throw error;
        }
      }
    },
    async transaction(work) {
      const connection = await pinPostgresJs(sql);
      return inTransaction(connection, connection.finish, work);
    },
    async session(work) {
      return inSession(await pinPostgresJs(sql), work);
    },
  });
}
