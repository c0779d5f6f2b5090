import type { Dimension, Interval, Scheme } from "../../definition/scheme.ts";
import { leadingKeys } from "../leading-keys.ts";
import { forecast, retainedYears, type Forecast, type ForecastBasis } from "./forecast.ts";
import type { AdvisedQuery } from "./read-queries.ts";

/** One way to cut the table, with what it gives and what speaks against it. */
export interface Candidate {
  /** `the scheme`, `without site_id`, `by 3 months`, … */
  readonly name: string;
  /** Empty where the table is not partitioned at all. */
  readonly dimensions: readonly Dimension[];
  /** Now, and in each of the years that were asked for. */
  readonly forecasts: readonly Forecast[];
  /** Empty where nothing does. */
  readonly faults: readonly string[];
}

/** What is too much, and what too little. */
export interface Limits {
  readonly maxLeaves: number;
  readonly minRowsPerLeaf: number;
  readonly minRows: number;
  readonly lockTable: number;
}

const COARSER: Readonly<Record<Interval, readonly Interval[]>> = {
  "1 day": ["1 week", "1 month", "3 months", "1 year"],
  "1 week": ["1 month", "3 months", "1 year"],
  "1 month": ["3 months", "1 year"],
  "3 months": ["1 year"],
  "1 year": [],
};

/** A leaf of a hash has about so many rows in the last of the years. */
const ROWS_PER_REMAINDER = 5_000_000;

/** The scheme itself, and what is simpler, the least different first; last an index alone. */
export function candidatesOf(
  scheme: Scheme,
  basis: ForecastBasis,
  years: readonly number[],
  limits: Limits,
  queries: readonly AdvisedQuery[],
): readonly Candidate[] {
  const judged = (name: string, dimensions: readonly Dimension[]): Candidate => {
    const forecasts = [0, ...years].map((year) => forecast(scheme, dimensions, basis, year));
    return {
      name,
      dimensions,
      forecasts,
      faults: faultsOf(dimensions, forecasts, limits, queries),
    };
  };
  const { dimensions } = scheme;
  const range = dimensions.find(({ strategy }) => strategy === "range");
  const coarser = (of: readonly Dimension[], every: Interval) =>
    of.map((each) => (each.strategy === "range" ? { ...each, every } : each));
  const intervals =
    range?.strategy === "range" && typeof range.every === "string" ? COARSER[range.every] : [];
  const lists = dimensions.filter(({ strategy }) => strategy === "list");
  const lastRows = forecast(scheme, [], basis, years.at(-1) ?? 0).rows;
  const common = commonColumn(scheme, queries);
  const modulus = Math.max(4, 2 ** Math.ceil(Math.log2(lastRows / ROWS_PER_REMAINDER)));
  const withoutOne =
    dimensions.length < 2
      ? []
      : [...lists].reverse().map((list) => ({
          name: `without ${list.column}`,
          dimensions: dimensions.filter((each) => each !== list),
        }));
  return [
    judged("the scheme", dimensions),
    ...intervals.map((every) => judged(`by ${every}`, coarser(dimensions, every))),
    ...withoutOne.flatMap((without) => [
      judged(without.name, without.dimensions),
      ...intervals.map((every) =>
        judged(`${without.name}, by ${every}`, coarser(without.dimensions, every)),
      ),
    ]),
    ...(range === undefined || dimensions.length === 1 || lists.length < 2
      ? []
      : [judged(`${range.column} alone`, [range])]),
    ...(common === null
      ? []
      : [judged(`hash of ${common}`, [{ strategy: "hash", column: common, modulus } as const])]),
    judged("an index alone", []),
  ];
}

/** The column that most calls compare with a value, of those that do not prune by the scheme. */
function commonColumn(scheme: Scheme, queries: readonly AdvisedQuery[]): string | null {
  const calls = new Map<string, number>();
  for (const { prunes, bound, calls: count } of queries)
    if (prunes === "no")
      for (const column of bound) calls.set(column, (calls.get(column) ?? 0) + count);
  const own = new Set(scheme.dimensions.map(({ column }) => column));
  const [first] = [...calls].filter(([column]) => !own.has(column)).sort((a, b) => b[1] - a[1]);
  return first?.[0] ?? null;
}

/** How many of the calls, of 1, name no leading key of these dimensions. Null where no query is known. */
export function unprunedShare(
  dimensions: readonly Dimension[],
  queries: readonly AdvisedQuery[],
): number | null {
  const known = queries.filter(({ prunes }) => prunes !== "unknown");
  const total = known.reduce((sum, { calls }) => sum + calls, 0);
  const [first] = dimensions;
  if (total === 0 || first === undefined) return total === 0 ? null : 0;
  const keys = leadingKeys({ dimensions: [first, ...dimensions.slice(1)] });
  const unpruned = known
    .filter(
      ({ bound, ranged }) =>
        !keys.some(
          ({ column, strategy }) =>
            bound.includes(column) || (strategy === "range" && ranged.includes(column)),
        ),
    )
    .reduce((sum, { calls }) => sum + calls, 0);
  return unpruned / total;
}

function faultsOf(
  dimensions: readonly Dimension[],
  forecasts: readonly Forecast[],
  { maxLeaves, minRowsPerLeaf, minRows, lockTable }: Limits,
  queries: readonly AdvisedQuery[],
): readonly string[] {
  const last = forecasts.at(-1);
  if (last === undefined || dimensions.length === 0) return [];
  const unpruned = unprunedShare(dimensions, queries);
  const number = (value: number) => Math.round(value).toLocaleString("en-US");
  return [
    ...(last.rows < minRows && retainedYears(dimensions) === null
      ? [`${number(last.rows)} rows need no partitions: an index finds one as fast`]
      : []),
    ...(last.leaves > maxLeaves
      ? [`${number(last.leaves)} leaves are more than ${number(maxLeaves)}`]
      : []),
    ...(last.averageRows < minRowsPerLeaf && last.rows >= minRows
      ? [`a leaf has ${number(last.averageRows)} rows, and ${number(minRowsPerLeaf)} are worth one`]
      : []),
    ...(unpruned !== null && unpruned > 0.5
      ? [`${Math.round(100 * unpruned)} of 100 calls name no leading key and visit every leaf`]
      : []),
    ...(last.unprunedLocks > lockTable && unpruned !== null && unpruned > 0
      ? [
          `a query that visits every leaf takes ${number(last.unprunedLocks)} locks and the lock table has room for ${number(lockTable)}`,
        ]
      : []),
  ];
}
