/**
 * Times two sides of a comparison in one run. No dependency, no database.
 */

/** What one side took. */
export interface Sample {
  readonly median: number;
  /** The range that holds the middle eight of ten rounds. */
  readonly p10: number;
  readonly p90: number;
  readonly rounds: number;
}

/** The two sides: ours, and what it is held against. */
export interface Sides {
  readonly ours: () => Promise<unknown>;
  readonly theirs: () => Promise<unknown>;
}

export interface MeasureOptions {
  /** Timed runs of each side. @default 7 */
  readonly rounds?: number;
  /** Runs of each side before the clock counts. @default 1 */
  readonly warmUp?: number;
}

/**
 * Runs both sides by turns and returns the milliseconds of each.
 *
 * Every other round the order is turned round (ABBA), so that neither side always runs in the other's wake, and whatever
 * slows the machine down for a while meets both.
 */
export async function measure(
  { ours, theirs }: Sides,
  { rounds = 7, warmUp = 1 }: MeasureOptions = {},
): Promise<{ readonly ours: Sample; readonly theirs: Sample }> {
  const taken = { ours: [] as number[], theirs: [] as number[] };
  for (let round = -warmUp; round < rounds; round++) {
    const order = round % 2 === 0 ? (["ours", "theirs"] as const) : (["theirs", "ours"] as const);
    for (const side of order) {
      const ms = await time({ ours, theirs }[side]);
      if (round >= 0) taken[side].push(ms);
    }
  }
  return { ours: sample(taken.ours), theirs: sample(taken.theirs) };
}

/** Runs something that has no counterpart and returns its milliseconds. */
export async function measureAlone(
  ours: () => Promise<unknown>,
  { rounds = 7, warmUp = 1 }: MeasureOptions = {},
): Promise<Sample> {
  const taken: number[] = [];
  for (let round = -warmUp; round < rounds; round++) {
    const ms = await time(ours);
    if (round >= 0) taken.push(ms);
  }
  return sample(taken);
}

/** Median and spread of some readings. */
export function sample(readings: readonly number[]): Sample {
  const sorted = [...readings].sort((a, b) => a - b);
  return {
    median: quantile(sorted, 0.5),
    p10: quantile(sorted, 0.1),
    p90: quantile(sorted, 0.9),
    rounds: sorted.length,
  };
}

async function time(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** Linear between the two readings that it falls between. */
function quantile(sorted: readonly number[], at: number): number {
  const place = (sorted.length - 1) * at;
  const below = sorted[Math.floor(place)];
  const above = sorted[Math.ceil(place)];
  if (below === undefined || above === undefined) throw new Error("a sample needs a reading");
  return below + (above - below) * (place - Math.floor(place));
}
