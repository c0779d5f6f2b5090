import type { Scheme } from "../definition/scheme.ts";
import { UnderpinError } from "../errors.ts";
import type { Plan } from "../plan/step.ts";
import { literal } from "../sql/quote.ts";
import { shorten } from "../sql/shorten.ts";
import { parseBound, type Bound } from "./bound.ts";
import { namesOf } from "./provision-names.ts";
import type { ReshapeFacts } from "./reshape-of.ts";
import { replaceLeaves } from "./reshape.ts";
import { edgeSql, leafOf, type BoundLeaf } from "./split-partition.ts";

/** Which partitions become one. */
export interface MergePartitionsOptions {
  /** Readings of the catalog: `await readFacts(db)`. */
  readonly facts: ReshapeFacts;
  readonly scheme: Scheme;
  /** The names of two or more leaves of one parent; those of a range have no gap between them. */
  readonly partitions: readonly [string, string, ...string[]];
  /** @default `<first partition>_merged` */
  readonly name?: string;
}

/**
 * Merges partitions by range or by list that have one parent into one, while reads and writes go on.
 *
 * PostgreSQL has no MERGE PARTITIONS up to 18. It is done as `splitPartition` does it, and can be taken back until `dropReplaced`.
 */
export function mergePartitions(options: MergePartitionsOptions): Plan {
  const { facts, scheme, partitions } = options;
  const { schema } = namesOf(scheme);
  const leaves = [...new Set(partitions)].map((name) => leafOf(facts, schema, name));
  const [first, ...others] = leaves;
  if (
    first === undefined ||
    others.length === 0 ||
    others.some(({ parent }) => parent.name !== first.parent.name)
  )
    throw refused(leaves, "they are not two or more partitions of one parent");
  const name = options.name ?? shorten(`${first.name}_merged`);
  return replaceLeaves(`merge-${schema}-${first.name}`, {
    facts,
    scheme,
    parent: first.parent.name,
    old: [first, ...others],
    new: [{ name, bound: boundOf(leaves) }],
  });
}

type Range = Bound & { readonly strategy: "range" };

function boundOf(leaves: readonly BoundLeaf[]): string {
  const bounds = leaves.map(({ bound }) => parseBound(bound));
  const lists = bounds.flatMap((bound) => (bound.strategy === "list" ? [bound] : []));
  if (lists.length === bounds.length) {
    const values = lists.flatMap((list) => list.values);
    return `FOR VALUES IN (${values.map((value) => (value === null ? "NULL" : literal(value))).join(", ")})`;
  }
  const ranges = bounds.flatMap((bound) => (bound.strategy === "range" ? [bound] : []));
  const [lower, upper] = [ends(ranges, "lower", "upper"), ends(ranges, "upper", "lower")];
  if (ranges.length < bounds.length || lower.length !== 1 || upper.length !== 1)
    throw refused(leaves, "there is a gap between them, or they are not by range or list");
  const edges = (list: Range["lower"] | undefined) => (list ?? []).map(edgeSql).join(", ");
  return `FOR VALUES FROM (${edges(lower[0]?.lower)}) TO (${edges(upper[0]?.upper)})`;
}

/** The ranges whose one end meets no other range: of ranges without a gap there is one at each end. */
function ends(
  ranges: readonly Range[],
  side: "lower" | "upper",
  other: "lower" | "upper",
): readonly Range[] {
  return ranges.filter(
    (range) => !ranges.some((each) => JSON.stringify(each[other]) === JSON.stringify(range[side])),
  );
}

function refused(leaves: readonly BoundLeaf[], why: string): UnderpinError {
  return new UnderpinError({
    code: "invalidInput",
    message: `${leaves.map(({ name }) => name).join(", ")} cannot be merged: ${why}`,
    hint: "Name leaves of one parent; those by range in one piece.",
  });
}
