import type { Scheme } from "../../definition/scheme.ts";

/** By which way a plain table comes to its partitions. */
export interface ConversionAdvice {
  readonly strategy: "copy" | "attach";
  readonly why: string;
  /** What stays together where the table is attached as it is; null where it cannot be. */
  readonly coarse: string | null;
}

/** Which strategy of `convertToPartitioned` fits a scheme, whatever the table is. */
export function conversionAdvice({ dimensions }: Scheme): ConversionAdvice {
  const [first, ...below] = dimensions;
  if (first.strategy === "hash")
    return {
      strategy: "copy",
      why: "no hash partition takes all the rows that are there",
      coarse: null,
    };
  const uncut = below.length === 0 ? "" : `, not cut by ${below.map((d) => d.column).join(", ")}`;
  const what =
    first.strategy === "range"
      ? "up to the end of the present interval"
      : "of all values that are there";
  const coarse = `the rows ${what} stay in one partition${uncut}`;
  // Rows of a range leave with time: then one partition of all old ones is as good as many, some time later.
  return first.strategy === "range" && first.retain !== null
    ? {
        strategy: "attach",
        why: `nothing is copied; ${coarse}, which leaves by itself ${first.retain} after its end`,
        coarse,
      }
    : {
        strategy: "copy",
        why: `each row comes to its own partition; attached, ${coarse} until it is split`,
        coarse,
      };
}
