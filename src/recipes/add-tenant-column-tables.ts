import type { Facts } from "../catalog/read-facts.ts";
import type { RelationName } from "../plan/step.ts";
import {
  columnName,
  targetOf,
  type DrizzleColumn,
  type DrizzleTable,
  type TableTarget,
} from "../plan/target.ts";
import { qualified } from "../sql/quote.ts";
import {
  isSame,
  sourceOf,
  type TenantColumn,
  type TenantId,
  type TenantSource,
} from "./add-tenant-column-sources.ts";
import type { TenantDistribution } from "./add-tenant-column-steps.ts";
import type { BackfillOptions } from "./backfill.ts";
import type { EnableRlsOptions } from "./enable-rls.ts";
import type { IndexPart } from "./index-options.ts";
import { columnFactOf, isOf, refuse, tableFactOf } from "./table-facts.ts";

/** What may be said for one table, and for all that do not say it. */
export interface TenantTableOptions {
  /** Where rows get their tenant from. @default `defaultTenant` */
  readonly from?: TenantSource;
  /** What follows the tenant in an index; false for no index. @default [] */
  readonly index?: readonly IndexPart[] | false;
  /**
   * With a parent: a foreign key over tenant and parent together too, so that no row is of another tenant than its parent, and
   * follows it to another. @default true
   */
  readonly sameTenant?: boolean;
  /** Row security, once every version of the application writes the tenant; false for none. @default false */
  readonly rowSecurity?: Omit<EnableRlsOptions, "facts" | keyof TableTarget> | false;
  /** How the rows may be spread over the tenants; else the plan fails, and shows how they are. */
  readonly distribution?: TenantDistribution;
}

/** One table of several. */
export interface TenantTable extends TableTarget, TenantTableOptions {}

/** Which tables get a tenant column, and where their rows get it from. */
export interface AddTenantColumnOptions
  extends TenantTableOptions,
    Pick<
      BackfillOptions,
      | "batchSize"
      | "targetMs"
      | "workers"
      | "pauseMs"
      | "maxAttempts"
      | "maxFailedShare"
      | "throttle"
    > {
  /** Readings of the catalog: `await readFacts(db)`. */
  readonly facts: Facts;
  /** Of tables that are given by name alone. @default "public" */
  readonly schema?: string;
  /** One table, or several with `tables`. */
  readonly table?: string | DrizzleTable;
  readonly tables?: readonly (string | DrizzleTable | TenantTable)[];
  /** @default "tenant_id" */
  readonly column?: string | DrizzleColumn;
  /** The table of tenants, and the column by which they are known. */
  readonly tenants: TableTarget & { readonly column: string | DrizzleColumn };
  /** Whose the rows are that have no parent, or of which nothing else is said. */
  readonly defaultTenant?: TenantId;
  /** A setting in which sessions name their tenant: a new row that no parent tells the tenant of takes it before `defaultTenant`. */
  readonly setting?: string;
  /** The name of the plan. @default of the tables and the column */
  readonly name?: string;
}

/** A table of the list. */
export interface GivenTable {
  readonly own: TenantTable;
  readonly target: RelationName;
}

/** The tables that were given, each once. */
export function tablesOf({
  table,
  tables = [],
  schema,
}: AddTenantColumnOptions): readonly [GivenTable, ...GivenTable[]] {
  const given = [...(table === undefined ? [] : [table]), ...tables].map((each): GivenTable => {
    const own = isTenantTable(each) ? each : { table: each };
    const named = own.schema ?? (typeof own.table === "string" ? schema : undefined);
    const target = targetOf({
      table: own.table,
      ...(named === undefined ? {} : { schema: named }),
    });
    return { own, target };
  });
  given.forEach(({ target }, at) => {
    if (given.findIndex((each) => isSame(each.target, target)) !== at)
      refuse(`${qualified(target.schema, target.name)} is given twice`, "Name each table once.");
  });
  const [first, ...others] = given;
  if (first === undefined)
    return refuse("no table is given", "addTenantColumn({ …, table }) or { …, tables: [ … ] }.");
  return [first, ...others];
}

function isTenantTable(each: string | DrizzleTable | TenantTable): each is TenantTable {
  // A Drizzle table may have a column of any name: it is known by its symbol.
  return typeof each !== "string" && !(Symbol.for("drizzle:Name") in each);
}

/** The column that a table gets; refused by name where it cannot get one. */
export function columnOf(
  options: AddTenantColumnOptions,
  { own, target: table }: GivenTable,
  list: readonly RelationName[],
): TenantColumn {
  const { facts, setting } = options;
  const path = qualified(table.schema, table.name);
  const column = nameOf(options);
  const tenants = {
    ...targetOf({
      ...options.tenants,
      ...(options.tenants.schema === undefined &&
      options.schema !== undefined &&
      typeof options.tenants.table === "string"
        ? { schema: options.schema }
        : {}),
    }),
    column: columnName(options.tenants.column),
  };
  tableFactOf(facts, table);
  const theirs = columnFactOf(facts, tenants, tenants.column);
  if (isSame(table, tenants))
    refuse(`${path} is the table of tenants itself`, "Leave it out of the list.");
  refuseAmbiguous(facts, tenants);
  const there = facts.columns.find((each) => isOf(table)(each) && each.name === column);
  if (there !== undefined && there.type !== theirs.type)
    refuse(
      `${path} has a column ${column} already, of the type ${there.type}, and tenants are known by ${theirs.type}`,
      "Give the new column another name, or make that one alike: changeColumnType.",
    );
  if (there?.notNull === true)
    refuse(
      `${path} has a column ${column} already, and it is NOT NULL`,
      "Leave the table out of the list: others may still get their tenants from it as their parent.",
    );
  if (there !== undefined && (there.generated !== null || there.identity !== null))
    refuse(
      `${path} has a column ${column} already, and it is ${there.generated === null ? "an identity" : "generated"}`,
      "Give the new column another name.",
    );
  const base = { table, column, type: theirs.type, tenants };
  const source = sourceOf(facts, base, list, own.from ?? options.from, options.defaultTenant);
  if (own.sameTenant === true && source.parent === undefined)
    refuse(
      `rows of ${path} get their tenant from no parent, so that there is none to be of the same tenant as`,
      'Say from: "parent" or { parent } too, or leave sameTenant out for this table.',
    );
  const held = own.sameTenant ?? options.sameTenant ?? true;
  const parent = source.parent === undefined ? undefined : { ...source.parent, held };
  return { ...base, there, collation: theirs.collation, ...source, parent, setting };
}

/** The name of the column. */
export function nameOf({ column = "tenant_id" }: AddTenantColumnOptions): string {
  return columnName(column);
}

/** A tenant's id names one tenant: else a foreign key cannot point at it. */
function refuseAmbiguous(
  { indexes }: Pick<Facts, "indexes">,
  tenants: TenantColumn["tenants"],
): void {
  const unique = indexes.some(
    (index) =>
      isOf(tenants)(index) &&
      index.unique &&
      index.valid &&
      index.immediate &&
      index.predicate === null &&
      index.keys.length === 1 &&
      index.keys[0]?.column === tenants.column,
  );
  if (!unique)
    refuse(
      `${tenants.column} of ${qualified(tenants.schema, tenants.name)} is not unique: no foreign key can point at it`,
      "Make it so first: addPrimaryKey or addUnique.",
    );
}
