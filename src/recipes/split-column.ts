import { plan } from "../plan/plan.ts";
import type { Lock, Plan, RelationName, Step } from "../plan/step.ts";
import { columnName, targetOf, type DrizzleColumn, type TableTarget } from "../plan/target.ts";
import { columnsIn } from "../sql/column-references.ts";
import { ident, qualified } from "../sql/quote.ts";
import { keyOf } from "./backfill-key.ts";
import { canBeKeptAlike } from "./can-be-kept-alike.ts";
import { nothingUsesStep } from "./column-uses.ts";
import { columnsOf, isOf, ownColumn, refuse, type ColumnFacts } from "./own-column.ts";
import { addColumnsStep, backfillStep, steadyDefault, type BackfillPace } from "./shadow-column.ts";
import {
  createSyncStep,
  dropSyncSql,
  syncBackfill,
  type SyncConflict,
  type SyncTrigger,
} from "./sync-trigger.ts";

/** A column that is made from others. */
export interface DerivedColumn {
  readonly name: string;
  /** Its type as SQL: `text`. */
  readonly type: string;
  /** Its value, an SQL expression over the columns of the row: `split_part(full_name, ' ', 1)`. It is asked for each row written. */
  readonly value: string;
}

/** A column that others replace. */
export interface ReplacedColumn {
  readonly column: string | DrizzleColumn;
  /** How it is made from the new columns, for versions of the application that still read it. */
  readonly value: string;
}

interface ReplaceOptions extends TableTarget, BackfillPace {
  /** Readings of the catalog: `await readFacts(db)`. */
  readonly facts: ColumnFacts;
  /** When one statement writes both sides, and not alike. @default "newWins" */
  readonly onConflict?: SyncConflict;
  /** `definer`: the expressions run with the rights of the migration's login. @default "invoker" */
  readonly security?: "invoker" | "definer";
}

/** Which column to split. */
export interface SplitColumnOptions extends ReplaceOptions, ReplacedColumn {
  readonly into: readonly [DerivedColumn, DerivedColumn, ...DerivedColumn[]];
}

/** Which columns to merge. */
export interface MergeColumnsOptions extends ReplaceOptions {
  readonly columns: readonly [ReplacedColumn, ReplacedColumn, ...ReplacedColumn[]];
  readonly into: DerivedColumn;
}

/**
 * Splits a column into several, while versions of an application that know either are at work.
 *
 * `into` says how each new column is made from the old, `value` how the old is made from the new: a trigger keeps both alike,
 * whichever was written. Old rows are filled in batches; once nobody uses the old column, a person says so and it is
 * dropped. Rows whose new columns are not written keep the old value, also where `value` would make another of it.
 *
 * @example
 * import { readFacts } from "underpin";
 * import { splitColumn } from "underpin/migrations";
 * import { createTestDatabase } from "underpin/testing";
 *
 * const { db, close } = await createTestDatabase({
 *   setup: "CREATE TABLE users (id int PRIMARY KEY, full_name text)",
 * });
 * const plan = splitColumn({
 *   facts: await readFacts(db, { schemas: ["public"] }),
 *   table: "users",
 *   column: "full_name",
 *   value: "concat_ws(' ', first_name, last_name)",
 *   into: [
 *     { name: "first_name", type: "text", value: "split_part(full_name, ' ', 1)" },
 *     { name: "last_name", type: "text", value: "split_part(full_name, ' ', 2)" },
 *   ],
 * });
 * plan.name; // "split-column-public-users-full_name"
 * await close();
 */
export function splitColumn(options: SplitColumnOptions): Plan {
  const table = targetOf(options);
  const name = `split-column-${table.schema}-${table.name}-${columnName(options.column)}`;
  return plan(name, replaceSteps(options, table, [options], options.into));
}

