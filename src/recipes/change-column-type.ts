import type { ColumnFact } from "../catalog/columns.ts";
import { plan } from "../plan/plan.ts";
import type { Plan, RelationName, Step } from "../plan/step.ts";
import { columnName, targetOf, type DrizzleColumn, type TableTarget } from "../plan/target.ts";
import { columnsIn } from "../sql/column-references.ts";
import { ident, literal, qualified } from "../sql/quote.ts";
import { shorten } from "../sql/shorten.ts";
import { canBeKeptAlike } from "./can-be-kept-alike.ts";
import { carriedConstraints, keyLocks, twinName } from "./carried-constraints.ts";
import { carriedDependents } from "./carried-dependents.ts";
import { isInstantChange, uncut } from "./instant-type.ts";
import { instantSteps } from "./instant-type-steps.ts";
import {
  columnsOf,
  isOf,
  isPartitioned,
  isSame,
  ownColumn,
  refuse,
  type ColumnFacts,
} from "./own-column.ts";
import { setNotNull } from "./set-not-null.ts";
import {
  addColumnsStep,
  backfillStep,
  copyColumnGrants,
  copyIndexes,
  type BackfillPace,
} from "./shadow-column.ts";
import { createSyncStep, type SyncTrigger } from "./sync-trigger.ts";
import { analyzeStep, contractSteps, serialsOf, swapStep } from "./swap-columns.ts";

/** Which column gets which type. */
export interface ChangeColumnTypeOptions extends TableTarget, BackfillPace {
  /** Readings of the catalog: `await readFacts(db)`. */
  readonly facts: ColumnFacts;
  readonly column: string | DrizzleColumn;
  /** The new type as SQL; not built in, with its schema: `bigint`, `app.status`. */
  readonly type: string;
  /** The new value, an SQL expression over the row with its old. @default `<column>::<type>` */
  readonly using?: string;
  /** The old value, an SQL expression over the row with its new: what undo goes back to. @default `<column>::<old type>` */
  readonly back?: string;
  /** The default in the new type, as SQL; null for none. @default what it was */
  readonly default?: string | null;
  /** What a CHECK of that name says in the new type, as SQL; null leaves it out. @default what it said */
  readonly checks?: Readonly<Record<string, string | null>>;
}

/**
 * Changes the type of a column that is being written, without the rewrite of the table under ACCESS EXCLUSIVE that ALTER TYPE
 * is for most types.
 *
 * A twin of the new type is filled in batches and followed by a trigger; indexes are built concurrently, constraints added NOT
 * VALID and validated. Then, in one short transaction, the two change their names, views and policies are made anew, and the
 * trigger turns round: the old column follows until a person says that the change stays, so that an undo loses no row and no
 * value that `back` can tell.
 *
 * Where PostgreSQL needs no rewrite (varchar to a longer one or to text, a wider numeric) it is one ALTER TYPE.
 *
 * @example
 * import { readFacts } from "underpin";
 * import { changeColumnType } from "underpin/migrations";
 * import { createTestDatabase } from "underpin/testing";
 *
 * const { db, close } = await createTestDatabase({
 *   setup: "CREATE TABLE orders (id int PRIMARY KEY, amount integer NOT NULL CHECK (amount > 0))",
 * });
 * const facts = await readFacts(db, { schemas: ["public"] });
 * const plan = changeColumnType({ facts, table: "orders", column: "amount", type: "bigint" });
 * plan.name; // "change-column-type-public-orders-amount-to-bigint"
 * await close();
 */
export function changeColumnType(options: ChangeColumnTypeOptions): Plan {
  const { facts, type } = options;
  const table = targetOf(options);
  const name = columnName(options.column);
  const column = ownColumn(facts, table, name);
  refuseUncarried(facts, table, column);
  const planName = `change-column-type-${table.schema}-${table.name}-${name}-to-${type}`;
  const isPlain = options.using === undefined && options.back === undefined;
  if (isPlain && isInstantChange(column.type, type) && staysAsItIs(facts, table, name))
    return plan(planName, [
      canBeKeptAlike(table, { columns: [column], added: [] }),
      ...instantSteps(options, table, column),
    ]);
  return plan(planName, twinSteps(options, table, column));
}

