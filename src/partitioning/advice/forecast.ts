import type { Dimension, Interval, Scheme } from "../../definition/scheme.ts";
import type { TableStatistics } from "./read-statistics.ts";

/** What a scheme gives at one time. */
export interface Forecast {
  /** From now on; 0 is now. */
  readonly year: number;
  readonly rows: number;
  readonly bytes: number;
  /** Partitions that hold rows, or will. */
  readonly leaves: number;
  /** Leaves, what is between them and the root, and the root. */
  readonly relations: number;
  readonly averageRows: number;
  readonly averageBytes: number;
  /** Of the leaf with most. */
  readonly largestRows: number;
  readonly largestBytes: number;
  /** How many leaves, of 1, have less than a tenth of what is worth one. */
  readonly smallShare: number;
  /** What one query takes that leaves no partition out: each relation with its indexes. */
  readonly unprunedLocks: number;
  readonly planningMs: { readonly pruned: number; readonly unpruned: number };
}

/** How long planning takes, by the number of relations in a query. */
export interface PlanningModel {
  readonly baseMs: number;
  readonly perRelationMs: number;
  /** Whether it was measured on this server, on a table of some partitions that was rolled back, or is what others measured. */
  readonly how: "measured" | "estimated";
}

/** What a forecast rests on. */
export interface ForecastBasis {
  readonly statistics: TableStatistics;
  readonly planning: PlanningModel;
  readonly rowsPerYear: number;
  readonly minRowsPerLeaf: number;
}

const YEAR_MS = 365.25 * 24 * 60 * 60 * 1000;
const DAY_MS = 24 * 60 * 60 * 1000;
const LENGTH_MS: Readonly<Record<Interval, number>> = {
  "1 day": DAY_MS,
  "1 week": 7 * DAY_MS,
  "1 month": YEAR_MS / 12,
  "3 months": YEAR_MS / 4,
  "1 year": YEAR_MS,
};

/** What dimensions give at a year from now, if rows keep coming as in the last year and no new values of lists come. */
export function forecast(
  scheme: Scheme,
  dimensions: readonly Dimension[],
  basis: ForecastBasis,
  year: number,
): Forecast {
  const { statistics, planning, rowsPerYear, minRowsPerLeaf } = basis;
  const kept = retainedYears(dimensions);
  const rows = Math.round(
    Math.min(
      statistics.rows + rowsPerYear * year,
      kept === null ? Number.POSITIVE_INFINITY : Math.max(rowsPerYear * kept, 1),
    ),
  );
  const bytesPerRow = statistics.rows > 0 ? statistics.bytes / statistics.rows : 200;
  const lists = dimensions.filter(({ strategy }) => strategy === "list");
  const shares = sharesOf(scheme, lists, statistics);
  const { all: intervals, filled } = intervalsOf(dimensions, statistics, year);
  const modulus = dimensions.reduce(
    (product, dimension) => (dimension.strategy === "hash" ? product * dimension.modulus : product),
    1,
  );
  const leaves = dimensions.length === 0 ? 0 : shares.length * intervals * modulus;
  const relations = 1 + relationsBelow(scheme, dimensions, statistics, intervals);
  const pieces = Math.max(filled * modulus, 1);
  const largestRows = Math.round(
    (shares[0] ?? 1) *
      Math.max(rows / pieces, (statistics.rows * busiest(dimensions, statistics)) / modulus),
  );
  const small = shares.filter((share) => (rows * share) / pieces < minRowsPerLeaf / 10).length;
  const averageRows = Math.round(rows / Math.max(shares.length * pieces, 1));
  return {
    ...{ year, rows, leaves, relations, averageRows, largestRows },
    bytes: Math.round(rows * bytesPerRow),
    averageBytes: Math.round(averageRows * bytesPerRow),
    largestBytes: Math.round(largestRows * bytesPerRow),
    smallShare: leaves === 0 ? 0 : small / shares.length,
    unprunedLocks: relations * (1 + statistics.indexes),
    planningMs: {
      pruned: planning.baseMs,
      unpruned: planning.baseMs + planning.perRelationMs * (relations - 1),
    },
  };
}

