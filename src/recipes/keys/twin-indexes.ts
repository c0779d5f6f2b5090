import type { IndexFact } from "../../catalog/indexes.ts";
import type { Lock, RelationName, SqlStep, Step } from "../../plan/step.ts";
import { columnsIn } from "../../sql/column-references.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";
import { shorten } from "../../sql/shorten.ts";
import { buildStepOf } from "../build-index.ts";
import type { IndexPart } from "../index-options.ts";
import { isPartitioned, isSame, refuse } from "../own-column.ts";
import { partitionedIndex } from "../partitioned-index.ts";
import { treeBelow } from "../partitions-of.ts";
import { copyIndexSql } from "../shadow-column.ts";
import { carriedText } from "./carried-text.ts";
import { placeOf, namesOf, phaseOfColumns, twinsOf, type Conversion } from "./conversion.ts";

/** An index over converted columns, and its like over UUIDs. */
export interface TwinIndex {
  readonly index: IndexFact;
  readonly table: RelationName;
  readonly name: string;
  readonly phase: number;
}

/** What the like of an index or constraint is called. */
export function carriedName(name: string): string {
  return shorten(`${name}_uuid`);
}

/** What the unique index of the integers is called that keeps them apart once the primary key is another. */
export function spareName(name: string): string {
  return shorten(`${name}_legacy`);
}

/** The indexes over converted columns: those of partitions come with that of the whole. */
export function twinIndexes(conversion: Conversion): readonly TwinIndex[] {
  const { facts, leave } = conversion;
  return facts.indexes.flatMap((index): readonly TwinIndex[] => {
    if (!index.valid || index.parent !== null || leave.includes(index.name)) return [];
    const table = { schema: index.schema, name: index.table };
    if (!facts.tables.some((each) => isSame(each, table))) return [];
    const columns = twinsOf(conversion, table).map(({ column }) => column.name);
    const used = columns.filter((column) => mentions(index, column));
    const phase = phaseOfColumns(conversion, table, used);
    if (phase === undefined) return [];
    refuseUncarried(conversion, index, columns);
    return [{ index, table, name: carriedName(index.name), phase }];
  });
}

/** Whether an index is over a column, or its expressions or predicate name it. */
export function mentions({ keys, include, predicate }: IndexFact, column: string): boolean {
  return (
    include.includes(column) ||
    keys.some((key) =>
      key.column === null ? columnsIn(key.definition, [column]).length > 0 : key.column === column,
    ) ||
    (predicate !== null && columnsIn(predicate, [column]).length > 0)
  );
}

function refuseUncarried(
  { facts }: Conversion,
  index: IndexFact,
  columns: readonly string[],
): void {
  const of = `the index ${index.name} of ${qualified(index.schema, index.table)}`;
  const leave = `Name it in leave: ["${index.name}"] to keep it for the integers alone, or drop it first.`;
  if (index.replicaIdentity || index.clustered)
    refuse(
      `${of} is its replica identity, or what it is clustered by`,
      "Take the mark away first (REPLICA IDENTITY DEFAULT, SET WITHOUT CLUSTER), and set it again afterwards.",
    );
  if (index.exclusion) refuse(`${of} excludes rows, and cannot be built for UUIDs`, leave);
  if (index.unique && !index.immediate)
    refuse(`${of} is deferrable, and cannot be made beside the first`, leave);
  if (
    index.keys.some((key) => key.column === null && columnsIn(key.definition, columns).length > 0)
  )
    refuse(`${of} is over an expression of a converted column`, leave);
  if (
    index.predicate !== null &&
    carriedText(index.predicate, new Map(columns.map((c) => [c, c]))) === undefined
  )
    refuse(`${of} asks more of a converted column than whether it is NULL or equal`, leave);
  if (!["btree", "hash", "brin"].includes(index.method))
    refuse(`${of} is of the method ${index.method}, which knows no UUIDs`, leave);
  if (
    index.unique &&
    facts.partitions.some(
      (each) => isSame(each, { schema: index.schema, name: index.table }) && each.key !== null,
    ) &&
    index.primary
  )
    refuse(
      `the primary key of ${qualified(index.schema, index.table)}, which is partitioned, holds a converted column`,
      "PostgreSQL gives a partitioned table no primary key of an index that is there: leave the tables out that it refers to, or make the primary key a unique index first.",
    );
}