/**
 * Merges several columns into one: the other way about, and in the same steps as {@link splitColumn}.
 *
 * @example
 * import { readFacts } from "underpin";
 * import { mergeColumns } from "underpin/migrations";
 * import { createTestDatabase } from "underpin/testing";
 *
 * const { db, close } = await createTestDatabase({
 *   setup: "CREATE TABLE users (id int PRIMARY KEY, first_name text, last_name text)",
 * });
 * const plan = mergeColumns({
 *   facts: await readFacts(db, { schemas: ["public"] }),
 *   table: "users",
 *   columns: [
 *     { column: "first_name", value: "split_part(full_name, ' ', 1)" },
 *     { column: "last_name", value: "split_part(full_name, ' ', 2)" },
 *   ],
 *   into: { name: "full_name", type: "text", value: "concat_ws(' ', first_name, last_name)" },
 * });
 * plan.name; // "merge-columns-public-users-full_name"
 * await close();
 */
export function mergeColumns(options: MergeColumnsOptions): Plan {
  const table = targetOf(options);
  const name = `merge-columns-${table.schema}-${table.name}-${options.into.name}`;
  return plan(name, replaceSteps(options, table, options.columns, [options.into]));
}

function replaceSteps(
  options: ReplaceOptions,
  table: RelationName,
  replaced: readonly ReplacedColumn[],
  into: readonly DerivedColumn[],
): readonly Step[] {
  const { facts, onConflict = "newWins", security = "invoker" } = options;
  const path = qualified(table.schema, table.name);
  const present = columnsOf(facts, table);
  const taken = into.find(({ name }) => present.includes(name));
  const old = replaced.map(({ column, value }) => {
    const own = ownColumn(facts, table, columnName(column));
    return { name: own.name, type: own.type, value, unwritten: steadyDefault(own) };
  });
  if (taken !== undefined)
    refuse(`${path} has a column ${taken.name} already`, "Choose another name, or drop it first.");
  const names = old.map(({ name }) => name);
  const list = names.join(", ");
  const newNames = into.map(({ name }) => name).join(", ");
  const sync: SyncTrigger = {
    table,
    name: `replace_${names.join("_")}`,
    columns: [...present, ...into.map(({ name }) => name)],
    old,
    new: into,
    direction: "both",
    onConflict,
    security,
  };
  const key = keyOf(facts, table)
    .map((column) => `target.${ident(column.name)}`)
    .join(", ");
  return [
    canBeKeptAlike(table, { columns: old, added: into.map(({ type }) => type) }),
    addColumnsStep(table, into),
    createSyncStep(sync, "keep-alike", `Keep ${list} and ${newNames} alike`),
    backfillStep(facts, sync, options),
    {
      kind: "check",
      id: "is-alike",
      title: `${newNames} are filled in every row`,
      sql: `SELECT ${key} FROM ${path} AS target WHERE ${syncBackfill(sync).where}`,
      expect: "noRows",
      rows: [{ ...table, access: "read" }],
      transaction: "commitAfter",
      phase: "bothSides",
      undo: { kind: "nothing" },
    },
    {
      kind: "gate",
      id: "old-columns-unused",
      title: `No version of the application uses ${list} any more`,
      question: `Does every running version read and write ${newNames}, and none ${list} of ${path}? Then ${list} are dropped for good.`,
      undo: { kind: "nothing" },
    },
    nothingUsesStep(table, names),
    {
      kind: "sql",
      id: "contract",
      title: `Drop ${list}`,
      sql: `${dropSyncSql(sync)};\nALTER TABLE ${path} ${names.map((name) => `DROP COLUMN ${ident(name)}`).join(", ")}`,
      locks: droppedWith(facts, table, names),
      transaction: "commitAfter",
      phase: "newSide",
      undo: {
        kind: "irreversible",
        reason: `${list} are gone: what ${newNames} do not say cannot be brought back`,
      },
    },
  ];
}

/** The table, and the indexes and foreign keys that go with its columns. */
function droppedWith(
  facts: ColumnFacts,
  table: RelationName,
  columns: readonly string[],
): readonly Lock[] {
  const indexes = facts.indexes.filter(
    (index) => isOf(index, table) && columnsIn(index.definition, columns).length > 0,
  );
  const referenced = facts.constraints.flatMap((each) =>
    isOf(each, table) &&
    each.references !== null &&
    each.columns.some((column) => columns.includes(column))
      ? [each.references]
      : [],
  );
  return [
    { ...table, mode: "accessExclusive", partitions: true },
    ...[...indexes, ...referenced].map(
      ({ schema, name }): Lock => ({ schema, name, mode: "accessExclusive" }),
    ),
  ];
}
