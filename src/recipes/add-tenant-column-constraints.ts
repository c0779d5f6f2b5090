import type { Facts } from "../catalog/read-facts.ts";
import type { Plan, RelationName, Step } from "../plan/step.ts";
import { qualified } from "../sql/quote.ts";
import { shorten } from "../sql/shorten.ts";
import { addForeignKey } from "./add-foreign-key.ts";
import { isSame, type TenantColumn } from "./add-tenant-column-sources.ts";
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
  all: readonly TenantColumn[],
  index: TenantTableOptions["index"] & {},
  built: Set<string>,
): Constrained {
  const { table, tenants } = column;
  const children = all.filter(({ parent }) => parent !== undefined && isSame(parent, table));
  const before = parentKeys(facts, [column], built);
  const keys = parentKeys(facts, children, built);
  const together = withParent(facts, column);
  const toTenants = addForeignKey({
    facts,
    ...byName(table),
    columns: [column.column],
    references: { ...byName(tenants), columns: [tenants.column] },
  });
  return {
    before: [...before, ...together.map(({ add }) => add)],
    after: [
      ...(index === false
        ? []
        : [createIndex({ facts, ...byName(table), parts: [column.column, ...index] })]),
      ...keys,
      ...together.map(({ validate }) => validate),
      ...(pointsAtTenants(facts, column) ? [] : [toTenants]),
    ],
  };
}

/** The unique indexes over tenant and key that foreign keys of children need, each once for all children. */
function parentKeys(
  facts: Facts,
  children: readonly TenantColumn[],
  built: Set<string>,
): readonly Plan[] {
  return children.flatMap((child) => {
    const { parent } = child;
    if (parent?.held !== true) return [];
    const columns = [child.column, ...parent.references] as const;
    const key = createIndex({
      facts,
      ...byName(parent),
      name: shorten(`${parent.name}_${columns.join("_")}_key`),
      parts: columns,
      unique: true,
    });
    if (built.has(key.name) || hasUnique(facts, parent, columns)) return [];
    built.add(key.name);
    return [key];
  });
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

/**
 * ADD FOREIGN KEY locks the child and then the parent; an application writes the parent and then the child, and both would wait
 * for each other.
 */
function parentFirst(step: Step, { schema, name }: RelationName): Step {
  if (step.kind !== "sql") return step;
  const lock = `LOCK TABLE ${qualified(schema, name)} IN SHARE ROW EXCLUSIVE MODE`;
  return { ...step, sql: `${lock};\n${step.sql}` };
}

/** Tenant and parent as one foreign key: made NOT VALID, and validated. */
function withParent(
  facts: Facts,
  { table, column, parent }: TenantColumn,
): readonly { add: Plan; validate: Plan }[] {
  if (parent?.held !== true) return [];
  const key = addForeignKey({
    facts,
    ...byName(table),
    columns: [column, ...parent.columns],
    references: { ...byName(parent), columns: [column, ...parent.references] },
    ...parent.onDelete,
    onUpdate: "cascade",
  });
  const scan = key.steps.findIndex(({ id }) => id.startsWith("validate"));
  return [
    {
      add: { ...key, steps: key.steps.slice(0, scan).map((step) => parentFirst(step, parent)) },
      validate: { ...key, steps: key.steps.slice(scan) },
    },
  ];
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
