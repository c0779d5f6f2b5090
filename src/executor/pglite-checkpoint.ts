import { runOnPglite, type PgliteQueryable } from "./pglite-run.ts";
import type { PgliteState } from "./pglite-state.ts";

/** Weight of changes after which the log is measured: 64 small ones, or 16,000 rows. Measuring takes 0.3 ms. */
const LOOK_AT = 64;

const WAL_BYTES = 32 * 1024 ** 2;

/** Never inside a transaction that was begun by hand, where a refusal would break it, and only with the right to. */
const IS_DUE = `
SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), c.redo_lsn) > ${WAL_BYTES}
  AND pg_catalog.now() = pg_catalog.statement_timestamp()
  AND pg_catalog.pg_has_role(current_user, 'pg_checkpoint', 'USAGE') AS due
FROM pg_catalog.pg_control_checkpoint() AS c`;

/**
 * Cuts the write-ahead log when it has grown. PGlite (0.5) has no checkpointer: 1.2 million rows leave 300 MB, which in memory
 * is RAM.
 */
export async function checkpointIfDue(state: PgliteState, pglite: PgliteQueryable): Promise<void> {
  if (state.written < LOOK_AT) return;
  state.written = 0;
  try {
    const [row] = await runOnPglite(state, pglite, IS_DUE, []);
    if (row?.["due"] === true) await runOnPglite(state, pglite, "CHECKPOINT", []);
  } catch {
    // In a failed transaction that was begun by hand nothing can be asked; the next change asks again.
  }
}
