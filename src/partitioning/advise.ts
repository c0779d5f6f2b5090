import type { Finding, Findings } from "../catalog/finding.ts";
import { namedPath } from "../catalog/path.ts";
import type { Scheme } from "../definition/scheme.ts";
import { toExecutor, type DatabaseLike } from "../executor/connect.ts";
import { qualified } from "../sql/quote.ts";
import { candidatesOf, type Candidate } from "./advice/candidates.ts";
import { conversionAdvice, type ConversionAdvice } from "./advice/conversion.ts";
import type { PlanningModel } from "./advice/forecast.ts";
import { measurePlanning } from "./advice/measure-planning.ts";
import { readQueries, type AdvisedQuery, type GivenQuery } from "./advice/read-queries.ts";
import { readStatistics, type TableStatistics } from "./advice/read-statistics.ts";
import { namesOf } from "./provision-names.ts";

/** What advice is asked for. */
export interface AdviseOptions {
  /** Queries of the application, besides those that `pg_stat_statements` has counted: texts with `$1`, or Drizzle's. @default none */
  readonly queries?: readonly GivenQuery[];
  /** For which years from now on. @default [1, 2, 3] */
  readonly years?: readonly number[];
  /** How many rows come in a year. @default what came in the last year of those that are there */
  readonly rowsPerYear?: number;
  /** More leaves than these are too many. @default 5_000 */
  readonly maxLeaves?: number;
  /** A leaf with fewer rows is not worth one. @default 100_000 */
  readonly minRowsPerLeaf?: number;
  /** A table with fewer rows needs no partitions, unless old ones are to leave. @default 10_000_000 */
  readonly minRows?: number;
}

/** What is advised, and the figures behind it. */
export interface Advice {
  readonly table: string;
  /** Take the scheme, take a simpler one, or take none and an index. */
  readonly verdict: "partition" | "simplify" | "index";
  /** What is advised: one of {@link candidates}. */
  readonly best: Candidate;
  /** The scheme itself first, an index alone last. */
  readonly candidates: readonly Candidate[];
  /** How a table that is not partitioned yet comes to it; null where it is. */
  readonly conversion: ConversionAdvice | null;
  readonly statistics: TableStatistics;
  readonly planning: PlanningModel;
  readonly rowsPerYear: number;
  /** `max_locks_per_transaction × (max_connections + max_prepared_transactions)`. */
  readonly lockTable: number;
  /** The `max_locks_per_transaction` with which a query that visits every leaf in the last of the years takes a quarter of the lock table. */
  readonly locksPerTransactionNeeded: number;
  readonly queries: readonly AdvisedQuery[];
  readonly findings: Findings;
}

/**
 * Whether a scheme suits its table, plain or partitioned already: how many partitions of which size it gives now and in some years, how long
 * planning takes, what an unpruned query locks, which queries prune, and whether a simpler scheme, a hash, or an index alone
 * does better.
 *
 * It goes by what ANALYZE knows, a sample of the rows of a plain table, and plans that are not executed; it assumes that rows keep coming as in
 * the last year, and no new values of lists. It changes nothing: what it measures planning on is rolled back.
 *
 * @example
 * import { apply, planInstall } from "underpin";
 * import { advise, adviceText } from "underpin/partitioning";
 * import { definition, schemes } from "underpin/schema/reporting";
 *
 * await apply(db, planInstall(definition));
 * const advice = await advise(db, schemes.auditLogs, { rowsPerYear: 40_000_000 });
 * console.log(adviceText(advice));
 * advice.verdict; // "partition"
 */