/** Whether all that hangs on the column can stay as it is under ALTER TYPE: indexes over expressions are built anew, keys checked. */
function staysAsItIs(facts: ColumnFacts, table: RelationName, column: string): boolean {
  const isRebuilt = facts.indexes.some(
    (index) =>
      isOf(index, table) &&
      (index.predicate !== null ||
        index.exclusion ||
        index.keys.some((key) => key.column === null)) &&
      columnsIn(index.definition, [column]).length > 0,
  );
  const isKey = facts.constraints.some(
    (each) =>
      each.kind === "foreignKey" &&
      ((isOf(each, table) && each.columns.includes(column)) ||
        (each.references !== null &&
          isSame(each.references, table) &&
          each.references.columns.includes(column))),
  );
  return !isRebuilt && !isKey;
}

function refuseUncarried(facts: ColumnFacts, table: RelationName, column: ColumnFact): void {
  const path = qualified(table.schema, table.name);
  if (isPartitioned(facts, table))
    refuse(
      `${path} is partitioned: its indexes and constraints are not carried over to another column`,
      "Split the change: add a column of the new type with splitColumn-like steps, or convert partition by partition.",
    );
  if (column.identity !== null)
    refuse(
      `${column.name} of ${path} is an identity column, which belongs to its sequence`,
      `Make it a plain default first: ALTER TABLE ${path} ALTER COLUMN ${ident(column.name)} DROP IDENTITY, CREATE SEQUENCE from its last value, SET DEFAULT nextval(…).`,
    );
  const marked = facts.indexes.find(
    (index) =>
      isOf(index, table) &&
      (index.replicaIdentity || index.clustered) &&
      columnsIn(index.definition, [column.name]).length > 0,
  );
  if (marked !== undefined)
    refuse(
      `the index ${marked.name} of ${path} is its replica identity, or what it is clustered by`,
      "Take the mark away first (REPLICA IDENTITY DEFAULT, SET WITHOUT CLUSTER), and set it again afterwards.",
    );
}

function twinSteps(
  options: ChangeColumnTypeOptions,
  table: RelationName,
  column: ColumnFact,
): readonly Step[] {
  const { facts, type, checks = {} } = options;
  const { name } = column;
  const path = qualified(table.schema, table.name);
  const twin = shorten(`underpin_${name}_other`);
  const using = options.using ?? `${ident(name)}::${uncut(type)}`;
  const back = options.back ?? `${ident(name)}::${uncut(column.type)}`;
  const nextDefault = options.default === undefined ? column.default : options.default;
  const base = { table, name: `type_of_${name}`, columns: [...columnsOf(facts, table), twin] };
  const follow: SyncTrigger = {
    ...base,
    old: [{ name, type: column.type, value: "NULL" }],
    new: [{ name: twin, type, value: using }],
    direction: "up",
  };
  const followBack: SyncTrigger = {
    ...base,
    old: [{ name: twin, type: column.type, value: back }],
    new: [{ name, type, value: "NULL" }],
    direction: "down",
  };
  const copies = copyIndexes(facts, table, name, twin, "other");
  const constraints = carriedConstraints(facts, { table, column: name, twin, checks }, copies);
  const key = constraints.primaryKey;
  // The way back needs an index of the old column that can become the primary key again at once.
  const wayBack =
    key === undefined
      ? []
      : copyIndexes(facts, table, name, name, "back").filter(({ index }) => index.primary);
  const added = addColumnsStep(
    table,
    [{ name: twin, type, collation: collationOf(column, type) }],
    [
      // That of a sequence fits every integer, and late minor versions lock the sequence for it.
      ...(serialsOf({ facts, table, column }).length > 0
        ? []
        : checkedDefault(path, twin, nextDefault)),
      ...propertiesOf(path, twin, column),
      ...copyColumnGrants(facts, table, name, twin),
    ],
  );
  return [
    canBeKeptAlike(table, { columns: [column], added: [type] }),
    added,
    createSyncStep(follow, "follow", `${name} of type ${type} follows the old`),
    backfillStep(facts, follow, options),
    ...(column.notNull ? setNotNull({ ...table, table: table.name, column: twin }).steps : []),
    ...[...copies, ...wayBack].map(({ step, name: made }) => ({ ...step, id: `build:${made}` })),
    ...constraints.steps,
    noStatistics(table, name),
    analyzeStep(table, twin, keyLocks(copies)),
    nothingCameSince(
      facts,
      table,
      column,
      [...copies, ...wayBack].map((copy) => copy.name),
    ),
    swapStep({
      facts,
      table,
      column,
      twin,
      type,
      nextDefault,
      follow,
      followBack,
      copies,
      wayBack: wayBack[0],
      constraints,
      dependents: carriedDependents(facts, table, name),
    }),
    ...contractSteps(facts, followBack, column, twin, [
      ...copies.filter(({ index }) => !index.primary).map(({ index }) => twinName(index.name)),
      ...wayBack.map((copy) => copy.name),
    ]),
  ];
}

