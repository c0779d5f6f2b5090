import type { Scheme } from "../../definition/scheme.ts";
import { sqlStateOf, toError } from "../../errors.ts";
import type { Executor, Queryable } from "../../executor/executor.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";
import { isBound, leadingKeys } from "../leading-keys.ts";
import { partitionTree } from "../partition-tree.ts";
import { boundingOf, scansOf, type Bounding } from "../plan-conditions.ts";
import { namesOf } from "../provision-names.ts";
import { OWN_STATEMENT, type TableStatistics } from "./read-statistics.ts";

/** A query of an application, with what of the scheme it names. */
export interface AdvisedQuery {
  readonly query: string;
  /** How often it ran, as far as it was counted. */
  readonly calls: number;
  /** `partly` names the first key and not all; `unknown` could not be planned. */
  readonly prunes: "yes" | "partly" | "no" | "unknown";
  /** Leading keys that it has no condition on. */
  readonly missing: readonly string[];
  /** Columns that it compares with a value. */
  readonly bound: readonly string[];
  /** Columns that it bounds on one side or both. */
  readonly ranged: readonly string[];
  /** From a plan, or from the words of the query where its plan would lock too much; or why neither could be. */
  readonly how: "plan" | "text" | { readonly failed: string };
}

/** A query by its text, or of Drizzle. */
export type GivenQuery = string | { toSQL(): { readonly sql: string } };

/** How much of the lock table the plans of one query may take. */
const LOCK_SHARE = 1 / 4;

/** At most so many of the statements that the server counted are looked at, those with most calls first. */
const MOST_STATEMENTS = 50;

/** What was found of the queries of an application. */
export interface ReadQueries {
  readonly queries: readonly AdvisedQuery[];
  /** How many statements the server counted whose words only others may read. */
  readonly hidden: number;
}

/** Which of the given queries and of those that `pg_stat_statements` has counted prune by a scheme. */
export async function readQueries(
  db: Executor,
  scheme: Scheme,
  statistics: TableStatistics,
  given: readonly GivenQuery[],
): Promise<ReadQueries> {
  const { counted, hidden } = await countedStatements(db, scheme);
  const all: readonly Asked[] = [
    ...given.map((query) => ({
      query: typeof query === "string" ? query : query.toSQL().sql,
      calls: 1,
      isCounted: false,
    })),
    ...counted.map((each) => ({ ...each, isCounted: true })),
  ];
  const queries: AdvisedQuery[] = [];
  for (const each of all) {
    const advised = await adviseQuery(db, scheme, statistics, each);
    if (advised !== null) queries.push(advised);
  }
  return { queries, hidden };
}

interface Counted {
  readonly query: string;
  readonly calls: number;
}

interface Asked extends Counted {
  readonly isCounted: boolean;
}

/** What the server shows of the statement of another user, to who is not in `pg_read_all_stats`. */
const HIDDEN = "<insufficient privilege>";

async function countedStatements(
  db: Executor,
  scheme: Scheme,
): Promise<{ readonly counted: readonly Counted[]; readonly hidden: number }> {
  const [extension] = await db.query<{ schema: string }>(
    `SELECT n.nspname AS schema FROM pg_catalog.pg_extension AS e
     JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements'`,
  );
  const none = { counted: [], hidden: 0 };
  if (extension === undefined) return none;
  const statements = `${qualified(extension.schema, "pg_stat_statements")} AS s
       WHERE s.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())`;
  try {
    const counted = await db.query<{ query: string; calls: number }>(
      `SELECT s.query, pg_catalog.sum(s.calls)::float8 AS calls FROM ${statements}
         AND pg_catalog.strpos(s.query, ${literal(namesOf(scheme).table)}) > 0
         AND pg_catalog.strpos(s.query, ${literal(OWN_STATEMENT)}) = 0
         AND s.query ~* '^\\s*(select|with|update|delete|merge)\\M'
       GROUP BY s.query ORDER BY 2 DESC LIMIT ${MOST_STATEMENTS}`,
    );
    const [unread] = await db.query<{ hidden: number }>(
      `SELECT pg_catalog.count(*)::int AS hidden FROM ${statements} AND s.query = ${literal(HIDDEN)}`,
    );
    return { counted, hidden: unread?.hidden ?? 0 };
  } catch (error) {
    // The extension is there, and the server was not started with it.
    if (sqlStateOf(error) === "55000") return none;
    throw error;
  }
}

/** Null where the query does not read the table. */
async function adviseQuery(
  db: Executor,
  scheme: Scheme,
  statistics: TableStatistics,
  { query, calls, isCounted }: Asked,
): Promise<AdvisedQuery | null> {
  const { relations, indexes, partitioned, maxLocksPerTransaction, connections } = statistics;
  const locks = relations * (1 + indexes);
  const isSafe = locks <= maxLocksPerTransaction * connections * LOCK_SHARE;
  // With placeholders for values a plan of partitions leaves all of them out: it says nothing. 16 can be asked otherwise.
  if (partitioned && (!isSafe || statistics.versionNum < 160000))
    return byText(scheme, statistics, query, calls);
  try {
    const planned = isCounted ? withCasts(query) : query;
    const scans = await plannedScans(db, scheme, planned, partitioned);
    if (scans.length === 0) return null;
    const keys = leadingKeys(scheme);
    const missing = keys.filter((key) => !scans.every((conditions) => isBound(key, conditions)));
    const columns = (bounding: Bounding) =>
      statistics.columnNames.filter((column) =>
        scans.every((conditions) => boundingOf(conditions, column) === bounding),
      );
    return {
      ...{ query, calls, how: "plan", missing: missing.map(({ column }) => column) },
      ...{ bound: columns("equal"), ranged: columns("ranged") },
      prunes: missing.length === 0 ? "yes" : missing[0] === keys[0] ? "no" : "partly",
    };
  } catch (error) {
    // Without their values some cannot be planned: of `GROUP BY date_trunc('day', at)` each `'day'` has become another parameter (42803).
    if (isCounted && sqlStateOf(error)?.startsWith("42") === true)
      return byText(scheme, statistics, query, calls);
    const failed = toError(error).message;
    return { query, calls, prunes: "unknown", missing: [], bound: [], ranged: [], how: { failed } };
  }
}