export async function advise(
  db: DatabaseLike,
  scheme: Scheme,
  options: AdviseOptions = {},
): Promise<Advice> {
  const executor = toExecutor(db);
  const { years = [1, 2, 3], maxLeaves = 5_000, minRowsPerLeaf = 100_000 } = options;
  const { minRows = 10_000_000, queries: given = [] } = options;
  const statistics = await readStatistics(executor, scheme);
  const planning = await measurePlanning(executor, scheme, statistics.indexes);
  const { queries, hidden } = await readQueries(executor, scheme, statistics, given);
  const rowsPerYear = options.rowsPerYear ?? statistics.spread?.rowsPerYear ?? 0;
  const { maxLocksPerTransaction, connections } = statistics;
  const lockTable = maxLocksPerTransaction * connections;
  const candidates = candidatesOf(
    scheme,
    { statistics, planning, rowsPerYear, minRowsPerLeaf },
    years,
    { maxLeaves, minRowsPerLeaf, minRows, lockTable },
    queries,
  );
  const [own, ...simpler] = candidates;
  const best = [own, ...simpler].find((each) => each !== undefined && each.faults.length === 0);
  if (own === undefined || best === undefined) throw new Error("an index alone has no fault");
  const locks = own.forecasts.at(-1)?.unprunedLocks ?? 0;
  const locksPerTransactionNeeded = Math.max(
    maxLocksPerTransaction,
    Math.ceil((4 * locks) / connections),
  );
  const { schema, table } = namesOf(scheme);
  return {
    table: qualified(schema, table),
    verdict: best === own ? "partition" : best.dimensions.length === 0 ? "index" : "simplify",
    conversion: statistics.partitioned ? null : conversionAdvice(scheme),
    ...{ best, candidates, statistics, planning, rowsPerYear, lockTable },
    ...{ locksPerTransactionNeeded, queries },
    findings: findingsOf(scheme, own, statistics, queries, {
      locks,
      lockTable,
      needed: locksPerTransactionNeeded,
      hidden,
    }),
  };
}

function findingsOf(
  scheme: Scheme,
  own: Candidate,
  statistics: TableStatistics,
  queries: readonly AdvisedQuery[],
  { locks, lockTable, needed, hidden }: Record<"locks" | "lockTable" | "needed" | "hidden", number>,
): Findings {
  const { schema, table } = namesOf(scheme);
  const object = namedPath("table", schema, table);
  const name = qualified(schema, table);
  const say = (check: string, message: string, repair: string | null = null): Finding => ({
    ...{ check, severity: "warning", object, message, repair },
  });
  const unknown = statistics.columns.filter(({ distinct }) => distinct === null);
  return [
    ...(unknown.length === 0
      ? []
      : [
          say(
            "statistics-missing",
            `nothing is known of ${unknown.map(({ column }) => column).join(", ")}: it was not analysed, or row security hides it from who asks`,
            // On a partitioned table a plain ANALYZE takes every partition in one transaction; ONLY came with 18.
            statistics.partitioned
              ? statistics.versionNum >= 180000
                ? `ANALYZE ONLY ${name}`
                : null
              : `ANALYZE ${name}`,
          ),
        ]),
    ...(hidden === 0
      ? []
      : [
          say(
            "statements-hidden",
            `${hidden} of the statements that pg_stat_statements counted are of other users, and who asks may not read them: what they leave out is not known`,
            "GRANT pg_read_all_stats TO CURRENT_USER",
          ),
        ]),
    ...own.faults.map((fault) => say("partition-advice", fault)),
    ...(locks * 4 <= lockTable
      ? []
      : [
          say(
            "lock-table",
            `a query that visits every leaf will take ${locks} locks, and a quarter of the lock table is ${Math.floor(lockTable / 4)}: max_locks_per_transaction has to be ${needed} (a restart), or no query may do so`,
            `ALTER SYSTEM SET max_locks_per_transaction = ${needed}`,
          ),
        ]),
    ...queries
      .filter(({ prunes }) => prunes === "no" || prunes === "partly")
      .map(({ query, calls, missing }) =>
        say(
          "query-unpruned",
          `no condition on ${missing.join(", ")}, ${calls} ×: ${query.replaceAll(/\s+/g, " ").slice(0, 200)}`,
        ),
      ),
  ];
}
