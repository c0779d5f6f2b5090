import type { CheckStep, Lock, RelationName, SqlStep, Step } from "../plan/step.ts";
import { columnsIn } from "../sql/column-references.ts";
import { dollarQuoted } from "../sql/dollar-quoted.ts";
import { ident, literal, qualified } from "../sql/quote.ts";
import { shorten } from "../sql/shorten.ts";
import {
  constantSql,
  hasParent,
  parentReads,
  readsOf,
  tenantOfParent,
  tenantOtherwise,
} from "./add-tenant-column-sql.ts";
import type { TenantColumn, TenantParent } from "./add-tenant-column-sources.ts";
import type { BackfillCheck } from "./backfill.ts";

/** How new rows get their tenant while versions of the application that do not know the column are alive, and the end of that. */
export interface NewRows {
  readonly begin: SqlStep;
  readonly end: SqlStep;
}

/** A DEFAULT where a row needs no other row, else a trigger. `id` is the table in the ids of steps. */
export function newRowsOf(column: TenantColumn, columns: readonly string[], id: string): NewRows {
  const { table } = column;
  const how =
    column.parent === undefined && column.expression === undefined
      ? byDefault(column)
      : byTrigger(column, columns);
  const exclusively = { locks: locksOn(table, "accessExclusive") } as const;
  const begin = { sql: how.on, locks: locksOn(table, how.lock), rows: how.rows } as const;
  const end = { sql: how.off, ...exclusively } as const;
  return {
    begin: {
      kind: "sql",
      id: `new-rows:${id}`,
      title: `New rows of ${table.name} get their tenant, also from versions that do not know the column`,
      ...begin,
      transaction: "commitAfter",
      undo: { kind: "statement", ...end, transaction: "inside" },
    },
    end: {
      kind: "sql",
      id: `end-new-rows:${id}`,
      title: `Who writes ${table.name} says the tenant, or is refused`,
      ...end,
      transaction: "commitAfter",
      undo: { kind: "statement", ...begin, transaction: "inside" },
    },
  };
}

interface Way {
  readonly on: string;
  readonly off: string;
  readonly lock: Lock["mode"];
  readonly rows: SqlStep["rows"] & {};
}

function byDefault(column: TenantColumn): Way {
  const alter = `ALTER TABLE ${qualified(column.table.schema, column.table.name)} ALTER COLUMN ${ident(column.column)}`;
  const before = column.there?.default ?? null;
  return {
    on: `${alter} SET DEFAULT ${tenantOtherwise(column) ?? "NULL"}`,
    off: before === null ? `${alter} DROP DEFAULT` : `${alter} SET DEFAULT ${before}`,
    lock: "accessExclusive",
    rows: [],
  };
}

/**
 * A BEFORE row trigger, whose name comes after an application's own. It works for whoever writes, with the rights of the
 * migration's login: a writer need not be able to read parents. ALWAYS: what a subscription applies lacks the column too.
 */
function byTrigger(column: TenantColumn, columns: readonly string[]): Way {
  const { table } = column;
  const path = qualified(table.schema, table.name);
  const trigger = ident(shorten(`zzz_underpin_tenant_${column.column}`));
  const function_ = qualified(
    table.schema,
    shorten(`underpin_tenant_${table.name}_${column.column}`),
  );
  return {
    on: [
      `CREATE FUNCTION ${function_}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS ${dollarQuoted(bodyOf(column, columns))}`,
      `REVOKE ALL ON FUNCTION ${function_}() FROM PUBLIC`,
      `CREATE TRIGGER ${trigger} BEFORE INSERT OR UPDATE ON ${path} FOR EACH ROW EXECUTE FUNCTION ${function_}()`,
      `ALTER TABLE ${path} ENABLE ALWAYS TRIGGER ${trigger}`,
    ].join(";\n"),
    off: `DROP TRIGGER ${trigger} ON ${path};\nDROP FUNCTION ${function_}()`,
    lock: "shareRowExclusive",
    rows: parentReads(column),
  };
}

/**
 * A row without a tenant gets one; a row that a version without the column moves, to another parent or by what the expression
 * reads, follows.
 */
