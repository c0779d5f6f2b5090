import type { Facts } from "../catalog/read-facts.ts";
import type { Scheme } from "../definition/scheme.ts";
import { UnderpinError } from "../errors.ts";
import type { RelationName } from "../plan/step.ts";
import { ident, qualified } from "../sql/quote.ts";
import { shorten } from "../sql/shorten.ts";
import { namesOf } from "./provision-names.ts";
import type { Leaf, Reshape, ReshapeNames } from "./reshape-sql.ts";

/** The facts that changing the shape of a partitioned table needs. */
export type ReshapeFacts = Pick<
  Facts,
  "tables" | "columns" | "constraints" | "partitions" | "indexes" | "policies"
>;

/** The CHECK that both sides of a replacement have, until the replaced leaves are dropped. */
export const RESHAPE_CHECK = "underpin_reshape_bound";

/** Which leaves are replaced by which. */
export interface Replacement {
  readonly facts: ReshapeFacts;
  readonly scheme: Scheme;
  readonly parent: string;
  readonly old: readonly [Leaf, ...Leaf[]];
  readonly new: readonly [Leaf, ...Leaf[]];
}

/** A foreign key of a table to another. */
export interface OutgoingKey {
  readonly name: string;
  /** What follows ADD CONSTRAINT, without NOT VALID. */
  readonly definition: string;
  readonly to: RelationName;
}

/** What stands around the leaves and is locked with them. */
export interface Surroundings {
  /** The tables above the parent, whose bounds ATTACH reads. */
  readonly above: readonly string[];
  /** The default partition beside them: ATTACH looks through it. */
  readonly beside: string | undefined;
  readonly keys: readonly OutgoingKey[];
  /** How many indexes the parent has, and so each new leaf. */
  readonly indexes: number;
  /** How many the old leaves have together. */
  readonly oldIndexes: number;
}

/** The names of what is made beside a reshape; `first` is the first of the leaves that are replaced. */
export function reshapeNames(first: string): ReshapeNames {
  const name = (what: string) => shorten(`${first}_reshape_${what}`);
  return {
    aside: name("aside"),
    log: name("log"),
    work: name("work"),
    sync: name("sync"),
    check: RESHAPE_CHECK,
  };
}

/** Reads what a replacement has to know of its tables; refuses what cannot be replaced without losing rows. */
export function reshapeOf({ facts, scheme, parent, ...leaves }: Replacement): Reshape {
  const { schema, make } = namesOf(scheme);
  const [first] = leaves.old;
  const above = facts.partitions.find((each) => each.schema === schema && each.name === parent);
  const ofLeaf = facts.columns.filter((c) => c.schema === schema && c.table === first.name);
  const primary = facts.constraints.find(
    (c) => c.schema === schema && c.table === first.name && c.kind === "primaryKey",
  );
  if (above?.key == null || primary === undefined)
    throw new UnderpinError({
      code: "invalidInput",
      message: `${qualified(schema, first.name)} has no primary key: without one its rows cannot be copied while they change`,
      hint: "Add a primary key that holds the partition columns.",
    });
  refuseReferenced(facts, schema, [
    ...pathAbove(facts, schema, parent),
    parent,
    ...leaves.old.map(({ name }) => name),
  ]);
  const taken = leaves.new.find(({ name }) =>
    facts.tables.some((each) => each.schema === schema && each.name === name),
  );
  if (taken !== undefined)
    throw new UnderpinError({
      code: "invalidInput",
      message: `there is a table ${qualified(schema, taken.name)} already`,
      hint: "Give the new partition another name.",
    });
  return {
    schema,
    parent,
    partitionBy: above.key.definition,
    make,
    ...leaves,
    columns: ofLeaf.filter(({ generated }) => generated === null).map(({ name }) => name),
    key: primary.columns.map((name) => ({
      name,
      type: ofLeaf.find((column) => column.name === name)?.type ?? "text",
    })),
    policies: facts.policies.filter((p) => p.schema === schema && p.table === first.name),
    names: reshapeNames(first.name),
  };
}

/** What stands around the leaves of a replacement. */
export function surroundingsOf({ facts, scheme, parent, old }: Replacement): Surroundings {
  const { schema } = namesOf(scheme);
  const indexes = (table: string) =>
    facts.indexes.filter((each) => each.schema === schema && each.table === table).length;
  return {
    above: pathAbove(facts, schema, parent),
    beside: facts.partitions.find(
      (each) => each.schema === schema && each.parent?.name === parent && each.isDefault,
    )?.name,
    keys: outgoingKeys(facts, { schema, name: parent }),
    indexes: indexes(parent),
    oldIndexes: old.reduce((sum, { name }) => sum + indexes(name), 0),
  };
}

/** The foreign keys of a table. */
export function outgoingKeys(
  { constraints }: Pick<Facts, "constraints">,
  { schema, name }: RelationName,
): readonly OutgoingKey[] {
  return constraints.flatMap((c) =>
    c.schema === schema && c.table === name && c.references !== null
      ? [
          {
            name: c.name,
            definition: c.definition.replace(/ NOT VALID$/, ""),
            to: { schema: c.references.schema, name: c.references.name },
          },
        ]
      : [],
  );
}

/** The tables above a partition, from the root down. */
function pathAbove(facts: ReshapeFacts, schema: string, name: string): readonly string[] {
  const own = facts.partitions.find((each) => each.schema === schema && each.name === name);
  return own?.parent == null
    ? []
    : [...pathAbove(facts, own.parent.schema, own.parent.name), own.parent.name];
}

function refuseReferenced(facts: ReshapeFacts, schema: string, names: readonly string[]): void {
  const incoming = facts.constraints.find(
    ({ references }) => references?.schema === schema && names.includes(references.name),
  );
  if (incoming !== undefined)
    throw new UnderpinError({
      code: "invalidInput",
      message: `${qualified(incoming.schema, incoming.table)} refers to the rows by ${incoming.name}: a partition whose rows are referenced cannot be detached (23503)`,
      hint: `Drop it (ALTER TABLE ${qualified(incoming.schema, incoming.table)} DROP CONSTRAINT ${ident(incoming.name)}), change the partitions, and add it again with addForeignKey.`,
    });
}
