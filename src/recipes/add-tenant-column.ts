import type { Facts } from "../catalog/read-facts.ts";
import { plan } from "../plan/plan.ts";
import type { Plan, RelationName, Step } from "../plan/step.ts";
import { ident } from "../sql/quote.ts";
import { shorten } from "../sql/shorten.ts";
import { addColumn } from "./add-column.ts";
import { byName, constrain } from "./add-tenant-column-constraints.ts";
import { inOrder, isSame, type TenantColumn } from "./add-tenant-column-sources.ts";
import { leftToFill, readsOf, tenantOfOldRow } from "./add-tenant-column-sql.ts";
import {
  endChecksOf,
  newRowsOf,
  oldVersionsGone,
  rowCheckOf,
  tenantIsThere,
} from "./add-tenant-column-steps.ts";
import {
  columnOf,
  nameOf,
  tablesOf,
  type AddTenantColumnOptions,
  type TenantTableOptions,
} from "./add-tenant-column-tables.ts";
import { keyOf } from "./backfill-key.ts";
import { backfillSteps } from "./backfill.ts";
import { enableRls } from "./enable-rls.ts";
import { setNotNull } from "./set-not-null.ts";
import { isOf } from "./table-facts.ts";
import { idOf } from "./partitions-of.ts";

/**
 * Gives tables a tenant column while versions of the application write that know it and that do not.
 *
 * Nullable columns first; then, parents before children, each table's new rows get their tenant by a DEFAULT or a trigger, its old rows
 * in batches, and the column becomes NOT NULL, a foreign key and the head of an index, none of it by a scan that anybody waits for. CREATE
 * TRIGGER waits for who has written: every row without a tenant is there when the batches begin. Once no old version writes,
 * a person says so, DEFAULT and trigger go, and row security comes where it is asked for.
 *
 * @example
 * import { readFacts } from "underpin";
 * import { addTenantColumn } from "underpin/migrations";
 * import { createTestDatabase } from "underpin/testing";
 *
 * const { db, close } = await createTestDatabase({
 *   setup: `CREATE TABLE schools (id int PRIMARY KEY);
 *     CREATE TABLE people (id int PRIMARY KEY);
 *     CREATE TABLE notes (id int PRIMARY KEY, person_id int NOT NULL REFERENCES people)`,
 * });
 * const plan = addTenantColumn({
 *   facts: await readFacts(db, { schemas: ["public"] }),
 *   tables: ["notes", "people"],
 *   column: "school_id",
 *   tenants: { table: "schools", column: "id" },
 *   from: "parent",
 *   defaultTenant: 1,
 * });
 * plan.name; // "add-tenant-column-public-notes-people-school_id"
 * await close();
 */
export function addTenantColumn(options: AddTenantColumnOptions): Plan {
  const { facts } = options;
  const given = tablesOf(options);
  const list = given.map(({ target }) => target);
  const id = (table: RelationName) => idOf(table, given[0].target);
  const columns = inOrder(given.map((each) => columnOf(options, each, list)));
  const built = new Set<string>();
  const parts = columns.map((column) => {
    const own = { ...options, ...given.find(({ target }) => isSame(target, column.table))?.own };
    const names = facts.columns.filter(isOf(column.table)).map(({ name }) => name);
    return {
      column,
      own,
      newRows: newRowsOf(column, names, id(column.table)),
      constrained: constrain(facts, column, columns, own.index ?? [], built),
    };
  });
  const name = shorten(
    ["add-tenant-column", given[0].target.schema, ...list.map(id), nameOf(options)].join("-"),
  );
  return plan(options.name ?? name, [
    ...columns.flatMap((column) => tenantIsThere(column, id(column.table)) ?? []),
    ...lastBegins(
      "tenantColumn",
      columns.flatMap((column) => expand(facts, column)),
    ),
    ...parts.flatMap(({ column, own, newRows, constrained }) => [
      ...constrained.before,
      newRows.begin,
      ...fill(options, column, own, id(column.table)),
      setNotNull({ ...byName(column.table), column: column.column }),
      ...constrained.after,
    ]),
    oldVersionsGone(columns),
    ...lastBegins(
      "tenantOnly",
      parts.map(({ newRows }) => newRows.end),
    ),
    ...parts.flatMap(({ column, own: { rowSecurity = false } }) =>
      rowSecurity === false ? [] : [enableRls({ facts, ...byName(column.table), ...rowSecurity })],
    ),
  ]);
}

/** The phase begins once the last of the steps is applied. */
function lastBegins(phase: string, steps: readonly Step[]): readonly Step[] {
  return steps.map((step, at) => (at === steps.length - 1 ? { ...step, phase } : step));
}

function expand(facts: Facts, column: TenantColumn): readonly Step[] {
  const { table, type, collation } = column;
  if (column.there !== undefined) return [];
  const added = addColumn({
    facts,
    ...byName(table),
    column: column.column,
    type: collation === null ? type : `${type} COLLATE ${collation}`,
  });
  // Within a plan its steps are told apart by its name.
  return plan(added.name, [added]).steps;
}

function fill(
  options: AddTenantColumnOptions,
  column: TenantColumn,
  { distribution }: TenantTableOptions,
  id: string,
): readonly Step[] {
  const { facts, batchSize, targetMs, workers, pauseMs } = options;
  const { maxAttempts, maxFailedShare, throttle } = options;
  const { table } = column;
  const own = ident(column.column);
  const key = keyOf(facts, table).map(({ name }) => name);
  const pace = { batchSize, targetMs, workers, pauseMs, maxAttempts, maxFailedShare, throttle };
  return backfillSteps(
    {
      facts,
      ...byName(table),
      name: `fill:${id}`,
      set: `${own} = ${tenantOfOldRow(column)}`,
      where: leftToFill(column),
      ...said(pace),
      validate: { row: rowCheckOf(column), end: endChecksOf(column, key, distribution) },
      rows: readsOf(column),
    },
    table,
  );
}

/** Without what was not said. */
function said<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
