import { getTableColumns } from "drizzle-orm";
import type { PgColumn } from "drizzle-orm/pg-core";
import type { Scheme } from "../definition/scheme.ts";
import { isUnderpinError, toError } from "../errors.ts";
import type { DatabaseLike } from "../executor/connect.ts";
import type { Executor, Queryable } from "../executor/executor.ts";
import { prepare } from "../run/prepare.ts";
import type { RunOptions } from "../run/options.ts";
import { ident, literal } from "../sql/quote.ts";
import { provision } from "./provision.ts";
import { namesOf } from "./provision-names.ts";

/** A request that could not be done. It is tried again later, each time after a longer rest. */
export interface FailedRequest {
  readonly table: string;
  readonly values: Readonly<Record<string, string>>;
  readonly message: string;
}

/** What became of requests. */
export interface RequestedReport {
  /** Sets of values that have their partitions now. */
  readonly done: number;
  readonly failed: readonly FailedRequest[];
}

/** How many requests one worker takes at once, and for how long they are its own. */
const CLAIMED = 20;
const CLAIM_MINUTES = 10;

/**
 * Makes the partitions that rows asked for, and returns when no request is due. Many workers may call it: none waits for another, and what a
 * killed one was at is due again ten minutes later.
 *
 * @example
 * import { provisionRequested } from "underpin/partitioning";
 *
 * const { done, failed } = await provisionRequested(db, []);
 * done; // 0
 */
export async function provisionRequested(
  db: DatabaseLike,
  schemes: readonly Scheme[],
  options: RunOptions = {},
): Promise<RequestedReport> {
  if (schemes.length === 0) return { done: 0, failed: [] };
  const { executor, settings } = await prepare(db, options);
  return serveRequests({ db, executor, schema: settings.runSchema }, schemes, options);
}

/** A database whose run schema is up to date. */
interface ReadyDatabase {
  readonly db: DatabaseLike;
  readonly executor: Executor;
  /** The run schema. */
  readonly schema: string;
}

/** As {@link provisionRequested}, where the run schema is known to be there. */
export async function serveRequests(
  { db, executor, schema }: ReadyDatabase,
  schemes: readonly Scheme[],
  options: RunOptions,
): Promise<RequestedReport> {
  const failed: FailedRequest[] = [];
  let done = 0;
  const requests = `${ident(schema)}.provision_requests`;
  for (const scheme of schemes)
    for (;;) {
      options.signal?.throwIfAborted();
      const claimed = await claim(executor, requests, scheme);
      if (claimed.length === 0) break;
      for (const request of claimed) {
        const message = await tryOne(db, scheme, request.values, options);
        if (message === undefined) done += 1;
        else failed.push({ table: namesOf(scheme).table, values: request.values, message });
        await settle(executor, requests, request, message);
      }
    }
  return { done, failed };
}

/** Equal requests of several rows, as one. */
interface Claimed {
  readonly ids: readonly number[];
  readonly values: Readonly<Record<string, string>>;
}

async function claim(db: Queryable, requests: string, scheme: Scheme): Promise<readonly Claimed[]> {
  const { schema, table } = namesOf(scheme);
  const [row] = await db.query<{ json: string }>(
    `WITH due AS (
       SELECT r.id FROM ${requests} AS r
       WHERE r.table_schema = ${literal(schema)} AND r.table_name = ${literal(table)} AND r.due_at <= pg_catalog.clock_timestamp()
       ORDER BY r.due_at LIMIT ${CLAIMED} FOR UPDATE SKIP LOCKED
     ), claimed AS (
       UPDATE ${requests} AS r
       SET due_at = pg_catalog.clock_timestamp() + ${CLAIM_MINUTES} * interval '1 minute', attempts = r.attempts + 1
       FROM due WHERE r.id = due.id RETURNING r.id, r.list_values
     ), equal AS (
       SELECT pg_catalog.json_agg(c.id) AS ids, c.list_values FROM claimed AS c GROUP BY c.list_values
     )
     SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('ids', e.ids, 'values', e.list_values)), '[]'::json)::text AS json
     FROM equal AS e`,
  );
  return JSON.parse(row?.json ?? "[]") as readonly Claimed[];
}

/** What went wrong; undefined where nothing did. */
async function tryOne(
  db: DatabaseLike,
  scheme: Scheme,
  values: Readonly<Record<string, string>>,
  options: RunOptions,
): Promise<string | undefined> {
  const columns = Object.entries<PgColumn>(getTableColumns(scheme.table));
  const byKey = Object.fromEntries(
    Object.entries(values).map(([column, value]) => {
      const [key, drizzle] = columns.find(([, { name }]) => name === column) ?? [column, undefined];
      return [key, drizzle === undefined ? value : drizzle.mapFromDriverValue(value)];
    }),
  );
  try {
    const { outcome, failure } = await provision(db, scheme, byKey, options);
    return outcome === "applied" ? undefined : (failure?.message ?? `it ended ${outcome}`);
  } catch (error) {
    return isUnderpinError(error) ? `${error.message} ${error.hint}` : toError(error).message;
  }
}

async function settle(
  db: Queryable,
  requests: string,
  { ids }: Claimed,
  message: string | undefined,
): Promise<void> {
  const which = `r.id IN (${ids.join(", ")})`;
  await db.query(
    message === undefined
      ? `DELETE FROM ${requests} AS r WHERE ${which}`
      : `UPDATE ${requests} AS r
         SET last_error = ${literal(message)},
           due_at = pg_catalog.clock_timestamp() + interval '1 minute' * least(60, pg_catalog.power(2, r.attempts))
         WHERE ${which}`,
  );
}
