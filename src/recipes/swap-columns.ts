import type { ColumnFact } from "../catalog/columns.ts";
import type { ConstraintFact } from "../catalog/constraints.ts";
import type { Facts } from "../catalog/read-facts.ts";
import type { Lock, RelationName, SqlStep, Step } from "../plan/step.ts";
import { ident, qualified } from "../sql/quote.ts";
import { shorten } from "../sql/shorten.ts";
import { typeName } from "../sql/type-name.ts";
import { commentsOf, twinName, type CarriedConstraints } from "./carried-constraints.ts";
import type { CarriedDependents } from "./carried-dependents.ts";
import { isOf, type ColumnFacts } from "./own-column.ts";
import type { IndexCopy } from "./shadow-column.ts";
import { dropSyncSql, syncFunctionSql, type SyncTrigger } from "./sync-trigger.ts";

/** Two columns that change their names, with all that is made for the second. */
export interface ColumnSwap {
  readonly facts: ColumnFacts;
  readonly table: RelationName;
  readonly column: ColumnFact;
  readonly twin: string;
  readonly type: string;
  /** The default of the column from then on. */
  readonly nextDefault: string | null;
  readonly follow: SyncTrigger;
  readonly followBack: SyncTrigger;
  readonly copies: readonly IndexCopy[];
  /** A unique index of the old column that becomes the primary key again when this is taken back. */
  readonly wayBack: IndexCopy | undefined;
  readonly constraints: CarriedConstraints;
  readonly dependents: CarriedDependents;
}

/** The names change places, and nothing is looked at: a change of the catalog only. */
export function swapStep(swap: ColumnSwap): SqlStep {
  const { table, column, dependents, copies, wayBack, constraints } = swap;
  const own: Lock = { ...table, mode: "accessExclusive" };
  // A name is changed under a lock that readers and writers of the index pass.
  const index = (name: string): Lock => ({
    schema: table.schema,
    name,
    mode: "shareUpdateExclusive",
  });
  const keyIndex = constraints.primaryKey?.index?.name;
  const ofKey: readonly Lock[] =
    keyIndex === undefined
      ? []
      : [{ schema: table.schema, name: keyIndex, mode: "accessExclusive" }];
  const ofNames = copies
    .filter((copy) => !copy.index.primary)
    .flatMap((copy) => [index(copy.index.name), index(twinName(copy.index.name))]);
  const ofNewKey = copies.filter((copy) => copy.index.primary).map((copy) => index(copy.name));
  const sequences = serialsOf(swap).map(
    ({ schema, name }): Lock => ({ schema, name, mode: "shareRowExclusive" }),
  );
  const locks = [own, ...dependents.locks, ...sequences, ...ofKey];
  return {
    kind: "sql",
    id: "swap",
    title: `${column.name} becomes ${swap.type}; the old column follows from now on`,
    sql: [
      ...dependents.drop,
      ...keyTo(swap, copies.find((copy) => copy.index.primary)?.name),
      ...namesTo(swap, "there"),
      ...sequencesTo(swap, "there"),
      syncFunctionSql(swap.followBack, "CREATE OR REPLACE"),
      ...dependents.create,
    ].join(";\n"),
    locks: [...locks, ...ofNames, ...ofNewKey],
    ...(dependents.creates > 0 ? { creates: dependents.creates } : {}),
    transaction: "commitAfter",
    phase: "newType",
    undo: {
      kind: "statement",
      sql: [
        ...dependents.drop,
        ...keyTo(swap, wayBack?.name),
        ...namesTo(swap, "back"),
        ...sequencesTo(swap, "back"),
        syncFunctionSql(swap.follow, "CREATE OR REPLACE"),
        ...dependents.create,
      ].join(";\n"),
      locks: [...locks, ...ofNames, ...(wayBack === undefined ? [] : [index(wayBack.name)])],
      ...(dependents.creates > 0 ? { creates: dependents.creates } : {}),
      transaction: "inside",
    },
  };
}

/** The primary key leaves its index, which goes, and takes another. */
function keyTo({ table, constraints }: ColumnSwap, index: string | undefined): readonly string[] {
  const key: ConstraintFact | undefined = constraints.primaryKey;
  if (key === undefined || index === undefined) return [];
  const alter = `ALTER TABLE ${qualified(table.schema, table.name)}`;
  return [
    `${alter} DROP CONSTRAINT ${ident(key.name)}`,
    `${alter} ADD CONSTRAINT ${ident(key.name)} PRIMARY KEY USING INDEX ${ident(index)}`,
  ];
}

