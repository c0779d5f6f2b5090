import { isRetryable } from "../../errors.ts";
import type { Queryable } from "../../executor/executor.ts";
import { backoffMs, sleep } from "../../run/backoff.ts";
import type { Settings } from "../../run/context.ts";
import type { Handler } from "../../run/options.ts";
import { deleteSql, insertSql, ledgerRowOf, type LedgerPlace } from "./ledger.ts";
import type { MigrationFunction } from "./migration.ts";
import type { Resolved } from "./resolve-migration.ts";

/** How much of the lock timeout one lock wait may use, as in a step of SQL. */
const LOCK_WAIT_SHARE = 0.9;

const LONGEST_REST_MS = 15_000;

/**
 * Calls `up` in one transaction whose first statement writes the row of the ledger: it is done once, however often it is called. A
 * second process that calls it waits for the row, and finds it there.
 */
export function upHandler(
  resolved: Resolved,
  up: MigrationFunction,
  place: LedgerPlace,
  settings: Settings,
): Handler {
  const row = insertSql(place, [ledgerRowOf(resolved.migration, resolved.down, "applied")]);
  return once(`${row} ON CONFLICT DO NOTHING RETURNING version`, up, settings);
}

/** Calls `down` in one transaction whose first statement takes the row of the ledger away. */
export function downHandler(
  version: string,
  down: MigrationFunction,
  place: LedgerPlace,
  settings: Settings,
): Handler {
  return once(`${deleteSql(place, version)} RETURNING version`, down, settings);
}

function once(claim: string, work: MigrationFunction, settings: Settings): Handler {
  return {
    version: 1,
    async run(_, { executor, signal }) {
      const timeoutMs = Math.max(1, Math.round(settings.lockTimeoutMs * LOCK_WAIT_SHARE));
      const beganMs = performance.now();
      for (let attempt = 1; ; attempt++) {
        try {
          await executor.transaction(async (tx: Queryable) => {
            const claimed = await tx.query(`SET LOCAL lock_timeout = ${timeoutMs}; ${claim}`);
            if (claimed.length > 0) await work(tx);
          });
          return;
        } catch (error) {
          if (!isRetryable(error) || performance.now() - beganMs > settings.lockBudgetMs)
            throw error;
          await sleep(backoffMs(attempt, settings.retryDelayMs, LONGEST_REST_MS), signal);
        }
      }
    },
  };
}