/** The shares of the rows that combinations of list values have, largest first. */
function sharesOf(
  scheme: Scheme,
  lists: readonly Dimension[],
  { columns, sample }: TableStatistics,
): readonly number[] {
  if (lists.length === 0) return [1];
  const of = lists.map(({ column }) => columns.find((each) => each.column === column));
  // One that is below another has at least as many combinations as values.
  const distinct = Math.max(1, ...of.map((each) => Math.round(each?.distinct ?? 1)));
  if (sample !== null && sample.length > 0) {
    const places = scheme.dimensions
      .filter(({ strategy }) => strategy === "list")
      .flatMap(({ column }, at) => (lists.some((list) => list.column === column) ? [at] : []));
    const counts = new Map<string, number>();
    for (const { values, count } of sample) {
      const key = JSON.stringify(places.map((at) => values[at]));
      counts.set(key, (counts.get(key) ?? 0) + count);
    }
    // A sample misses rare combinations, and there are at least as many as values.
    const unseen = Array.from({ length: Math.max(0, distinct - counts.size) }, () => 1);
    return normalised([...counts.values(), ...unseen]);
  }
  const known = of.find((each) => Math.round(each?.distinct ?? 1) === distinct)?.frequencies ?? [];
  const common = known.slice(0, distinct);
  const rest = Math.max(0, 1 - common.reduce((sum, each) => sum + each, 0));
  const others = distinct - common.length;
  return normalised([...common, ...Array.from({ length: others }, () => rest / others || 1e-9)]);
}

function normalised(weights: readonly number[]): readonly number[] {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total).sort((a, b) => b - a);
}

/** How many intervals of the ranges there are, and how many of them hold rows. */
function intervalsOf(
  dimensions: readonly Dimension[],
  { spread }: TableStatistics,
  year: number,
): { readonly all: number; readonly filled: number } {
  const range = dimensions.find(({ strategy }) => strategy === "range");
  if (range?.strategy !== "range") return { all: 1, filled: 1 };
  if (typeof range.every === "number") {
    const filled = Math.ceil(((spread?.until ?? 0) - (spread?.from ?? 0)) / range.every) || 1;
    return { all: filled + range.premake, filled };
  }
  const length = LENGTH_MS[range.every];
  const span = (spread === null ? 0 : spread.until - spread.from) + year * YEAR_MS;
  const kept = retainedYears(dimensions);
  const filled = Math.ceil(Math.min(span, kept === null ? span : kept * YEAR_MS) / length) + 1;
  return { all: filled + range.premake, filled };
}

/** Which share of the rows that are there the busiest interval has. */
function busiest(dimensions: readonly Dimension[], { spread }: TableStatistics): number {
  const range = dimensions.find(({ strategy }) => strategy === "range");
  if (range?.strategy !== "range" || spread === null) return 0;
  const length = typeof range.every === "number" ? range.every : LENGTH_MS[range.every];
  const { quantiles } = spread;
  let [most, first] = [0, 0];
  for (const [last, key] of quantiles.entries()) {
    while (key - (quantiles[first] ?? key) >= length) first++;
    most = Math.max(most, last - first);
  }
  return most / Math.max(quantiles.length - 1, 1);
}

/** For how many years rows stay; null where they are kept. */
export function retainedYears(dimensions: readonly Dimension[]): number | null {
  const range = dimensions.find(({ strategy }) => strategy === "range");
  if (range?.strategy !== "range" || range.retain === null) return null;
  const parts = [...range.retain.matchAll(/(\d+(?:\.\d+)?)\s*(day|week|mon|year)/g)];
  const unit: Readonly<Record<string, number>> = {
    day: 1 / 365.25,
    week: 7 / 365.25,
    mon: 1 / 12,
    year: 1,
  };
  const years = parts.reduce(
    (sum, [, n = "0", word = ""]) => sum + Number(n) * (unit[word] ?? 0),
    0,
  );
  return years === 0 ? null : years;
}

/** All partitions of all levels. */
function relationsBelow(
  scheme: Scheme,
  dimensions: readonly Dimension[],
  statistics: TableStatistics,
  intervals: number,
): number {
  let total = 0;
  for (let depth = 1; depth <= dimensions.length; depth++) {
    const above = dimensions.slice(0, depth);
    const lists = above.filter(({ strategy }) => strategy === "list");
    const ranged = above.some(({ strategy }) => strategy === "range") ? intervals : 1;
    const hashed = above.reduce((n, each) => (each.strategy === "hash" ? n * each.modulus : n), 1);
    total += sharesOf(scheme, lists, statistics).length * ranged * hashed;
  }
  return total;
}