function namesTo(swap: ColumnSwap, way: "there" | "back"): readonly string[] {
  const { facts, table, column, twin, copies, constraints, nextDefault } = swap;
  const path = qualified(table.schema, table.name);
  const alter = `ALTER TABLE ${path}`;
  const { name } = column;
  const between = shorten(`underpin_${name}_between`);
  const exchange = (rename: (from: string, to: string) => string, a: string, b: string) => [
    rename(a, between),
    rename(b, a),
    rename(between, b),
  ];
  const renameColumn = (from: string, to: string) =>
    `${alter} RENAME COLUMN ${ident(from)} TO ${ident(to)}`;
  const renameConstraint = (from: string, to: string) =>
    `${alter} RENAME CONSTRAINT ${ident(from)} TO ${ident(to)}`;
  const renameIndex = (from: string, to: string) =>
    `ALTER INDEX ${qualified(table.schema, from)} RENAME TO ${ident(to)}`;
  const plain = copies.filter(({ index }) => index.constraint === null);
  const setDefault = (of: string, expression: string | null) =>
    expression === null
      ? [`${alter} ALTER COLUMN ${ident(of)} DROP DEFAULT`]
      : [`${alter} ALTER COLUMN ${ident(of)} SET DEFAULT ${expression}`];
  const notNull = notNullPair(swap);
  const [now, other] = [column.default, nextDefault];
  return [
    ...exchange(renameColumn, name, twin),
    ...constraints.pairs.flatMap((pair) => exchange(renameConstraint, pair.name, pair.twin)),
    ...(notNull === undefined ? [] : exchange(renameConstraint, ...notNull)),
    ...plain.flatMap((copy) => exchange(renameIndex, copy.index.name, copy.name)),
    ...(now === null && other === null
      ? []
      : [...setDefault(twin, null), ...setDefault(name, way === "there" ? other : now)]),
    ...(way === "there"
      ? commentsOf(
          facts,
          table,
          [...constraints.pairs, ...(constraints.primaryKey ? [constraints.primaryKey] : [])].map(
            (each) => each.name,
          ),
          copies.map(({ index }) => index.name),
        )
      : commentsOf(
          facts,
          table,
          constraints.primaryKey ? [constraints.primaryKey.name] : [],
          copies.filter(({ index }) => index.primary).map(({ index }) => index.name),
        )),
  ];
}

/** NOT NULL is a constraint with a name since 18. */
function notNullPair({
  facts,
  table,
  column,
  twin,
}: ColumnSwap): readonly [string, string] | undefined {
  const old = facts.constraints.find(
    (each) => isOf(each, table) && each.kind === "notNull" && each.columns.includes(column.name),
  );
  return old && [old.name, shorten(`${table.name}_${twin}_not_null`)];
}

/** The sequences that go with a column. */
export function serialsOf({
  facts,
  table,
  column,
}: Pick<ColumnSwap, "facts" | "table" | "column">): Facts["sequences"] {
  return facts.sequences.filter(
    ({ ownedBy }) =>
      ownedBy !== null &&
      isOf(ownedBy, table) &&
      ownedBy.column === column.name &&
      ownedBy.as === "serial",
  );
}

const INTEGERS = ["smallint", "integer", "bigint"];

/** A sequence goes with the column that it counts for, and as far as that can. */
function sequencesTo(swap: ColumnSwap, way: "there" | "back"): readonly string[] {
  const { table, column, type } = swap;
  const wanted = typeName(type);
  return serialsOf(swap).map((sequence) => {
    const as = way === "back" ? sequence.type : INTEGERS.includes(wanted) ? wanted : sequence.type;
    return `ALTER SEQUENCE ${qualified(sequence.schema, sequence.name)} AS ${as} OWNED BY ${qualified(table.schema, table.name)}.${ident(column.name)}`;
  });
}

/** A person says that the change stays; then the old column goes. */
export function contractSteps(
  facts: ColumnFacts,
  followBack: SyncTrigger,
  { name, type }: ColumnFact,
  twin: string,
  indexes: readonly string[],
): readonly Step[] {
  const { table } = followBack;
  const path = qualified(table.schema, table.name);
  const referenced = facts.constraints.flatMap((each) =>
    isOf(each, table) && each.references !== null && each.columns.includes(name)
      ? [each.references]
      : [],
  );
  return [
    {
      kind: "gate",
      id: "new-type-stays",
      title: `${name} stays of its new type`,
      question: `Does every running version of the application read and write ${name} of ${path} in its new type, and will nobody go back to ${type}? Then the old values are dropped for good.`,
      undo: { kind: "nothing" },
    },
    {
      kind: "sql",
      id: "contract",
      title: `Drop the old column of type ${type}`,
      sql: `${dropSyncSql(followBack)};\nALTER TABLE ${path} DROP COLUMN ${ident(twin)}`,
      locks: [
        { ...table, mode: "accessExclusive" },
        ...indexes.map(
          (index): Lock => ({ schema: table.schema, name: index, mode: "accessExclusive" }),
        ),
        ...referenced.map(
          ({ schema, name: to }): Lock => ({ schema, name: to, mode: "accessExclusive" }),
        ),
      ],
      transaction: "commitAfter",
      phase: "oldGone",
      undo: {
        kind: "irreversible",
        reason: `the values of type ${type} are gone: changeColumnType back if they are needed again`,
      },
    },
  ];
}

/** Without statistics of the new column the first queries after the swap would be planned blindly. */
export function analyzeStep(
  table: RelationName,
  column: string,
  more: readonly Lock[] = [],
): SqlStep {
  const lock: Lock = { ...table, mode: "shareUpdateExclusive" };
  return {
    kind: "sql",
    id: "analyze",
    title: `Gather statistics of the new ${column}`,
    sql: `ANALYZE ${qualified(table.schema, table.name)} (${ident(column)})`,
    locks: [lock, { ...table, mode: "accessShare" }, ...more],
    transaction: "commitAfter",
    undo: { kind: "nothing" },
  };
}
