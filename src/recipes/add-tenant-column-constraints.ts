import type { Facts } from "../catalog/read-facts.ts";
import type { Plan, RelationName } from "../plan/step.ts";
import { shorten } from "../sql/shorten.ts";
import { addForeignKey } from "./add-foreign-key.ts";
import { isSame, type TenantColumn, type TenantParent } from "./add-tenant-column-sources.ts";
import type { TenantTableOptions } from "./add-tenant-column-tables.ts";
import { createIndex } from "./create-index.ts";
import { isOf } from "./table-facts.ts";

/** What a table is held to, before and after its rows are filled. */
export interface Constrained {
  readonly before: readonly Plan[];
  readonly after: readonly Plan[];
}

/**
 * The foreign keys and the index of a table.
 *
 * The key over tenant and parent is there before the rows are filled, NOT VALID: it passes over a row without a tenant, and holds
 * for each row that gets one. By its ON UPDATE CASCADE the rows below a row that is moved to another tenant follow it.
 */
export function constrain(
  facts: Facts,
  column: TenantColumn,
  { index = [], sameTenant = true }: TenantTableOptions,
  built: Set<string>,
): Constrained {
  const { table, tenants, parent } = column;
  const together =
    sameTenant && parent !== undefined
      ? withParent(facts, column, parent, built)
      : { before: [], after: [] };
  const toTenants = addForeignKey({
    facts,
    ...byName(table),
    columns: [column.column],
    references: { ...byName(tenants), columns: [tenants.column] },
  });
  return {
    before: together.before,
    after: [
      ...together.after,
      ...(pointsAtTenants(facts, column) ? [] : [toTenants]),
      ...(index === false
        ? []
        : [createIndex({ facts, ...byName(table), parts: [column.column, ...index] })]),
    ],
  };
}

function pointsAtTenants(
  { constraints }: Facts,
  { table, column, tenants }: TenantColumn,
): boolean {
  return constraints.some(
    (each) =>
      isOf(table)(each) &&
      each.kind === "foreignKey" &&
      each.validated &&
      each.references !== null &&
      isSame(each.references, tenants) &&
      each.columns.join() === column &&
      each.references.columns.join() === tenants.column,
  );
}

/** Tenant and parent as one key. The unique index of the parent that it needs is built once for all its children. */
function withParent(
  facts: Facts,
  { table, column }: TenantColumn,
  parent: TenantParent,
  built: Set<string>,
): Constrained {
  const unique = createIndex({
    facts,
    ...byName(parent),
    name: shorten(`${parent.name}_${[column, ...parent.references].join("_")}_key`),
    parts: [column, ...parent.references],
    unique: true,
  });
  const isBuilt =
    built.has(unique.name) || hasUnique(facts, parent, [column, ...parent.references]);
  built.add(unique.name);
  const key = addForeignKey({
    facts,
    ...byName(table),
    columns: [column, ...parent.columns],
    references: { ...byName(parent), columns: [column, ...parent.references] },
    ...parent.onDelete,
    onUpdate: "cascade",
  });
  const scan = key.steps.findIndex(({ id }) => id.startsWith("validate"));
  return {
    before: [...(isBuilt ? [] : [unique]), { ...key, steps: key.steps.slice(0, scan) }],
    after: [{ ...key, steps: key.steps.slice(scan) }],
  };
}

function hasUnique({ indexes }: Facts, table: RelationName, columns: readonly string[]): boolean {
  return indexes.some(
    (index) =>
      isOf(table)(index) &&
      index.unique &&
      index.valid &&
      index.immediate &&
      index.predicate === null &&
      index.keys.length === columns.length &&
      index.keys.every(({ column }) => column !== null && columns.includes(column)),
  );
}

/** A relation as recipes are told of one. */
export function byName({ schema, name }: RelationName): { schema: string; table: string } {
  return { schema, table: name };
}
