/**
 * The one error that underpin throws, and how to read the errors of others.
 *
 * underpin throws on misuse and refusal only: a run that fails is a Report.
 */

/** Every reason for which underpin throws. Closed: a new reason is a new code. */
export type ErrorCode =
  /** A value handed in is not what the function takes. */
  | "invalidInput"
  /** A definition says what PostgreSQL cannot do, or what would not be safe. */
  | "invalidDefinition"
  /** The database handle cannot serve (a transaction, a lone client, a mock, …). */
  | "unsupportedDatabase"
  /** The server cannot serve: too old, read-only, or behind a pooler that breaks the step. */
  | "unsupportedServer"
  /** No connection could be made, or it was lost for good. */
  | "connection"
  /** The login lacks a right that the work needs. */
  | "missingRight"
  /** The embedded database refused a statement that would hang it, or lost one. */
  | "embeddedLimit"
  /** A run of this name holds other content. */
  | "planChanged"
  /** There is no run of this name. */
  | "unknownRun"
  /** The run is in a state in which this cannot be done. */
  | "runState"
  /** A step that cannot be taken back stands in the way of an undo. */
  | "irreversible"
  /** The plan calls a handler that was not handed over. */
  | "missingHandler"
  /** A step would take more locks than the server's lock table can spare. */
  | "lockBudget"
  /** Row security would hide rows from a step. */
  | "rowSecurity"
  /** Row security does not hold the login that an application works with. */
  | "unsafeLogin"
  /** The predecessor's backend cannot be seen or signalled, so it may be alive. */
  | "leaseUnknown"
  /** Another process took the run over. */
  | "leaseLost"
  /** The catalog is not as the step needs it, and only a person can tell what is right. */
  | "inDoubt"
  /** No lock could be had, or held no longer, within the limits. */
  | "blocked"
  /** A query whose result must hold a fact did not. */
  | "checkFailed"
  /** Rows that a backfill could not change were set aside. */
  | "rowsFailed"
  /** A folder of migrations, or a file in it, cannot be run as it is. */
  | "migrationFolder"
  /** What the ledger has as applied is not what the folder has. */
  | "migrationLedger";

/** What an {@link UnderpinError} is made of. */
export interface ErrorDetails {
  readonly code: ErrorCode;
  /** What happened, where, with which value. */
  readonly message: string;
  /** The next command or code to paste. */
  readonly hint: string;
  readonly cause?: unknown;
}

const BRAND: unique symbol = Symbol.for("underpin.error") as never;

/** The error underpin throws. Recognise it with {@link isUnderpinError}, never with `instanceof`. */
export class UnderpinError extends Error {
  readonly [BRAND] = true;
  override readonly name = "UnderpinError";
  readonly code: ErrorCode;
  readonly hint: string;

  constructor({ code, message, hint, cause }: ErrorDetails) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.hint = hint;
  }
}

/**
 * Whether a value is an {@link UnderpinError}, also one that was made by another copy of this package.
 *
 * ESM and CJS builds may live in one process: drizzle-kit loads the CJS one.
 */
export function isUnderpinError(value: unknown): value is UnderpinError {
  return typeof value === "object" && value !== null && BRAND in value;
}

/** Any thrown value as an Error. */
export function toError(value: unknown): Error {
  return value instanceof Error ? value : new Error(String(value));
}

/**
 * The SQLSTATE of an error, looked for along its `cause` chain.
 *
 * Drizzle wraps what its driver throws; the driver's `code` is a SQLSTATE only if it has five characters.
 */
export function sqlStateOf(error: unknown): string | undefined {
  for (
    let at: unknown = error, depth = 0;
    typeof at === "object" && at !== null && depth < 10;
    at = (at as { cause?: unknown }).cause, depth++
  ) {
    const { code } = at as { code?: unknown };
    if (typeof code === "string" && /^[0-9A-Z]{5}$/.test(code)) return code;
  }
  return undefined;
}

/** Lock wait timed out, deadlock, serialisation failure: nothing is wrong but the moment. */
const RETRYABLE = new Set(["55P03", "40P01", "40001"]);

/** Whether the same statement may succeed a little later. */
export function isRetryable(error: unknown): boolean {
  const state = sqlStateOf(error);
  return state !== undefined && RETRYABLE.has(state);
}

/** Administrator, crash, not yet accepting, idle-in-transaction and idle-session timeout, transaction timeout. */
const CONNECTION_ENDED = new Set(["57P01", "57P02", "57P03", "57P05", "25P03", "25P04"]);

/** What the drivers, the sockets and we ourselves say without a SQLSTATE when the connection is gone. */
const CONNECTION_CODES = new Set([
  "connection",
  "CONNECTION_CLOSED",
  "CONNECTION_ENDED",
  "CONNECTION_DESTROYED",
  "CONNECTION_LOST",
  "CONNECT_TIMEOUT",
  "EAI_AGAIN",
  "ECONNABORTED",
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOENT",
  "ENOTFOUND",
  "EPIPE",
  "ETIMEDOUT",
]);

/** Whether the connection, and not the statement, failed: what became of the transaction is unknown. */
export function isConnectionError(error: unknown): boolean {
  for (
    let at: unknown = error, depth = 0;
    typeof at === "object" && at !== null && depth < 10;
    at = (at as { cause?: unknown }).cause, depth++
  ) {
    const { code } = at as { code?: unknown };
    if (typeof code !== "string") continue;
    if (CONNECTION_CODES.has(code) || CONNECTION_ENDED.has(code) || code.startsWith("08"))
      return true;
  }
  return false;
}
