import { plan } from "../plan/plan.ts";
import type { Lock, Plan, Step } from "../plan/step.ts";
import { columnName, targetOf, type DrizzleColumn, type TableTarget } from "../plan/target.ts";
import { ident, qualified } from "../sql/quote.ts";
import { shorten } from "../sql/shorten.ts";
import { canBeKeptAlike } from "./can-be-kept-alike.ts";
import { columnsOf, isPartitioned, ownColumn, refuse, type ColumnFacts } from "./own-column.ts";
import {
  addColumnsStep,
  backfillStep,
  copyColumnGrants,
  copyIndexes,
  steadyDefault,
  type BackfillPace,
} from "./shadow-column.ts";
import {
  createSyncStep,
  dropSyncSql,
  syncFunctionSql,
  type SyncConflict,
  type SyncTrigger,
} from "./sync-trigger.ts";

/** Which column to rename. */
export interface RenameColumnOptions extends TableTarget, BackfillPace {
  /** Readings of the catalog: `await readFacts(db)`. */
  readonly facts: ColumnFacts;
  readonly column: string | DrizzleColumn;
  readonly to: string;
  /** When one statement writes both names, and not alike. @default "newWins" */
  readonly onConflict?: SyncConflict;
}

/**
 * Renames a column while versions of an application that know either name are at work.
 *
 * RENAME COLUMN is instant, and breaks every version that runs: so the column itself gets the new name, with all that hangs on it
 * (constraints, foreign keys, views, policies, its sequence), and in the same moment another column, filled before and kept
 * alike by a trigger, takes the old name. It has the indexes of the first, so that queries and ON CONFLICT by the old name work as
 * before. Once no version uses the old name, a person says so and it is dropped.
 *
 * @example
 * import { readFacts } from "underpin";
 * import { renameColumn } from "underpin/migrations";
 * import { createTestDatabase } from "underpin/testing";
 *
 * const { db, close } = await createTestDatabase({
 *   setup: "CREATE TABLE users (id int PRIMARY KEY, mail text)",
 * });
 * const facts = await readFacts(db, { schemas: ["public"] });
 * const plan = renameColumn({ facts, table: "users", column: "mail", to: "email" });
 * plan.name; // "rename-column-public-users-mail-to-email"
 * await close();
 */
export function renameColumn(options: RenameColumnOptions): Plan {
  const { facts, to, onConflict = "newWins" } = options;
  const table = targetOf(options);
  const name = columnName(options.column);
  const path = qualified(table.schema, table.name);
  const column = ownColumn(facts, table, name);
  const columns = columnsOf(facts, table);
  if (columns.includes(to))
    refuse(`${path} has a column ${to} already`, "Choose another name, or drop that one first.");
  const twin = shorten(`underpin_${name}_as_${to}`);
  const indexes = copyIndexes(facts, table, name, twin, `by_${name}`);
  if (indexes.length > 0 && isPartitioned(facts, table))
    refuse(
      `${name} of the partitioned table ${path} is in the index ${indexes[0]?.index.name ?? ""}, which is not copied for the old name`,
      "Drop the index for the time of the change, or rename with a view: renameTable.",
    );
  const { type, collation } = column;
  const unwritten = steadyDefault(column);
  const base = { table, name: `rename_${name}`, columns: [...columns, twin, to], onConflict };
  const before: SyncTrigger = {
    ...base,
    old: [{ name, type, value: ident(twin) }],
    new: [{ name: twin, type, value: ident(name) }],
    direction: "up",
  };
  const after: SyncTrigger = {
    ...base,
    old: [{ name, type, value: ident(to), unwritten: unwritten ?? "NULL" }],
    new: [{ name: to, type, value: ident(name), unwritten }],
    direction: "both",
    leader: "new",
  };
  const exclusively = {
    locks: [{ ...table, mode: "accessExclusive", partitions: true }] as readonly Lock[],
    transaction: "commitAfter",
  } as const;
  const rename = (from: string, into: string) =>
    `ALTER TABLE ${path} RENAME COLUMN ${ident(from)} TO ${ident(into)}`;
  const steps: readonly Step[] = [
    canBeKeptAlike(table, { columns: [{ name, type }], added: [type] }),
    addColumnsStep(
      table,
      [{ name: twin, type, collation }],
      [
        ...(unwritten === null || column.default === null
          ? []
          : [`ALTER TABLE ${path} ALTER COLUMN ${ident(twin)} SET DEFAULT ${unwritten}`]),
        ...copyColumnGrants(facts, table, name, twin),
      ],
    ),
    createSyncStep(before, "follow", `The twin follows ${name}`),
    backfillStep(facts, before, options),
    ...indexes.map(({ step }) => step),
    {
      kind: "sql",
      id: "swap",
      title: `${name} becomes ${to}, and its twin takes the old name: both can be read and written`,
      sql: [rename(name, to), rename(twin, name), syncFunctionSql(after, "CREATE OR REPLACE")].join(
        ";\n",
      ),
      ...exclusively,
      phase: "bothNames",
      undo: {
        kind: "statement",
        sql: [
          rename(name, twin),
          rename(to, name),
          syncFunctionSql(before, "CREATE OR REPLACE"),
        ].join(";\n"),
        ...exclusively,
        transaction: "inside",
      },
    },
    {
      kind: "gate",
      id: "old-name-unused",
      title: `No version of the application uses ${name} any more`,
      question: `Does every running version read and write ${to}, and none ${name} of ${path}? Then the old name is dropped for good.`,
      undo: { kind: "nothing" },
    },
    {
      kind: "sql",
      id: "contract",
      title: `Drop the old name ${name}`,
      sql: `${dropSyncSql(after)};\nALTER TABLE ${path} DROP COLUMN ${ident(name)}`,
      ...exclusively,
      locks: [
        ...exclusively.locks,
        ...indexes.map(
          (copy): Lock => ({ schema: table.schema, name: copy.name, mode: "accessExclusive" }),
        ),
      ],
      phase: "newName",
      undo: {
        kind: "irreversible",
        reason: `${name} is gone, with nothing in it that ${to} does not hold: renameColumn back if it is needed again`,
      },
    },
  ];
  return plan(`rename-column-${table.schema}-${table.name}-${name}-to-${to}`, steps);
}
