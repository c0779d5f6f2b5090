import { literal } from "../sql/quote.ts";
import type { RunContext } from "./context.ts";

/** Where row security would hide rows from us, that is an error until a step has been found to see them all. */
const ROWS_OR_ERROR = "pg_catalog.set_config('row_security', 'off', true)";

/** How long one of our transactions may sit idle when it holds nothing that makes writers wait. */
const IDLE_WEAK_MS = 60_000;

/** How much of the lock timeout one lock wait may use: less than the hold limit, so that 55P03 tells it from a slow statement. */
const LOCK_WAIT_SHARE = 0.9;

/** The rest of the lock timeout is for the server to notice, to roll back, and to wake who waits. */
const HOLD_SHARE = 0.95;

/** How long one transaction may wait for and hold locks that make writers wait. */
export function holdLimitMs({ lockTimeoutMs }: RunContext["settings"]): number {
  return lockTimeoutMs * HOLD_SHARE;
}

/**
 * The settings of one transaction, as one SELECT to send first in it.
 *
 * `lock_timeout` counts for each lock, not for a statement, so that a statement which locks ten tables could wait ten times.
 * Where locks make writers wait, `statement_timeout` bounds waiting and holding together. An idle limit gives the locks
 * back when our own process is frozen. All of it is `SET LOCAL`: the role's own limits return at the end, also behind a
 * transaction pooler.
 */
export function transactionSettingsSql(
  { executor, settings, versionNum }: Pick<RunContext, "executor" | "settings" | "versionNum">,
  { statementMs, blocking }: { readonly statementMs: number; readonly blocking: boolean },
): string {
  const limit = settings.lockTimeoutMs;
  const values: Record<string, number> = {
    lock_timeout: Math.max(1, Math.round(limit * LOCK_WAIT_SHARE)),
    statement_timeout: statementMs,
  };
  // PGlite spins for ever when one of its idle limits expires, and nobody waits for its one session.
  if (executor.driver !== "pglite") {
    values["idle_in_transaction_session_timeout"] = blocking
      ? Math.max(1, Math.round(holdLimitMs(settings)))
      : IDLE_WEAK_MS;
    if (versionNum >= 170_000) values["transaction_timeout"] = 0;
  }
  const calls = Object.entries(values).map(
    ([name, value]) => `pg_catalog.set_config(${literal(name)}, ${literal(`${value}ms`)}, true)`,
  );
  return `SELECT ${[...calls, ROWS_OR_ERROR].join(", ")}`;
}

/**
 * Settings of a connection that runs a statement outside a transaction: no limit may leave an INVALID index behind.
 *
 * `transaction_timeout` (since 17) counts for the transactions that such a statement makes itself.
 */
export function outsideSettings({
  versionNum,
}: Pick<RunContext, "versionNum">): Readonly<Record<string, string>> {
  return {
    row_security: "off",
    lock_timeout: "0",
    statement_timeout: "0",
    ...(versionNum >= 170_000 ? { transaction_timeout: "0" } : {}),
  };
}