function bodyOf(column: TenantColumn, columns: readonly string[]): string {
  const { parent, expression = "NULL", type } = column;
  const own = `NEW.${ident(column.column)}`;
  const inputs = parent === undefined ? columnsIn(expression, columns) : parent.columns;
  const row = (of: "NEW" | "OLD", names: readonly string[]) =>
    `ROW(${names.map((name) => `${of}.${ident(name)}`).join(", ")})`;
  const same = (names: readonly string[]) =>
    `pg_catalog.record_image_eq(${row("NEW", names)}, ${row("OLD", names)})`;
  const otherwise = tenantOtherwise(column) ?? "NULL";
  const find =
    parent === undefined
      ? `  v_tenant := (SELECT ${expression} FROM (SELECT ${inputs.map((name) => `NEW.${ident(name)} AS ${ident(name)}`).join(", ")}) AS target);`
      : `  IF ${hasParent(parent, "NEW")} THEN
${lookUp(column, parent)}
    ${own} := v_tenant;
    RETURN NEW;
  END IF;`;
  return `
#variable_conflict use_column
DECLARE
  v_tenant ${type};
BEGIN
  IF ${own} IS NOT NULL THEN
    IF TG_OP = 'INSERT' THEN
      RETURN NEW;
    ELSIF NOT ${same([column.column])} OR ${inputs.length === 0 ? "true" : same(inputs)} THEN
      RETURN NEW;
    END IF;
  END IF;
${find}
  ${own} := coalesce(v_tenant, ${own}, ${otherwise});
  RETURN NEW;
END`;
}

/**
 * The tenant of the parent, of which an old snapshot may know nothing, or nothing yet: parents were filled before, but not for
 * who has looked before that. Who looks again finds it; a guess would be another tenant's row.
 */
function lookUp(column: TenantColumn, parent: TenantParent): string {
  const { table } = column;
  const into = tenantOfParent(column, parent, "NEW", " INTO v_tenant");
  const path = qualified(parent.schema, parent.name);
  const raise = (code: string, message: string, more: string) =>
    `RAISE EXCEPTION USING ERRCODE = ${literal(code)}, MESSAGE = ${literal(message)}, ${more};`;
  return `    ${into};
    IF v_tenant IS NULL AND pg_catalog.current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
      ${raise("serialization_failure", `the tenant of a row of ${qualified(table.schema, table.name)} cannot be told by a snapshot that is older than that of its parent in ${path}`, "HINT = 'Run the transaction again.'")}
    ELSIF NOT FOUND THEN
      ${raise("foreign_key_violation", `insert or update on table "${table.name}" violates foreign key constraint "${parent.foreignKey}"`, `DETAIL = ${literal(`The row that it points at is not present in table "${parent.name}".`)}, SCHEMA = ${literal(table.schema)}, TABLE = ${literal(table.name)}, CONSTRAINT = ${literal(parent.foreignKey)}`)}
    END IF;`;
}

/** A tenant that is given as a constant is one of the tenants. */
export function tenantIsThere(column: TenantColumn, id: string): CheckStep | undefined {
  const { tenant, tenants } = column;
  if (tenant === undefined) return undefined;
  const constant = constantSql(column, tenant);
  return {
    kind: "check",
    id: `tenant-is-there:${id}`,
    title: `The tenant that rows of ${column.table.name} get is there`,
    sql: `SELECT ${literal(String(tenant))} AS tenant, 'is none of the tenants' AS reason
WHERE NOT EXISTS (SELECT FROM ${tenantsPath(tenants)} AS tenant WHERE tenant.${ident(tenants.column)} = ${constant})`,
    expect: "noRows",
    rows: [{ schema: tenants.schema, name: tenants.name, access: "read" }],
    transaction: "commitAfter",
    undo: { kind: "nothing" },
  };
}

/** What must be true of each row of a batch: it has a tenant, and that is one of the tenants. */
export function rowCheckOf({ column, tenants }: TenantColumn): string {
  return `target.${ident(column)} IS NOT NULL AND EXISTS (SELECT FROM ${tenantsPath(tenants)} AS tenant WHERE tenant.${ident(tenants.column)} = target.${ident(column)})`;
}

/** How rows may be spread over tenants. */
export interface TenantDistribution {
  /** Whether a tenant without a row is a mistake. @default false */
  readonly everyTenant?: boolean;
  /** The largest share of the rows that one tenant may have, up to 1. */
  readonly largestShare?: number;
}

