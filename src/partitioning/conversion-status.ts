import type { Scheme } from "../definition/scheme.ts";
import { isConnectionError } from "../errors.ts";
import { toExecutor, type DatabaseLike } from "../executor/connect.ts";
import type { Executor } from "../executor/executor.ts";
import { runs, type RunStatus } from "../run/runs.ts";
import { literal, qualified } from "../sql/quote.ts";
import { attachNames } from "./attach/attach-names.ts";
import { conversionNames } from "./convert/conversion.ts";
import { namesOf } from "./provision-names.ts";

/** Which run is looked at. */
export interface ConversionStatusOptions {
  readonly scheme: Scheme;
  /** Schema of the run's own tables. @default "underpin" */
  readonly runSchema?: string;
}

/** How far the conversion of a table has come. */
export interface ConversionStatus {
  /** The run as `runs` tells of it; undefined before it began. */
  readonly run: RunStatus | undefined;
  readonly strategy: "copy" | "attach" | undefined;
  /** Which of the two has the name of the table now. */
  readonly serves: "plain" | "partitioned";
  readonly rowsCopied: number;
  /** Rows that there are to copy, by the last ANALYZE. */
  readonly rowsEstimated: number;
  readonly rowsPerSecond: number;
  /** Entries in the log of keys: how far the other table is behind. Null where there is no log. */
  readonly rowsBehind: number | null;
  /** How long the rest of the copy takes; undefined where it is not copying. */
  readonly remainingMs: number | undefined;
}

/** The more entries, the less anybody wants to wait until they are counted. */
const MOST_COUNTED = 100_000;

/**
 * How far a conversion has come: where its run is, rows copied, rows behind, rows in a second, and how long the rest takes.
 *
 * It may be asked from anywhere at any time; it reads the run schema and counts at most 100,000 entries of the log.
 *
 * @example
 * import { pgTable, primaryKey, text } from "drizzle-orm/pg-core";
 * import { conversionStatus, list, partitionBy } from "underpin/partitioning";
 *
 * const orders = pgTable(
 *   "orders",
 *   { id: text().notNull(), shop: text().notNull() },
 *   (t) => [primaryKey({ columns: [t.shop, t.id] })],
 * );
 * const status = await conversionStatus(db, { scheme: partitionBy(orders, list(orders.shop)) });
 * status.strategy; // undefined
 */
export async function conversionStatus(
  db: DatabaseLike,
  { scheme, runSchema }: ConversionStatusOptions,
): Promise<ConversionStatus> {
  const executor = toExecutor(db);
  const { schema, table } = namesOf(scheme);
  const plans = {
    copy: `convert-to-partitioned-${schema}-${table}`,
    attach: `attach-${schema}-${table}`,
  };
  const all = await runs(db, runSchema === undefined ? {} : { runSchema });
  const isLive = ({ state }: RunStatus) => state !== "undone";
  const of = (name: string) => all.find((each) => each.name === name && isLive(each));
  const [copy, attach] = [of(plans.copy), of(plans.attach)];
  const run = copy ?? attach;
  const [backfill] = [...(run?.backfills ?? [])].reverse();
  const log = await behind(executor, schema, table);
  return {
    run,
    strategy: copy !== undefined ? "copy" : attach !== undefined ? "attach" : undefined,
    serves: log.partitioned ? "partitioned" : "plain",
    rowsCopied: backfill?.rowsChanged ?? run?.rowsBackfilled ?? 0,
    rowsEstimated: log.rows,
    rowsPerSecond: backfill?.rowsPerSecond ?? 0,
    rowsBehind: log.entries,
    remainingMs: backfill?.remainingMs?.likely,
  };
}

async function behind(
  db: Executor,
  schema: string,
  table: string,
): Promise<{
  readonly partitioned: boolean;
  readonly rows: number;
  readonly entries: number | null;
}> {
  const { log, parked } = conversionNames(table);
  const { legacy } = attachNames(table);
  const oid = (name: string) => `pg_catalog.to_regclass(${literal(qualified(schema, name))})`;
  const [row] = await db.query<{ json: string }>(
    `SELECT pg_catalog.json_build_object(
  'partitioned', (SELECT c.relkind = 'p' FROM pg_catalog.pg_class AS c WHERE c.oid = ${oid(table)}),
  'rows', (SELECT pg_catalog.max(greatest(c.reltuples, 0)) FROM pg_catalog.pg_class AS c
    WHERE c.oid IN (${oid(table)}, ${oid(parked)}, ${oid(legacy)})))::text AS json`,
  );
  const read = JSON.parse(row?.json ?? "{}") as {
    readonly partitioned: boolean | null;
    readonly rows: number | null;
  };
  return {
    partitioned: read.partitioned === true,
    rows: read.rows ?? 0,
    entries: await entriesOf(db, qualified(schema, log)),
  };
}

/** The log may not be there, and goes at its end. */
async function entriesOf(db: Executor, log: string): Promise<number | null> {
  try {
    const [row] = await db.query<{ n: string }>(
      `SELECT pg_catalog.count(*)::text AS n FROM (SELECT FROM ${log} LIMIT ${MOST_COUNTED}) AS l`,
    );
    return Number(row?.n ?? 0);
  } catch (error) {
    if (isConnectionError(error)) throw error;
    return null;
  }
}
