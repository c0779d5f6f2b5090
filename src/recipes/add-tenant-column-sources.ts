import type { ColumnFact } from "../catalog/columns.ts";
import type { ConstraintFact, ReferentialAction } from "../catalog/constraints.ts";
import type { Facts } from "../catalog/read-facts.ts";
import type { RelationName } from "../plan/step.ts";
import { columnName, targetOf, type DrizzleColumn, type DrizzleTable } from "../plan/target.ts";
import { ident, qualified } from "../sql/quote.ts";
import type { AddForeignKeyOptions } from "./add-foreign-key.ts";
import { columnFactOf, isOf, refuse, tableFactOf } from "./table-facts.ts";

/** Where the rows of a table get their tenant from. */
export type TenantSource =
  /** The row that the one foreign key to another table of the list, or to one that has the column, points at. */
  | "parent"
  /** The row of this table that a foreign key points at; `by` says which foreign key, where there are several. */
  | {
      readonly parent: string | DrizzleTable;
      readonly schema?: string;
      readonly by?: readonly (string | DrizzleColumn)[];
    }
  /**
   * An SQL expression about `target`. A trigger uses it too, with the rights of the migration's login and without a search path:
   * functions and types that are not built in are written with their schema.
   */
  | { readonly expression: string }
  /** One tenant. */
  | { readonly tenant: TenantId };

/** The id of a tenant. */
export type TenantId = string | number | bigint;

/** A table, the column that it gets, and what its rows are filled from: the first of these that is there. */
export interface TenantColumn {
  readonly table: RelationName;
  readonly column: string;
  readonly type: string;
  readonly collation: string | null;
  /** The column, where it is there already. */
  readonly there: ColumnFact | undefined;
  readonly tenants: RelationName & { readonly column: string };
  readonly parent: TenantParent | undefined;
  readonly expression: string | undefined;
  readonly tenant: TenantId | undefined;
  /** Of a new row: the setting in which its session names its tenant. */
  readonly setting: string | undefined;
}

/** The foreign key through which rows find the row whose tenant they have. */
export interface TenantParent extends RelationName {
  readonly foreignKey: string;
  /** The columns of the foreign key, and the columns of the parent that they hold. */
  readonly columns: readonly string[];
  readonly references: readonly string[];
  /** Whether a row and its parent are held to one tenant by a foreign key over both. */
  readonly held: boolean;
  /** What happens to a row whose parent goes away, and to which of its columns. */
  readonly onDelete: Pick<AddForeignKeyOptions, "onDelete" | "onDeleteColumns">;
}

type SourceFacts = Pick<Facts, "tables" | "columns" | "constraints">;

/** Where a table's rows get their tenant from; refused by name where that cannot be told, or cannot work. */
export function sourceOf(
  facts: SourceFacts,
  column: Pick<TenantColumn, "table" | "column" | "tenants">,
  list: readonly RelationName[],
  from: TenantSource | undefined,
  tenant: TenantId | undefined,
): {
  readonly parent: Omit<TenantParent, "held"> | undefined;
  readonly expression: string | undefined;
  readonly tenant: TenantId | undefined;
} {
  const path = qualified(column.table.schema, column.table.name);
  if (from === undefined && tenant === undefined)
    refuse(
      `nothing says whose the rows of ${path} are`,
      'Say defaultTenant: …, or from: "parent", { parent }, { expression } or { tenant }.',
    );
  if (from === undefined) return { parent: undefined, expression: undefined, tenant };
  if (from === "parent") {
    const parent = onlyParent(facts, column, list);
    if (parent === undefined && tenant === undefined)
      refuse(
        `no foreign key of ${path} leads to a table that has or gets ${column.column}`,
        "Give a defaultTenant, or say from: { expression: … } for this table.",
      );
    return { parent, expression: undefined, tenant };
  }
  if ("parent" in from)
    return { parent: namedParent(facts, column, list, from), expression: undefined, tenant };
  if ("expression" in from) return { parent: undefined, expression: from.expression, tenant };
  return { parent: undefined, expression: undefined, tenant: from.tenant };
}

/** Foreign keys of the table itself: those that PostgreSQL makes for partitions of the referenced table belong to another. */
function foreignKeysOf({ constraints }: SourceFacts, table: RelationName) {
  return constraints.flatMap((each) =>
    isOf(table)(each) &&
    each.kind === "foreignKey" &&
    each.references !== null &&
    each.enforced &&
    each.parent === null
      ? [{ ...each, references: each.references }]
      : [],
  );
}

