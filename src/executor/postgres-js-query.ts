import { isConnectionError, sqlStateOf } from "../errors.ts";
import type { Parameter } from "./executor.ts";
import type { PostgresJsLike, Query, Result } from "./postgres-js-client.ts";
import { toRows, toTexts, type Answer } from "./values.ts";

/** `unknown`: the server finds the type from the cast, and no serialiser of the client touches the text. */
const UNKNOWN = 705;

/** A query that no type of the client, its Drizzle wrapper or its host changes. */
export function newQuery(
  sql: PostgresJsLike,
  text: string,
  parameters: readonly Parameter[],
): Query {
  const values = toTexts(parameters).map((value) => sql.typed(value, UNKNOWN));
  return sql.unsafe(text, values).raw();
}

/** Sends a query, and reads the last result that has rows. */
export async function answerOf(query: Query): Promise<Answer> {
  try {
    const answered = await query;
    const result = isOne(answered) ? answered : answered.at(-1);
    const rows = (result ?? [])
      // A connection that was lost in the middle of a result leaves a gap at the head of the next one.
      .filter((row) => row !== undefined)
      .map((row) => row.map((value) => (value === null ? null : Buffer.from(value).toString())));
    return { command: result?.command, rows: toRows(result?.columns ?? [], rows) };
  } catch (error) {
    if (isConnectionError(error)) await nextTurn();
    throw error;
  }
}

function isOne(answered: Result | readonly Result[]): answered is Result {
  return "columns" in answered;
}

/**
 * Lets the other connections that died in the same moment find out.
 *
 * postgres.js (3.4.9) forgets a write that it has put off when the socket closes, and then never writes on that connection
 * again: a query sent in the same turn of the event loop would make the connection useless for ever.
 */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/**
 * Whether a failed query met the last words of an earlier backend, so that it may simply be sent again.
 *
 * postgres.js (3.4.9) keeps the FATAL error of a backend that ended under a statement, and rejects with it the first query
 * that waits for the new connection in its place. That query was never handed to a backend.
 */
export function isLeftOver(
  sql: PostgresJsLike,
  query: Query,
  error: unknown,
  tries: number,
): boolean {
  return (
    query.state === null &&
    isConnectionError(error) &&
    sqlStateOf(error) !== undefined &&
    tries <= sql.options.max
  );
}
