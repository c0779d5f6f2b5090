import type { Queryable } from "../executor/executor.ts";
import type { Plan } from "../plan/step.ts";
import { ident, literal } from "../sql/quote.ts";

/** The plans of runs that say `running` and whose names begin so: their process ended, or holds their lease. */
export async function readInterrupted(
  db: Queryable,
  schema: string,
  prefix: string,
): Promise<readonly Plan[]> {
  const rows = await db.query<{ plan: string }>(
    `SELECT r.plan::text AS plan FROM ${ident(schema)}.runs AS r
     WHERE r.state = 'running' AND pg_catalog.starts_with(r.name, ${literal(prefix)}) ORDER BY r.id`,
  );
  return rows.map(({ plan }) => JSON.parse(plan) as Plan);
}