/** Counted statements have parameters for values, and `interval $1` is no SQL: the type goes behind. */
function withCasts(query: string): string {
  return query.replaceAll(
    /\b(interval|date|uuid|numeric|time(?:stamp)?(?:tz\b|\s+with(?:out)?\s+time\s+zone\b)?)\s+(\$\d+)/gi,
    "$2::$1",
  );
}

const DONE = new Error("the query was planned");

/** The conditions of each scan of the table, of a plan for any values. Nothing is executed, and nothing stays prepared. */
async function plannedScans(
  db: Executor,
  scheme: Scheme,
  query: string,
  partitioned: boolean,
): Promise<readonly (readonly string[])[]> {
  let plan: unknown;
  let members = new Set<string>();
  try {
    await db.transaction(async (transaction) => {
      await transaction.query("SET LOCAL plan_cache_mode = force_generic_plan");
      plan = partitioned
        ? await explained(transaction, `EXPLAIN (GENERIC_PLAN, VERBOSE, FORMAT JSON) ${query}`)
        : await explainedPrepared(transaction, query);
      members = await membersOf(transaction, scheme);
      throw DONE;
    });
  } catch (error) {
    if (error !== DONE) throw error;
  }
  return scansOf(plan)
    .filter(({ schema, relation }) => members.has(qualified(schema, relation)))
    .map(({ conditions }) => conditions);
}

async function explainedPrepared(db: Queryable, query: string): Promise<unknown> {
  await db.query(`PREPARE underpin_advice AS ${query}`);
  const [prepared] = await db.query<{ count: number }>(
    `SELECT coalesce(pg_catalog.cardinality(parameter_types), 0) AS count
     FROM pg_catalog.pg_prepared_statements WHERE name = 'underpin_advice'`,
  );
  const values = Array.from({ length: prepared?.count ?? 0 }, () => "NULL").join(", ");
  const plan = await explained(
    db,
    `EXPLAIN (VERBOSE, FORMAT JSON) EXECUTE underpin_advice${values === "" ? "" : ` (${values})`}`,
  );
  // It would outlive the transaction that is rolled back.
  await db.query("DEALLOCATE underpin_advice");
  return plan;
}

async function explained(db: Queryable, text: string): Promise<unknown> {
  const [row] = await db.query<{ "QUERY PLAN": unknown }>(text);
  const plan: unknown = row?.["QUERY PLAN"];
  return typeof plan === "string" ? JSON.parse(plan) : plan;
}

async function membersOf(db: Queryable, scheme: Scheme): Promise<Set<string>> {
  const { schema, table } = namesOf(scheme);
  const root = `pg_catalog.to_regclass(${literal(qualified(schema, table))})`;
  const rows = await db.query<{ schema: string; name: string }>(
    `SELECT n.nspname AS schema, c.relname AS name FROM ${partitionTree(root)} AS t
     JOIN pg_catalog.pg_class AS c ON c.oid = t.relid JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace`,
  );
  return new Set(rows.map((row) => qualified(row.schema, row.name)));
}

/** No column of another table, though a function with a schema. */
const VALUE = String.raw`(?!\s*[\w"]+\.[\w"]+(?![\w"]|\s*\())`;

const EQUAL = String.raw`=${VALUE}|in\s*\(`;
const RANGED = String.raw`[<>]=?${VALUE}|between\b`;

/** By the words alone: a column that stands before a comparison. It is taken for bound where it is compared with a value at all. */
function byText(
  scheme: Scheme,
  { columnNames }: TableStatistics,
  query: string,
  calls: number,
): AdvisedQuery {
  const isCompared = (column: string, operators: string) =>
    [column, ident(column)].some((name) =>
      new RegExp(
        `(?<![\\w"])${name.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&")}(?![\\w"])\\s*(?:${operators})`,
        "i",
      ).test(query),
    );
  const keys = leadingKeys(scheme);
  const missing = keys
    .filter(
      ({ column, strategy }) =>
        !isCompared(column, strategy === "range" ? `${EQUAL}|${RANGED}` : EQUAL),
    )
    .map(({ column }) => column);
  const [first] = keys;
  return {
    ...{ query, calls, missing, how: "text" },
    bound: columnNames.filter((column) => isCompared(column, "=|in\\s*\\(")),
    ranged: columnNames.filter((column) => isCompared(column, "<|>|between\\b")),
    prunes: missing.length === 0 ? "yes" : missing.includes(first?.column ?? "") ? "no" : "partly",
  };
}