/** Builds the likes of a phase. */
export function twinIndexSteps(conversion: Conversion, phase: number): readonly Step[] {
  return twinIndexes(conversion)
    .filter((each) => each.phase === phase)
    .flatMap((twin): readonly Step[] => {
      const { index, table, name } = twin;
      const comment = commentStep(conversion, twin);
      if (isPartitioned(conversion.facts, table))
        return [...onPartitions(conversion, twin), ...comment];
      const names = namesOf(conversion, table);
      const built = build(conversion, copyIndexSql(index, table, name, names), table, name);
      return index.primary ? [built] : [built, ...comment, ...constraintSteps(conversion, twin)];
    });
}

/** Builds a second unique index of the integers of a primary key, which keeps them apart when the key is another. */
export function spareStep(conversion: Conversion, { index, table }: TwinIndex): SqlStep {
  const spare = spareName(index.name);
  return build(conversion, copyIndexSql(index, table, spare, new Map()), table, spare);
}

function build(conversion: Conversion, create: string, table: RelationName, name: string): SqlStep {
  return buildStepOf(
    create,
    table,
    name,
    `build:${placeOf(conversion, { schema: table.schema, name })}`,
  );
}

function commentStep(conversion: Conversion, { index, table, name }: TwinIndex): readonly Step[] {
  if (index.comment === null) return [];
  return [
    {
      kind: "sql",
      id: `comment:${placeOf(conversion, { schema: table.schema, name })}`,
      title: `Say of ${name} what is said of ${index.name}`,
      sql: `COMMENT ON INDEX ${qualified(table.schema, name)} IS ${literal(index.comment)}`,
      locks: [{ schema: table.schema, name, mode: "shareUpdateExclusive" }],
      transaction: "commitAfter",
      undo: { kind: "nothing" },
    },
  ];
}

function onPartitions(conversion: Conversion, { index, table, name }: TwinIndex): readonly Step[] {
  const { facts } = conversion;
  const names = namesOf(conversion, table);
  const tree = treeBelow(facts, table);
  if (tree === undefined) return [];
  const renamed = (column: string) => names.get(column) ?? column;
  const [first, ...rest] = index.keys.map(
    ({ column, definition, descending, nullsFirst }): IndexPart => ({
      on: column === null ? { expression: definition } : renamed(column),
      order: descending ? "desc" : "asc",
      nulls: nullsFirst ? "first" : "last",
    }),
  );
  if (first === undefined) return [];
  const steps = partitionedIndex(
    {
      unique: index.unique,
      method: index.method,
      parts: [first, ...rest],
      ...(index.include.length > 0 ? { include: index.include.map(renamed) } : {}),
      ...(index.predicate === null ? {} : { where: carriedText(index.predicate, names) ?? "" }),
    },
    { facts, target: table, name, tree },
  );
  return steps.map((step) => ({
    ...step,
    id: `build:${placeOf(conversion, { schema: table.schema, name })}/${step.id}`,
  }));
}

/** A unique constraint takes the index that is there. */
function constraintSteps(
  conversion: Conversion,
  { index, table, name }: TwinIndex,
): readonly Step[] {
  if (index.constraint === null) return [];
  const alter = `ALTER TABLE ${qualified(table.schema, table.name)}`;
  const lock: Lock = { ...table, mode: "accessExclusive" };
  return [
    {
      kind: "sql",
      id: `constrain:${placeOf(conversion, { schema: table.schema, name })}`,
      title: `Make a unique constraint of ${name}`,
      sql: `${alter} ADD CONSTRAINT ${ident(name)} UNIQUE USING INDEX ${ident(name)}`,
      locks: [lock, { schema: table.schema, name, mode: "accessShare" }],
      transaction: "commitAfter",
      undo: {
        kind: "statement",
        sql: `${alter} DROP CONSTRAINT ${ident(name)}`,
        locks: [lock, { schema: table.schema, name, mode: "accessExclusive" }],
        transaction: "inside",
      },
    },
  ];
}
