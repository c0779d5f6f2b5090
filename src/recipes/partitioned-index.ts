import { createHash } from "node:crypto";
import type { PartitionFact } from "../catalog/partitions.ts";
import type { Facts } from "../catalog/read-facts.ts";
import { UnderpinError } from "../errors.ts";
import type { Lock, RelationName, Step } from "../plan/step.ts";
import { columnName } from "../plan/target.ts";
import { literal, qualified } from "../sql/quote.ts";
import { shorten } from "../sql/shorten.ts";
import { buildStep, createIndexSql, type IndexShape } from "./build-index.ts";
import { idOf, perCommit, unknownPartitionsSql, type TreeBelow } from "./partitions-of.ts";

/** A partitioned table and the name of the index that it is to have. */
export interface PartitionedIndex {
  readonly facts: Pick<Facts, "tables" | "indexes">;
  readonly target: RelationName;
  readonly name: string;
  readonly tree: TreeBelow;
}

/** A partition with the name that its part of the index gets. */
type Member = PartitionFact & { readonly index: string };

/**
 * The index of a partitioned table without a moment in which writers wait for a build.
 *
 * First every partitioned table gets an INVALID one of its own (ON ONLY), so that a partition which comes later is made with its
 * part. Then each leaf's part is built concurrently, and attached. With the last one PostgreSQL makes the whole valid.
 */
export function partitionedIndex(
  shape: IndexShape,
  { facts, target, name, tree }: PartitionedIndex,
): readonly Step[] {
  refuseMissingKeys(shape, target, tree);
  const named = (partition: PartitionFact): Member => ({
    ...partition,
    index: samePlace(partition, target) ? name : partNameOf(facts, partition, name, target),
  });
  const nodes = tree.nodes.map(named);
  const leaves = tree.leaves.map(named);
  return [
    ...perCommit(nodes).flatMap((some, at) => onParents(shape, some, at, nodes, leaves)),
    ...leaves.map((leaf) =>
      buildStep(shape, leaf, leaf.index, `create-index:${idOf(leaf, target)}`),
    ),
    ...perCommit(bottomUp(leaves)).map((some, at) => attachStep(some, at, nodes)),
    isValid(target, name),
  ];
}

function onParents(
  shape: IndexShape,
  some: readonly Member[],
  at: number,
  nodes: readonly Member[],
  leaves: readonly Member[],
): readonly Step[] {
  const suffix = at === 0 ? "" : `:${at + 1}`;
  const above = some.flatMap((node) => {
    const parent = parentOf(node, nodes);
    return parent === undefined || some.includes(parent) ? [] : [parent];
  });
  const locks: readonly Lock[] = [
    ...some.map(({ schema, name }): Lock => ({ schema, name, mode: "share" })),
    ...[...new Set(above)].flatMap(attachingTo),
  ];
  const [top] = some;
  const all = [...nodes, ...leaves];
  return [
    {
      kind: "sql",
      id: `create-on-parents${suffix}`,
      title: "New partitions get their part of the index from now on",
      sql: some
        .flatMap((node) => {
          const parent = parentOf(node, nodes);
          const create = createIndexSql(shape, node, node.index, "ON ONLY");
          return parent === undefined ? [create] : [create, attachSql(parent, node)];
        })
        .join(";\n"),
      locks,
      creates: some.length,
      transaction: "inside",
      undo:
        at > 0 || top === undefined
          ? { kind: "nothing" }
          : {
              kind: "statement",
              // A part cannot be dropped alone, nor taken from the whole: PostgreSQL locks them all.
              sql: `DROP INDEX ${qualified(top.schema, top.index)}`,
              locks: [
                { schema: top.schema, name: top.name, mode: "accessExclusive", partitions: true },
                ...all.map(
                  ({ schema, index }): Lock => ({ schema, name: index, mode: "accessExclusive" }),
                ),
              ],
              transaction: "inside",
            },
    },
    {
      kind: "check",
      id: `no-partition-is-forgotten${suffix}`,
      title: "No partition came since the facts were read",
      // The lock of CREATE INDEX keeps others from attaching one until this commits.
      sql: unknownPartitionsSql(some, all),
      expect: "noRows",
      transaction: "commitAfter",
      undo: { kind: "nothing" },
    },
  ];
}

