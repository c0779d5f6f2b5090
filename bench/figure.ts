import type { Sample } from "./measure.ts";

/** What a figure is held to: our own number, or how many times better than theirs it is. */
export type Target =
  | { readonly of: "ours"; readonly atMost: number }
  | { readonly of: "ratio"; readonly atLeast: number };

/** One line of a bench. */
export interface Figure {
  readonly what: string;
  readonly ours: number;
  /** Null where there is nothing to compare with. */
  readonly theirs: number | null;
  /** Of both. Less is better. */
  readonly unit: string;
  /** `theirs / ours`: 2 is twice as good, 1 is equal. Null beside a zero of ours. */
  readonly ratio: number | null;
  readonly target: Target | null;
  /** Null without a target. */
  readonly met: boolean | null;
  /** From the tenth to the ninetieth percentile. */
  readonly spread: {
    readonly ours: readonly [number, number] | null;
    readonly theirs: readonly [number, number] | null;
  };
}

/** What {@link figure} is made of: a reading is a sample, or a number that does not vary. */
export interface FigureOptions {
  readonly what: string;
  readonly ours: Sample | number;
  readonly theirs?: Sample | number;
  /** @default "ms" */
  readonly unit?: string;
  readonly target?: Target;
}

/** One figure, with its ratio and whether it meets its target. */
export function figure({ what, ours, theirs, unit = "ms", target }: FigureOptions): Figure {
  const mine = middle(ours);
  const other = theirs === undefined ? null : middle(theirs);
  const ratio = other === null || mine === 0 ? null : other / mine;
  return {
    what,
    ours: mine,
    theirs: other,
    unit,
    ratio,
    target: target ?? null,
    met: target === undefined ? null : meets(target, mine, ratio),
    spread: { ours: spread(ours), theirs: theirs === undefined ? null : spread(theirs) },
  };
}

function middle(reading: Sample | number): number {
  return typeof reading === "number" ? reading : reading.median;
}

function spread(reading: Sample | number): readonly [number, number] | null {
  return typeof reading === "number" ? null : [reading.p10, reading.p90];
}

function meets(target: Target, ours: number, ratio: number | null): boolean {
  if (target.of === "ours") return ours <= target.atMost;
  return ratio !== null && ratio >= target.atLeast;
}
