import { isConnectionError, sqlStateOf, toError, UnderpinError } from "../errors.ts";

/** The error of whoever uses a connection that is gone. */
export function connectionLost(cause: unknown): UnderpinError {
  return new UnderpinError({
    code: "connection",
    message: `the connection was lost: ${toError(cause).message}`,
    hint: "What it had not committed is rolled back. Call the same function again: it goes on from what was recorded.",
    cause,
  });
}

/** The error of whoever could not get a connection. */
export function noConnection(cause: unknown): unknown {
  // The server's own word (wrong password, no such database) and an error that says it is a lost connection stay as they are.
  if (sqlStateOf(cause) !== undefined || isConnectionError(cause)) return cause;
  return new UnderpinError({
    code: "connection",
    message: `no connection to the database: ${toError(cause).message}`,
    hint: "Check that the server is up, that its address is right, and that the pool has a connection to spare.",
    cause,
  });
}

/** The error of whoever uses a transaction or session after its work returned. */
export function isOver(what: "transaction" | "session"): UnderpinError {
  return new UnderpinError({
    code: "invalidInput",
    message: `a query was sent through a ${what} that is over`,
    hint: `Await each query before the work of the ${what} returns.`,
  });
}

/** The error of whoever begins a transaction on a session that is in one. */
export function nestedTransaction(): UnderpinError {
  return new UnderpinError({
    code: "invalidInput",
    message: "a transaction was begun on a session that is in a transaction",
    hint: "Use the transaction that is open, or a SAVEPOINT in it.",
  });
}