function attachStep(some: readonly Member[], at: number, nodes: readonly Member[]): Step {
  const pairs = some.flatMap((leaf) => {
    const parent = parentOf(leaf, nodes);
    return parent === undefined ? [] : [{ leaf, parent }];
  });
  return {
    kind: "sql",
    id: `attach${at === 0 ? "" : `:${at + 1}`}`,
    title: `Put ${some.length} built parts into the index`,
    sql: pairs.map(({ leaf, parent }) => attachSql(parent, leaf)).join(";\n"),
    locks: [
      ...[...new Set(pairs.map(({ parent }) => parent))].flatMap(attachingTo),
      ...some.flatMap(({ schema, name, index }): readonly Lock[] => [
        { schema, name, mode: "accessShare", indexes: false },
        { schema, name: index, mode: "accessExclusive" },
      ]),
    ],
    transaction: "commitAfter",
    undo: { kind: "nothing" },
  };
}

function attachSql(parent: Member, part: Member): string {
  return `ALTER INDEX ${qualified(parent.schema, parent.index)} ATTACH PARTITION ${qualified(part.schema, part.index)}`;
}

function attachingTo({ schema, name, index }: Member): readonly Lock[] {
  return [
    { schema, name, mode: "accessShare", indexes: false },
    { schema, name: index, mode: "shareUpdateExclusive" },
  ];
}

function isValid({ schema, name: table }: RelationName, name: string): Step {
  return {
    kind: "check",
    id: "is-valid",
    title: `${name} is whole`,
    sql: `SELECT c.relname, 'lacks the part of a partition' AS reason
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
WHERE i.indexrelid = ${literal(qualified(schema, name))}::regclass
  AND i.indrelid = ${literal(qualified(schema, table))}::regclass AND NOT i.indisvalid`,
    expect: "noRows",
    transaction: "commitAfter",
    undo: { kind: "nothing" },
  };
}

/** The leaves of the lowest nodes first. */
function bottomUp(leaves: readonly Member[]): readonly Member[] {
  return leaves.toSorted((a, b) => b.level - a.level);
}

function parentOf({ parent }: Member, nodes: readonly Member[]): Member | undefined {
  return parent === null ? undefined : nodes.find((node) => samePlace(node, parent));
}

/** As PostgreSQL would name it: `<partition>_<columns>_idx`, with what the index adds to the name of its table. */
export function partNameOf(
  { tables, indexes }: Pick<Facts, "tables" | "indexes">,
  partition: PartitionFact,
  name: string,
  target: RelationName,
): string {
  const own = name.startsWith(`${target.name}_`) ? name.slice(target.name.length + 1) : name;
  const wanted = shorten(`${partition.name}_${own}`);
  const isWanted = (each: RelationName) => samePlace(each, { ...partition, name: wanted });
  const isTaken =
    tables.some(isWanted) ||
    indexes.some((each) => isWanted(each) && each.table !== partition.name);
  if (!isTaken) return wanted;
  const hash = createHash("sha256").update(`${partition.name}/${name}`).digest("hex").slice(0, 8);
  return shorten(`${wanted}_${hash}`);
}

/** A unique index tells apart within one partition only, unless its columns say which partition it is. */
export function refuseMissingKeys(
  { unique, parts }: IndexShape,
  target: RelationName,
  tree: TreeBelow,
): void {
  if (unique !== true) return;
  const columns = parts.flatMap((part) => {
    const on = typeof part === "object" && "on" in part ? part.on : part;
    return typeof on === "object" && "expression" in on ? [] : [columnName(on)];
  });
  const wanted = tree.nodes.flatMap(({ key }) => key?.columns ?? []);
  const missing = [...new Set(wanted)].filter((c) => c === null || !columns.includes(c));
  if (missing.length === 0) return;
  throw new UnderpinError({
    code: "invalidInput",
    message: `a unique index of ${qualified(target.schema, target.name)} has to hold every column that it is partitioned by: ${missing.map((c) => c ?? "an expression").join(", ")} is missing`,
    hint: "Add it to parts; where one partition's rows alone must differ, build a unique index on each partition.",
  });
}

function samePlace(a: RelationName, b: RelationName): boolean {
  return a.schema === b.schema && a.name === b.name;
}
