import type { PartitionFact } from "../catalog/partitions.ts";
import type { Scheme } from "../definition/scheme.ts";
import { UnderpinError } from "../errors.ts";
import type { Plan } from "../plan/step.ts";
import { literal, qualified } from "../sql/quote.ts";
import { shorten } from "../sql/shorten.ts";
import { parseBound, type Edge } from "./bound.ts";
import { namesOf } from "./provision-names.ts";
import type { Leaf } from "./reshape-sql.ts";
import type { ReshapeFacts } from "./reshape-of.ts";
import { replaceLeaves } from "./reshape.ts";

/** Which partition to split, and where. */
export interface SplitPartitionOptions {
  /** Readings of the catalog: `await readFacts(db)`. */
  readonly facts: ReshapeFacts;
  readonly scheme: Scheme;
  /** The name of the leaf, in the schema of the scheme's table. */
  readonly partition: string;
  /** Where a range is cut, in ascending order; the values that each part of a list takes. */
  readonly at: readonly [string, ...string[]] | readonly (readonly [string, ...string[]])[];
  /** @default `<partition>_1`, `<partition>_2`, … */
  readonly names?: readonly string[];
}

/**
 * Splits a partition by range or by list in two or more, while reads and writes go on.
 *
 * PostgreSQL has no SPLIT PARTITION up to 18. The parts are filled beside it from a log of what changes, and put in its place in one
 * short transaction. The old partition is kept like the new ones until `dropReplaced`, so that undo loses no row.
 */
export function splitPartition(options: SplitPartitionOptions): Plan {
  const { facts, scheme, partition, at, names } = options;
  const { schema } = namesOf(scheme);
  const leaf = leafOf(facts, schema, partition);
  const bounds = boundsOf(leaf, at);
  const parts = bounds.map(
    (bound, index): Leaf => ({
      name: names?.[index] ?? shorten(`${partition}_${index + 1}`),
      bound,
    }),
  );
  const [first, ...rest] = parts;
  if (first === undefined || rest.length === 0)
    throw new UnderpinError({
      code: "invalidInput",
      message: `${partition} is to be split in ${parts.length} parts`,
      hint: "Name at least one value of a range at which it is cut, or two sets of values of a list.",
    });
  return replaceLeaves(`split-${schema}-${partition}`, {
    facts,
    scheme,
    parent: leaf.parent.name,
    old: [{ name: partition, bound: leaf.bound }],
    new: [first, ...rest],
  });
}

/** A leaf with a parent and a bound that is no default. */
export type BoundLeaf = PartitionFact & {
  readonly parent: NonNullable<PartitionFact["parent"]>;
  readonly bound: string;
};

/** A leaf of the facts; refuses what cannot be replaced. */
export function leafOf(facts: ReshapeFacts, schema: string, name: string): BoundLeaf {
  const leaf = facts.partitions.find((each) => each.schema === schema && each.name === name);
  if (leaf?.parent == null || leaf.bound === null || leaf.key !== null || leaf.isDefault)
    throw new UnderpinError({
      code: "invalidInput",
      message: `${qualified(schema, name)} is no partition by range or list that holds rows itself`,
      hint: "Name a leaf of the scheme, as inspectPartitions lists them. Rows of a default partition are moved by maintain.",
    });
  return { ...leaf, parent: leaf.parent, bound: leaf.bound };
}

function boundsOf(leaf: BoundLeaf, at: SplitPartitionOptions["at"]): readonly string[] {
  const bound = parseBound(leaf.bound);
  const cuts = at.filter((each): each is string => typeof each === "string");
  const sets = at.filter((each): each is readonly [string, ...string[]] => Array.isArray(each));
  if (bound.strategy === "range" && sets.length === 0 && bound.lower.length === 1) {
    const edges = [bound.lower[0], ...cuts.map((value): Edge => ({ value })), bound.upper[0]];
    return edges
      .slice(1)
      .map((upper, index) => `FOR VALUES FROM (${edgeSql(edges[index])}) TO (${edgeSql(upper)})`);
  }
  if (bound.strategy === "list" && cuts.length === 0) {
    const given = sets.flat();
    const missing = bound.values.filter((value) => value === null || !given.includes(value));
    if (missing.length === 0 && given.length === bound.values.length)
      return sets.map((values) => `FOR VALUES IN (${values.map(literal).join(", ")})`);
  }
  throw new UnderpinError({
    code: "invalidInput",
    message: `${leaf.name} takes ${leaf.bound}: it cannot be split at ${JSON.stringify(at)}`,
    hint: "Cut a range of one column at values inside of it; give each value of a list to exactly one part.",
  });
}

/** One end of a range as SQL. */
export function edgeSql(edge: Edge | undefined): string {
  if (edge === "minimum" || edge === undefined) return "MINVALUE";
  return edge === "maximum" ? "MAXVALUE" : literal(edge.value);
}
