import { sqlStateOf } from "../../errors.ts";
import type { Executor } from "../../executor/executor.ts";
import { literal } from "../../sql/quote.ts";
import type { ProbeHealth } from "./health-sample.ts";

/**
 * Runs the probe once and takes its time: from here and back, as an application feels it, without the way to a connection.
 *
 * It may wait for a lock like any query; at the limit it is stopped, and that is its time.
 */
export async function readProbeQuery(
  executor: Executor,
  sql: string,
  timeoutMs: number,
): Promise<ProbeHealth> {
  // One text is one transaction, also on a standby, where none may begin as READ WRITE.
  const limits = `SELECT pg_catalog.set_config('transaction_read_only', 'on', true),
    pg_catalog.set_config('statement_timeout', ${literal(`${Math.round(timeoutMs)}ms`)}, true)`;
  try {
    return await executor.session(async (session) => {
      const beganMs = performance.now();
      await session.query(`${limits}; ${sql}`);
      return { ms: performance.now() - beganMs, timedOut: false };
    });
  } catch (error) {
    if (sqlStateOf(error) !== "57014") throw error;
    return { ms: timeoutMs, timedOut: true };
  }
}
