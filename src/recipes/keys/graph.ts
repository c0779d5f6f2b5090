import type { ColumnFact } from "../../catalog/columns.ts";
import type { ConstraintFact } from "../../catalog/constraints.ts";
import type { Facts } from "../../catalog/read-facts.ts";
import type { RelationName } from "../../plan/step.ts";
import { DEFAULT_RUN_OPTIONS } from "../../run/options.ts";
import { qualified } from "../../sql/quote.ts";
import { isOf, isSame, refuse } from "../own-column.ts";

/** The readings of the catalog that a conversion of keys is planned from. */
export type KeyFacts = Pick<
  Facts,
  | "server"
  | "tables"
  | "columns"
  | "indexes"
  | "constraints"
  | "triggers"
  | "functions"
  | "partitions"
  | "inheritance"
  | "publications"
  | "grants"
  | "dependencies"
  | "views"
  | "policies"
  | "sequences"
>;

/** A key of integers with every column that holds its values: the same rows are meant by all of them. */
export interface KeyClass {
  /** The table whose rows it tells apart. */
  readonly root: RelationName;
  readonly column: string;
  /** The root's column first, then by table. */
  readonly members: readonly KeyMember[];
}

/** A column that holds values of a key. */
export interface KeyMember {
  /** Of a partition: the partitioned table, since columns are added there. */
  readonly table: RelationName;
  readonly column: ColumnFact;
}

/** The types of keys that are converted. */
export const INTEGERS: readonly string[] = ["smallint", "integer", "bigint"];

/** The table that the columns of a table come from: of a partition its root. */
export function homeOf({ partitions }: Pick<Facts, "partitions">, of: RelationName): RelationName {
  const { schema, name } = partitions.find((each) => isSame(each, of))?.root ?? of;
  return { schema, name };
}

/** Foreign keys as somebody made them: those that partitions have from above are left out. */
export function foreignKeysOf({ constraints }: Pick<Facts, "constraints">): readonly ForeignKey[] {
  return constraints.flatMap((each) =>
    each.kind === "foreignKey" && each.references !== null && each.parent === null
      ? [{ ...each, references: each.references }]
      : [],
  );
}

/** A foreign key. */
export type ForeignKey = ConstraintFact & {
  readonly references: NonNullable<ConstraintFact["references"]>;
};

/** The primary key of a table. */
export function primaryKeyOf(
  { constraints }: Pick<Facts, "constraints">,
  table: RelationName,
): ConstraintFact | undefined {
  return constraints.find((each) => isOf(each, table) && each.kind === "primaryKey");
}

/**
 * Which columns change together when the keys of tables do: each primary key of one integer, with all columns that foreign keys tie to
 * it, directly or through others. Pure over the facts.
 *
 * A column of a composite foreign key goes with the column that it points at, so that a key within a tenant is followed like any
 * other. What a key is made of elsewhere (a line number beside an order) stays as it is.
 */
export function keyClasses(facts: KeyFacts, wanted: readonly RelationName[]): readonly KeyClass[] {
  const keys = foreignKeysOf(facts);
  const ties = keys.flatMap((key) =>
    key.columns.flatMap((column, at) => {
      const to = key.references.columns[at];
      return to === undefined
        ? []
        : [
            {
              from: { table: homeOf(facts, { schema: key.schema, name: key.table }), column },
              to: { table: homeOf(facts, key.references), column: to },
            },
          ];
    }),
  );
  const classes: KeyClass[] = [];
  for (const table of wanted) {
    const key = primaryKeyOf(facts, table);
    const [column] = key?.columns ?? [];
    if (column === undefined) continue;
    const known = classes.some(({ members }) =>
      members.some((each) => isSame(each.table, table) && each.column.name === column),
    );
    if (!known) classes.push(classOf(facts, ties, { table, column }));
  }
  const named = (each: RelationName) => wanted.some((table) => isSame(table, each));
  const other = classes.find(({ root }) => !named(root));
  if (other !== undefined)
    refuse(
      `the key of ${pathOf(other.members.find(({ table }) => named(table))?.table ?? other.root)} is that of ${pathOf(other.root)}, which it refers to`,
      `Name ${other.root.name} among the tables too: both change together.`,
    );
  return classes;
}