function onlyParent(
  facts: SourceFacts,
  { table, column, tenants }: Pick<TenantColumn, "table" | "column" | "tenants">,
  list: readonly RelationName[],
): Omit<TenantParent, "held"> | undefined {
  const found = foreignKeysOf(facts, table).filter(
    ({ references }) =>
      !isSame(references, table) &&
      !isSame(references, tenants) &&
      (list.some((each) => isSame(each, references)) ||
        facts.columns.some((each) => isOf(references)(each) && each.name === column)),
  );
  if (found.length > 1) refuseSeveral(table, found);
  const [key] = found;
  return key === undefined ? undefined : parentOf(table, key);
}

function namedParent(
  facts: SourceFacts,
  { table, column }: Pick<TenantColumn, "table" | "column">,
  list: readonly RelationName[],
  from: Extract<TenantSource, { readonly parent: unknown }>,
): Omit<TenantParent, "held"> {
  const parent = targetOf({ schema: from.schema ?? table.schema, table: from.parent });
  const path = qualified(table.schema, table.name);
  const parentPath = qualified(parent.schema, parent.name);
  tableFactOf(facts, parent);
  if (isSame(parent, table))
    refuse(
      `${path} cannot get its tenants from itself: rows at the top have no other row to get them from`,
      "Say from: { expression: … }, as by the table that the rows at the top belong to, or { tenant: … }.",
    );
  if (!list.some((each) => isSame(each, parent))) columnFactOf(facts, parent, column);
  const by = from.by?.map(columnName);
  const found = foreignKeysOf(facts, table).filter(
    ({ references, columns }) =>
      isSame(references, parent) &&
      (by === undefined ||
        (by.length === columns.length && by.every((name) => columns.includes(name)))),
  );
  if (found.length > 1) refuseSeveral(table, found);
  const [key] = found;
  if (key === undefined)
    return refuse(
      `${path} has no foreign key${by === undefined ? "" : ` over ${by.join(", ")}`} to ${parentPath}`,
      "Add it first (addForeignKey), or say from: { expression: … }.",
    );
  return parentOf(table, key);
}

function refuseSeveral(table: RelationName, found: readonly ConstraintFact[]): never {
  const names = found.map(({ name, columns }) => `${name} (${columns.join(", ")})`);
  return refuse(
    `several foreign keys of ${qualified(table.schema, table.name)} could lead to its tenants: ${names.join(" and ")}`,
    'Say which one: from: { parent: "…", by: ["…"] }.',
  );
}

function parentOf(
  table: RelationName,
  key: ReturnType<typeof foreignKeysOf>[number],
): Omit<TenantParent, "held"> {
  const { references, columns, name } = key;
  if (key.deferrable)
    refuse(
      `the foreign key ${name} of ${qualified(table.schema, table.name)} is deferrable: a row may come before its parent, whose tenant cannot be looked up then`,
      `ALTER TABLE … ALTER CONSTRAINT ${ident(name)} NOT DEFERRABLE, or say from: { expression: … }.`,
    );
  return {
    schema: references.schema,
    name: references.name,
    foreignKey: name,
    columns,
    references: references.columns,
    onDelete: ON_DELETE[references.onDelete](
      references.setColumns.length === 0 ? columns : references.setColumns,
    ),
  };
}

/** What a key over tenant and parent does where the key to the parent alone does this: the tenant of a row is never taken away. */
const ON_DELETE = {
  noAction: () => ({}),
  restrict: () => ({}),
  cascade: () => ({ onDelete: "cascade" }),
  setNull: (onDeleteColumns) => ({ onDelete: "set null", onDeleteColumns }),
  setDefault: (onDeleteColumns) => ({ onDelete: "set default", onDeleteColumns }),
} as const satisfies Record<
  ReferentialAction,
  (columns: readonly string[]) => TenantParent["onDelete"]
>;

/** Parents before their children; refused by name where they go round in a circle. */
export function inOrder(columns: readonly TenantColumn[]): readonly TenantColumn[] {
  const ordered: TenantColumn[] = [];
  const visit = (each: TenantColumn, path: readonly TenantColumn[]): void => {
    if (ordered.includes(each)) return;
    if (path.includes(each)) {
      const circle = [...path.slice(path.indexOf(each)), each];
      refuse(
        `the tables ${circle.map(({ table }) => qualified(table.schema, table.name)).join(" → ")} would get their tenants from each other`,
        "Say for one of them from: { expression: … } or { tenant: … }.",
      );
    }
    const { parent } = each;
    const above = columns.find(({ table }) => parent !== undefined && isSame(table, parent));
    if (above !== undefined) visit(above, [...path, each]);
    ordered.push(each);
  };
  for (const each of columns) visit(each, []);
  return ordered;
}

/** Whether both are the same relation. */
export function isSame(a: RelationName, b: RelationName): boolean {
  return a.schema === b.schema && a.name === b.name;
}
