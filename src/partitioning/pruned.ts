import { sql, type SQL } from "drizzle-orm";
import type { Dimension, Scheme } from "../definition/scheme.ts";
import { sqlStateOf, UnderpinError } from "../errors.ts";
import { literal, qualified } from "../sql/quote.ts";
import { isBound, leadingKeys } from "./leading-keys.ts";
import { partitionTree } from "./partition-tree.ts";
import { scansOf, type PlannedScan } from "./plan-conditions.ts";
import { namesOf } from "./provision-names.ts";

/** A Drizzle database or transaction: the plan is asked for where the query runs, under its role and context. */
export interface PrunedDatabase {
  execute(query: SQL): PromiseLike<unknown>;
}

/** A query of Drizzle: a builder, a relational query or an `sql` text. */
export type PrunedQuery = { getSQL(): SQL } | { toSQL(): unknown };

/** How a query is asserted. */
export interface PrunedOptions {
  /**
   * The share of partitions that a query without a leading key may visit, from 0 to 1.
   * @default 0.1
   */
  readonly allowed?: number;
  /**
   * Whether the plan is looked at. It costs a second planning, and a read of the catalog.
   * @default unless `NODE_ENV` is `production`
   */
  readonly enabled?: boolean;
}

/** What a query returns. */
export type PrunedResult<Q> = Q extends PromiseLike<infer R> ? R : unknown;

/**
 * Runs a query, and before, in development, asserts by EXPLAIN that it prunes: one that visits more partitions than allowed and has no condition on
 * a leading key of the scheme is an error that names the key.
 *
 * It asks for the plan with the query's own values, so that what is left out at planning and at the start of the execution counts, and
 * executes nothing twice. A key that is only compared with another table's column does not count.
 *
 * @example
 * import { drizzle } from "drizzle-orm/pglite";
 * import { apply, planInstall } from "underpin";
 * import { pruned, where } from "underpin/partitioning";
 * import { auditLogs, definition, schemes } from "underpin/schema/reporting";
 *
 * await apply(db, planInstall(definition));
 * const window = { from: new Date(Date.now() - 3_600_000), until: new Date() };
 * const app = drizzle(database.client);
 * const rows = await pruned(
 *   app,
 *   schemes.auditLogs,
 *   app.select().from(auditLogs).where(where(schemes.auditLogs, window)),
 * );
 * rows.length; // 0
 */
export async function pruned<Q extends PrunedQuery>(
  db: PrunedDatabase,
  scheme: Scheme,
  query: Q,
  { allowed = 0.1, enabled = process.env["NODE_ENV"] !== "production" }: PrunedOptions = {},
): Promise<PrunedResult<Q>> {
  if (enabled) await assertPruned(db, scheme, sqlOf(query), allowed);
  const result: unknown = await ("then" in query ? query : db.execute(sqlOf(query)));
  return result as PrunedResult<Q>;
}

function sqlOf(query: PrunedQuery): SQL {
  const { getSQL } = query as { getSQL?: () => SQL };
  if (typeof getSQL === "function") return getSQL.call(query);
  throw new UnderpinError({
    code: "invalidInput",
    message: "the query has no getSQL(): it is none of Drizzle's",
    hint: "Hand over a builder before it is awaited, db.query.…, or sql`…`.",
  });
}

async function assertPruned(
  db: PrunedDatabase,
  scheme: Scheme,
  query: SQL,
  allowed: number,
): Promise<void> {
  const { schema, table } = namesOf(scheme);
  const name = qualified(schema, table);
  const scans = await planned(db, name, query);
  const tree = await readLeaves(db, name, scans);
  if (tree.total === 0)
    throw new UnderpinError({
      code: "invalidInput",
      message: `${name} is not there, or has no partitions`,
      hint: "Install its definition and provision it: apply(db, planInstall(definition)).",
    });
  const isVisited = new Set(tree.visited);
  const visiting = scans.filter((scan) => isVisited.has(qualified(scan.schema, scan.relation)));
  if (isVisited.size <= allowed * tree.total) return;
  const missing = leadingKeys(scheme).find(
    (dimension) => !visiting.every(({ conditions }) => isBound(dimension, conditions)),
  );
  if (missing === undefined) return;
  throw refused(
    name,
    missing,
    `it visits ${isVisited.size} of ${tree.total} partitions, and ${Math.floor(allowed * tree.total)} are allowed`,
  );
}

async function planned(
  db: PrunedDatabase,
  name: string,
  query: SQL,
): Promise<readonly PlannedScan[]> {
  try {
    const [row] = rowsOf(await db.execute(sql`EXPLAIN (VERBOSE, FORMAT JSON) ${query}`));
    const plan: unknown = row?.["QUERY PLAN"];
    return scansOf(typeof plan === "string" ? JSON.parse(plan) : plan);
  } catch (error) {
    if (sqlStateOf(error) !== "53200") throw error;
    throw new UnderpinError({
      code: "checkFailed",
      message: `a query of ${name} does not prune: its partitions alone fill the server's lock table (53200)`,
      hint: "Name the leading keys in its conditions: where(scheme, { … }).",
      cause: error,
    });
  }
}

interface Leaves {
  readonly total: number;
  readonly visited: readonly string[];
}

/** How many leaves there are, and which of the scans are of them. */
async function readLeaves(
  db: PrunedDatabase,
  name: string,
  scans: readonly PlannedScan[],
): Promise<Leaves> {
  const root = `pg_catalog.to_regclass(${literal(name)})`;
  const names = JSON.stringify(
    scans.map(({ schema, relation }) => ({ schema, relation, key: qualified(schema, relation) })),
  );
  const [row] = rowsOf(
    await db.execute(
      sql.raw(`SELECT pg_catalog.count(*)::int AS total, coalesce(pg_catalog.json_agg(g.key) FILTER (WHERE g.key IS NOT NULL), '[]'::json)::text AS visited
        FROM ${partitionTree(root)} AS t
        JOIN pg_catalog.pg_class AS c ON c.oid = t.relid
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        LEFT JOIN (SELECT DISTINCT g.schema, g.relation, g.key
          FROM pg_catalog.json_to_recordset(${literal(names)}) AS g(schema text, relation text, key text)) AS g
          ON g.schema = n.nspname AND g.relation = c.relname
        WHERE t.is_leaf AND t.level > 0`),
    ),
  );
  return {
    total: Number(row?.["total"] ?? 0),
    visited: JSON.parse((row?.["visited"] as string | undefined) ?? "[]") as readonly string[],
  };
}

/** What a driver returns, under Drizzle: rows, or an object with them. */
function rowsOf(result: unknown): readonly Readonly<Record<string, unknown>>[] {
  const rows: unknown = Array.isArray(result) ? result : (result as { rows?: unknown }).rows;
  return (rows ?? []) as readonly Readonly<Record<string, unknown>>[];
}

function refused(name: string, { column }: Dimension, why: string): UnderpinError {
  return new UnderpinError({
    code: "checkFailed",
    message: `a query of ${name} has no condition on its leading key "${column}": ${why}`,
    hint: "Add it: where(scheme, { … }) makes the conditions of all keys. If the query has to visit all, do not wrap it in pruned.",
  });
}
