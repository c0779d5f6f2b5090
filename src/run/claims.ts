import type { Queryable } from "../executor/executor.ts";
import { ident } from "../sql/quote.ts";

/** A step that a process began outside a transaction, and what its backend is doing now. */
export interface Claim {
  readonly step: string;
  readonly pid: number;
  /** Seconds since 1970, as text. */
  readonly backendStart: string;
  readonly backend:
    | "gone"
    /** It runs a statement. */
    | "working"
    /** It is connected and runs nothing: its process is frozen, or about to begin. */
    | "idle"
    /** This login may not see it: it may be alive. */
    | "unknown";
}

/**
 * The claimed steps of the live run of a plan, with the state of the backends that claimed them.
 *
 * For a login without `pg_read_all_stats` PostgreSQL shows another role's process with every column NULL but its pid; then
 * nothing tells whether it is the same process. `pg_locks` is open to all, so that a backend whose activity is not tracked
 * (`track_activities = off`) still counts as working while it holds a table lock.
 */
export async function readClaims(
  db: Queryable,
  schema: string,
  name: string,
): Promise<readonly Claim[]> {
  const [row] = await db.query<{ json: string }>(
    `SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
       'step', s.id, 'pid', s.backend_pid, 'backendStart', extract(epoch FROM s.backend_start)::text,
       'backend', CASE
         WHEN a.pid IS NULL THEN 'gone'
         WHEN a.backend_start IS NULL THEN 'unknown'
         WHEN a.backend_start <> s.backend_start THEN 'gone'
         -- The very backend that asks runs nothing else: on PGlite there is no other.
         WHEN a.pid = pg_catalog.pg_backend_pid() THEN 'gone'
         WHEN a.state = 'active' OR EXISTS (
           SELECT FROM pg_catalog.pg_locks l WHERE l.pid = a.pid AND l.locktype = 'relation') THEN 'working'
         ELSE 'idle' END)), '[]'::json)::text AS json
     FROM ${ident(schema)}.runs r
     JOIN ${ident(schema)}.steps s ON s.run_id = r.id
     LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = s.backend_pid
     WHERE r.name = $1::text AND r.state <> 'undone'
       AND s.state = 'claimed' AND s.backend_pid IS NOT NULL`,
    [name],
  );
  return JSON.parse(row?.json ?? "[]") as readonly Claim[];
}