/** What must be true of the whole table once it is filled. The rows that it is not true of are the evidence. */
export function endChecksOf(
  column: TenantColumn,
  key: readonly string[],
  distribution: TenantDistribution | undefined,
): readonly BackfillCheck[] {
  const { table, parent, tenants } = column;
  const rows = readsOf(column);
  const path = qualified(table.schema, table.name);
  const own = `target.${ident(column.column)}`;
  const keys = key.map((name) => `target.${ident(name)}`).join(", ");
  const orphans: BackfillCheck = {
    title: `Every row of ${table.name} belongs to a tenant that is there`,
    sql: `SELECT ${keys}, ${own} AS tenant, 'is none of the tenants' AS reason FROM ${path} AS target
LEFT JOIN ${tenantsPath(tenants)} AS tenant ON tenant.${ident(tenants.column)} = ${own}
WHERE ${own} IS NOT NULL AND tenant.${ident(tenants.column)} IS NULL`,
    rows,
  };
  return [
    orphans,
    ...(parent === undefined ? [] : [{ ...sameAsParent(column, parent, keys), rows }]),
    ...(distribution === undefined ? [] : [{ ...spread(column, distribution), rows }]),
  ];
}

function sameAsParent(column: TenantColumn, parent: TenantParent, keys: string): BackfillCheck {
  const own = `target.${ident(column.column)}`;
  const theirs = `parent.${ident(column.column)}`;
  const on = parent.references.map(
    (name, at) => `parent.${ident(name)} = target.${ident(parent.columns[at] ?? name)}`,
  );
  return {
    title: `Every row of ${column.table.name} belongs to the tenant of its row of ${parent.name}`,
    sql: `SELECT ${keys}, ${own} AS tenant, ${theirs} AS "tenant of the parent"
FROM ${qualified(column.table.schema, column.table.name)} AS target
JOIN ${qualified(parent.schema, parent.name)} AS parent ON ${on.join(" AND ")}
WHERE ${own} IS DISTINCT FROM ${theirs}`,
  };
}

function spread(column: TenantColumn, distribution: TenantDistribution): BackfillCheck {
  const { everyTenant = false, largestShare } = distribution;
  const wrong = [
    ...(everyTenant ? ["d.rows = 0"] : []),
    ...(largestShare === undefined ? [] : [`d.share > ${largestShare}`]),
  ];
  return {
    title: `The rows of ${column.table.name} are spread over the tenants as they should be`,
    sql: `SELECT d.tenant, d.rows::text AS rows, pg_catalog.round(100 * d.share, 1)::text AS percent
FROM (${distributionSql(column)}) AS d
WHERE ${wrong.length === 0 ? "false" : wrong.join(" OR ")}
ORDER BY d.rows DESC`,
  };
}

/** How many rows each tenant has, and which share that is. */
export function distributionSql({ table, column, tenants }: TenantColumn): string {
  return `SELECT tenant.${ident(tenants.column)} AS tenant, pg_catalog.count(target.${ident(column)}) AS rows,
  pg_catalog.count(target.${ident(column)}) / nullif(pg_catalog.sum(pg_catalog.count(target.${ident(column)})) OVER (), 0) AS share
FROM ${tenantsPath(tenants)} AS tenant
LEFT JOIN ${qualified(table.schema, table.name)} AS target ON target.${ident(column)} = tenant.${ident(tenants.column)}
GROUP BY 1`;
}

/** What a person makes sure of before new rows are no longer filled. */
export function oldVersionsGone(columns: readonly TenantColumn[]): Step {
  const [first] = columns;
  const of = columns.map(({ table }) => qualified(table.schema, table.name)).join(", ");
  const look = columns.map((each) => `${distributionSql(each)};`).join("\n");
  return {
    kind: "gate",
    id: "old-versions-gone",
    title: `Every version of the application writes ${first?.column ?? "the tenant"}`,
    question: `Does every running version write ${first?.column ?? "the tenant"} of ${of}? Then rows that do not say their tenant are refused. How the rows are spread over the tenants:\n${look}`,
    undo: { kind: "nothing" },
  };
}

function tenantsPath({ schema, name }: RelationName): string {
  return qualified(schema, name);
}

function locksOn(table: RelationName, mode: Lock["mode"]): readonly Lock[] {
  return [{ ...table, mode, partitions: true }];
}
