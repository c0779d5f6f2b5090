import type { PartitionFact } from "../catalog/partitions.ts";
import type { Facts } from "../catalog/read-facts.ts";
import { UnderpinError } from "../errors.ts";
import type { RelationName } from "../plan/step.ts";
import { literal, qualified } from "../sql/quote.ts";

/**
 * The most partitions that one transaction changes: at a dozen locks for each, a lock table of default size keeps its room for
 * everybody else.
 */
export const PARTITIONS_PER_COMMIT = 20;

/** The partitions of one table, as facts know them. */
export interface TreeBelow {
  /** The table itself and every partition that is partitioned further, a parent before its children. */
  readonly nodes: readonly PartitionFact[];
  /** What holds the rows. */
  readonly leaves: readonly PartitionFact[];
}

/** What is below a partitioned table; undefined for a table that is not partitioned. */
export function treeBelow(
  { tables, partitions }: Pick<Facts, "tables" | "partitions">,
  target: RelationName,
): TreeBelow | undefined {
  const isTable = (a: RelationName) => tables.some((b) => same(a, b));
  if (!isTable(target))
    throw new UnderpinError({
      code: "invalidInput",
      message: `the facts hold no table ${qualified(target.schema, target.name)}`,
      hint: "Read them with its schema and those of its partitions: readFacts(db, { schemas: [ … ] }).",
    });
  const top = partitions.find((each) => same(each, target));
  if (top?.key == null) return undefined;
  const below = new Set([pathOf(top)]);
  const members = [top];
  // Facts are in the order of levels, so that a parent is known before its children.
  for (const each of partitions) {
    if (each.parent === null || !below.has(pathOf(each.parent)) || each.detachPending) continue;
    below.add(pathOf(each));
    members.push(each);
  }
  const foreign = members.find((each) => !isTable(each));
  if (foreign !== undefined)
    throw new UnderpinError({
      code: "invalidInput",
      message: `the partition ${pathOf(foreign)} is a foreign table`,
      hint: "Detach it first: neither an index nor a foreign key of the whole table can include it.",
    });
  return {
    nodes: members.filter(({ key }) => key !== null),
    leaves: members.filter(({ key }) => key === null),
  };
}

/**
 * Which partitions of the nodes are not among those that the facts know. Under a lock that keeps partitions from coming, no rows
 * mean that none will be forgotten.
 */
export function unknownPartitionsSql(
  nodes: readonly RelationName[],
  known: readonly RelationName[],
): string {
  const oids = nodes.map(({ schema, name }) => `${literal(qualified(schema, name))}::regclass`);
  const names = known.map(({ schema, name }) => `(${literal(schema)}, ${literal(name)})`);
  const unknown =
    names.length === 0 ? "" : ` AND (n.nspname, c.relname) NOT IN (${names.join(", ")})`;
  return `SELECT n.nspname, c.relname, 'came after the facts were read: undo this plan, and make it again' AS reason
FROM pg_catalog.pg_inherits i
JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE i.inhparent IN (${oids.join(", ")}) AND NOT i.inhdetachpending${unknown}`;
}

/** Cuts a list into pieces of {@link PARTITIONS_PER_COMMIT}. */
export function perCommit<T>(list: readonly T[]): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(list.length / PARTITIONS_PER_COMMIT) }, (_, at) =>
    list.slice(at * PARTITIONS_PER_COMMIT, (at + 1) * PARTITIONS_PER_COMMIT),
  );
}

/** A partition in the id of a step: its name, with the schema where that is another than the table's. */
export function idOf({ schema, name }: RelationName, top: RelationName): string {
  return schema === top.schema ? name : qualified(schema, name);
}

function same(a: RelationName, b: RelationName): boolean {
  return a.schema === b.schema && a.name === b.name;
}

function pathOf({ schema, name }: RelationName): string {
  return qualified(schema, name);
}
