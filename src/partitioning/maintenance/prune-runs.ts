import type { Queryable } from "../../executor/executor.ts";
import { ident, literal } from "../../sql/quote.ts";

/** How many runs one call deletes: each with its journal. */
const AT_ONCE = 50;

/** Names that maintenance and provisioning give to their plans: tables, minute, hash, and which try. */
const REPEATED = "^(maintain|provision)-.+-[0-9]{12}-[0-9a-f]{8}(-[0-9]+)?$";

/**
 * Deletes runs of maintenance and provisioning that ended longer ago than so many days, with their journal and their leases, oldest first.
 *
 * Each has a name of its own, so that they would be kept for years. Runs that did not end, and those of every other plan, stay: who
 * applied them may want to take them back.
 */
export async function pruneRuns(db: Queryable, runSchema: string, days: number): Promise<number> {
  const schema = ident(runSchema);
  const [row] = await db.query<{ n: string }>(
    `WITH old AS (
       SELECT r.id FROM ${schema}.runs AS r
       WHERE r.state IN ('applied', 'undone') AND r.name ~ ${literal(REPEATED)}
         AND r.changed_at < pg_catalog.clock_timestamp() - ${days} * interval '1 day'
       ORDER BY r.id LIMIT ${AT_ONCE} FOR UPDATE SKIP LOCKED
     ), pruned AS (
       DELETE FROM ${schema}.runs AS r USING old WHERE r.id = old.id RETURNING r.name
     ), freed AS (
       DELETE FROM ${schema}.leases AS l USING pruned AS p
       WHERE l.name = p.name AND l.expires_at < pg_catalog.clock_timestamp()
     )
     SELECT pg_catalog.count(*)::text AS n FROM pruned`,
  );
  return Number(row?.n ?? 0);
}
