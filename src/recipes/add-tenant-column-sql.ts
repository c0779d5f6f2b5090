import type { RowAccess } from "../plan/step.ts";
import { ident, literal, qualified } from "../sql/quote.ts";
import type { TenantColumn, TenantId, TenantParent } from "./add-tenant-column-sources.ts";

/** The tenant of the old rows, as SQL about `target`. */
export function tenantOfOldRow(column: TenantColumn): string {
  const { parent, expression, tenant } = column;
  const otherwise = tenant === undefined ? undefined : constantSql(column, tenant);
  if (parent !== undefined) {
    const theirs = `(${tenantOfParent(column, parent, "target")})`;
    if (otherwise === undefined) return theirs;
    // Not coalesce: a parent whose tenant is not there yet is not the same as no parent.
    return `CASE WHEN ${hasParent(parent, "target")} THEN ${theirs} ELSE ${otherwise} END`;
  }
  if (expression !== undefined)
    return otherwise === undefined ? `(${expression})` : `coalesce((${expression}), ${otherwise})`;
  return otherwise ?? "NULL";
}

/**
 * Which rows are left to fill, as SQL about `target`.
 *
 * Of rows that are held to their parent also those that a new version wrote before the foreign key was there to hold them,
 * and whose parent has been moved since. Not IS DISTINCT FROM: a row without a parent may have any tenant.
 */
export function leftToFill(column: TenantColumn): string {
  const own = `target.${ident(column.column)}`;
  const { parent } = column;
  if (parent?.held !== true) return `${own} IS NULL`;
  const theirs = tenantOfParent(column, { ...parent, held: false }, "target");
  return `(${own} IS NULL OR ${own} <> (${theirs}))`;
}

/**
 * The query of the tenant of a row's parent; `into` is PL/pgSQL's.
 *
 * A parent to which its rows are held is locked, as their foreign key would do at the end of the statement: it stays at its
 * tenant until then, and who deletes or moves it waits before it has touched its rows, not in the midst.
 */
export function tenantOfParent(
  { column }: Pick<TenantColumn, "column">,
  parent: TenantParent,
  row: string,
  into = "",
): string {
  const on = parent.references.map(
    (name, at) => `parent.${ident(name)} = ${row}.${ident(parent.columns[at] ?? name)}`,
  );
  return `SELECT parent.${ident(column)}${into} FROM ${qualified(parent.schema, parent.name)} AS parent WHERE ${on.join(" AND ")}${parent.held ? " FOR KEY SHARE OF parent" : ""}`;
}

/** Whether a row points at a parent. */
export function hasParent({ columns }: TenantParent, row: string): string {
  return `pg_catalog.num_nulls(${columns.map((name) => `${row}.${ident(name)}`).join(", ")}) = 0`;
}

/** What a new row gets where nothing else says it: the tenant that its session names, or else the one for all; undefined for neither. */
export function tenantOtherwise(column: TenantColumn): string | undefined {
  const { setting, tenant, type } = column;
  const constant = tenant === undefined ? undefined : constantSql(column, tenant);
  if (setting === undefined) return constant;
  const named = `CAST(nullif(pg_catalog.current_setting(${literal(setting)}, true), '') AS ${type})`;
  return constant === undefined ? named : `coalesce(${named}, ${constant})`;
}

/** A tenant as SQL. */
export function constantSql({ type }: Pick<TenantColumn, "type">, tenant: TenantId): string {
  return `CAST(${literal(String(tenant))} AS ${type})`;
}

/** Whose rows are read to find a tenant, and see that it is there. */
export function readsOf(column: TenantColumn): readonly RowAccess[] {
  const { schema, name } = column.tenants;
  return [...parentReads(column), { schema, name, access: "read" }];
}

/** As {@link readsOf}, of the parent alone. */
export function parentReads({ parent }: TenantColumn): readonly RowAccess[] {
  if (parent === undefined) return [];
  const { schema, name, held } = parent;
  // A row that is locked is seen by the policies for UPDATE too.
  return [{ schema, name, access: held ? "update" : "read" }];
}
