/** What is thrown when a connection is gone; {@link isConnectionError} knows its code. */
export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
  readonly code = "CONNECTION_LOST";

  constructor(cause?: unknown) {
    super("the connection to the database was lost", cause === undefined ? undefined : { cause });
  }
}