interface Place {
  readonly table: RelationName;
  readonly column: string;
}

interface Tie {
  readonly from: Place;
  readonly to: Place;
}

function classOf(facts: KeyFacts, ties: readonly Tie[], start: Place): KeyClass {
  const found: Place[] = [start];
  const add = (place: Place) => {
    if (!found.some((each) => isPlace(each, place))) found.push(place);
  };
  // What is found is looked through in its turn.
  for (const place of found)
    for (const { from, to } of ties) {
      if (isPlace(from, place)) add(to);
      if (isPlace(to, place)) add(from);
    }
  const keys = found.filter(({ table, column }) => {
    const key = primaryKeyOf(facts, table);
    return key?.columns.length === 1 && key.columns[0] === column;
  });
  const heads = keys.filter(
    (key) => !ties.some(({ from, to }) => isPlace(from, key) && !isPlace(to, key)),
  );
  const [head = start, second] = heads;
  if (second !== undefined) {
    const both = found.find(
      (place) =>
        ties.filter(({ from, to }) => isPlace(from, place) && heads.some((h) => isPlace(h, to)))
          .length > 1,
    );
    refuse(
      `${both === undefined ? "a column" : nameOf(both)} refers to ${nameOf(head)} and to ${nameOf(second)} at once: one integer cannot stand for two UUIDs`,
      "Give each key that it refers to a column of its own first.",
    );
  }
  const members = found
    .toSorted((a, b) => Number(isPlace(b, head)) - Number(isPlace(a, head)) || compare(a, b))
    .map((place) => memberOf(facts, place));
  return { root: head.table, column: head.column, members };
}

function memberOf({ columns }: KeyFacts, place: Place): KeyMember {
  const column = columns.find((each) => isOf(each, place.table) && each.name === place.column);
  if (column === undefined)
    return refuse(
      `the facts do not hold ${nameOf(place)}, which foreign keys tie to the key`,
      "Read them with its schema too: readFacts(db, { schemas: [ … ] }).",
    );
  if (!INTEGERS.includes(column.type))
    refuse(
      `${nameOf(place)} is of type ${column.type}, and not an integer`,
      "Only keys of smallint, integer and bigint are converted: leave the table out.",
    );
  return { table: place.table, column };
}

/** Every table whose primary key is one integer, but for those of the runs; partitions have theirs from above. */
export function integerKeyed(facts: KeyFacts): readonly RelationName[] {
  return facts.tables
    .filter(
      (table) =>
        table.extension === null &&
        table.schema !== DEFAULT_RUN_OPTIONS.runSchema &&
        !facts.partitions.some((each) => isSame(each, table) && each.parent !== null),
    )
    .filter((table) => {
      const [column, second] = primaryKeyOf(facts, table)?.columns ?? [];
      const fact = facts.columns.find((each) => isOf(each, table) && each.name === column);
      return second === undefined && fact !== undefined && INTEGERS.includes(fact.type);
    })
    .map(({ schema, name }) => ({ schema, name }));
}

/** A phase: the classes that are converted up to one deployment. */
export interface Phase {
  readonly name: string;
  readonly classes: readonly KeyClass[];
}

/**
 * Leaves first: the keys that nothing refers to, whose conversion concerns one table each; then all others, which refer to each other in
 * circles as often as not.
 */
export function defaultPhases(classes: readonly KeyClass[]): readonly Phase[] {
  const isLeaf = ({ members }: KeyClass) => members.length === 1;
  const leaves = classes.filter(isLeaf);
  const hubs = classes.filter((each) => !isLeaf(each));
  if (leaves.length === 0 || hubs.length === 0) return [{ name: "keys", classes }];
  return [
    { name: "leaves", classes: leaves },
    { name: "hubs", classes: hubs },
  ];
}

function isPlace(a: Place, b: Place): boolean {
  return isSame(a.table, b.table) && a.column === b.column;
}

function compare(a: Place, b: Place): number {
  return nameOf(a) < nameOf(b) ? -1 : 1;
}

function nameOf({ table, column }: Place): string {
  return `${pathOf(table)}.${column}`;
}

function pathOf({ schema, name }: RelationName): string {
  return qualified(schema, name);
}
