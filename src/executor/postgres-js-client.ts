import type { Column } from "./values.ts";

/** What is used of a postgres.js client. */
export interface PostgresJsLike {
  readonly options: { readonly max: number };
  typed(value: string | null, type: number): unknown;
  unsafe(text: string, parameters: readonly unknown[], options?: QueryOptions): Query;
}

interface QueryOptions {
  /** Called as soon as the query is handed to a connection, if that has room for more. */
  readonly onexecute?: (this: void, wire: Wire) => boolean;
}

/** A query of postgres.js: a promise that is sent by `handler` when it is first awaited. */
export interface Query extends Promise<Result | readonly Result[]> {
  handler: (query: Query) => void;
  /** The backend that it was sent to; null before that. */
  readonly state: { readonly pid: number | null } | null;
  raw(): Query;
  reject(error: Error): void;
}

/** One result; several statements in one text give an array of them. */
export interface Result extends ReadonlyArray<readonly (Uint8Array | null)[]> {
  readonly command: string | undefined;
  readonly columns: readonly Column[] | undefined;
}

/** The driver's own connection. Its `sql.begin` pins one by these very members. */
export interface Wire {
  /** Called when all that was sent is answered. */
  reserved: Reserved | null;
  onclose: ((error: Error) => void) | null;
  /** Sends, and says whether the next query may follow before the answer. */
  execute(query: Query): boolean;
  terminate(): void;
}

/** Without `release` the driver takes the connection back when all is answered and no transaction is open. */
export type Reserved = (() => void) & { release?: boolean };