function collationOf({ collation }: ColumnFact, type: string): string | null {
  // A type without collations would refuse one.
  return /^(?:text|character varying|varchar|citext|char|character|bpchar|name)\b/i.test(type)
    ? collation
    : null;
}

/** A default that does not fit the new type is found now, not in the swap; it counts from the swap on. */
function checkedDefault(path: string, twin: string, expression: string | null): readonly string[] {
  if (expression === null) return [];
  const alter = `ALTER TABLE ${path} ALTER COLUMN ${ident(twin)}`;
  return [`${alter} SET DEFAULT ${expression}`, `${alter} DROP DEFAULT`];
}

function propertiesOf(
  path: string,
  twin: string,
  { statisticsTarget, options, comment }: ColumnFact,
): readonly string[] {
  const alter = `ALTER TABLE ${path} ALTER COLUMN ${ident(twin)}`;
  return [
    ...(statisticsTarget === null ? [] : [`${alter} SET STATISTICS ${statisticsTarget}`]),
    ...(options.length === 0 ? [] : [`${alter} SET (${options.join(", ")})`]),
    ...(comment === null
      ? []
      : [`COMMENT ON COLUMN ${path}.${ident(twin)} IS ${literal(comment)}`]),
  ];
}

/** Extended statistics would stay with the old column, and go with it. */
function noStatistics(table: RelationName, column: string): Step {
  return {
    kind: "check",
    id: "no-extended-statistics",
    title: `No extended statistics are over ${column}`,
    sql: `SELECT s.stxname, 'drop it, and make it again afterwards' AS reason
FROM pg_catalog.pg_statistic_ext s JOIN pg_catalog.pg_attribute a ON a.attrelid = s.stxrelid
WHERE s.stxrelid = ${literal(qualified(table.schema, table.name))}::regclass
  AND a.attname = ${literal(column)} AND a.attnum = ANY (s.stxkeys::int2[])`,
    expect: "noRows",
    transaction: "inside",
    undo: { kind: "nothing" },
  };
}

/** What came over the column after the facts were read would stay with the old column, and go with it. */
function nothingCameSince(
  facts: ColumnFacts,
  table: RelationName,
  { name, notNull }: ColumnFact,
  made: readonly string[],
): Step {
  const known = [
    ...[...facts.constraints, ...facts.indexes]
      .filter((each) => isOf(each, table))
      .map((each) => each.name),
    ...made,
  ];
  const isNew = `<> ALL (ARRAY[${known.map(literal).join(", ")}]::text[])`;
  const column = `pg_catalog.pg_attribute a WHERE a.attrelid = ${literal(qualified(table.schema, table.name))}::regclass
  AND a.attname = ${literal(name)}`;
  return {
    kind: "check",
    id: "nothing-came-since",
    title: `Nothing over ${name} is new since the plan was made`,
    sql: `SELECT k.conname AS name, 'is new: undo this, and make the plan again' AS reason
FROM pg_catalog.pg_constraint k, ${column} AND k.conrelid = a.attrelid
  AND a.attnum = ANY (k.conkey) AND k.contype IN ('c', 'f', 'u', 'p', 'x') AND k.conname::text ${isNew}
UNION SELECT i.relname, 'is new: undo this, and make the plan again' FROM pg_catalog.pg_depend d
JOIN pg_catalog.pg_class i ON i.oid = d.objid AND i.relkind IN ('i', 'I'), ${column}
  AND d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
  AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum AND i.relname::text ${isNew}
UNION SELECT 'NOT NULL', 'is not as it was: undo this, and make the plan again'
FROM ${column} AND a.attnotnull <> ${notNull}`,
    expect: "noRows",
    transaction: "inside",
    undo: { kind: "nothing" },
  };
}
