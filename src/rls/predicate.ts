import type { AccessData, RowClass } from "../definition/access.ts";
import { lookupFunction } from "../definition/lookup-function.ts";
import { ident, literal, qualified } from "../sql/quote.ts";

/**
 * The predicate of a row class, as SQL about an unqualified row; null where no row is meant.
 *
 * Without a tenant column the tenant is taken to be held by somebody else, as the floor does for the policies above it.
 *
 * Functions stand in a sub-select: the planner runs it once (an InitPlan) and uses the index on the column, where a bare call runs for
 * each row. Citus refuses a sub-select in a policy of a distributed table and gets the bare setting.
 */
export function predicateOf(
  access: AccessData,
  tenantColumn: string | null,
  rowClass: RowClass,
): string | null {
  switch (rowClass.kind) {
    case "none":
      return null;
    case "public":
      return "true";
    case "tenant":
      return tenantColumn === null ? "true" : tenantPredicate(access, tenantColumn);
    case "own":
      return `${ident(rowClass.column)} = ${userId(access)}`;
    case "among": {
      const lookup = access.lookups.find(({ name }) => name === rowClass.lookup);
      const type = lookup?.type ?? "uuid";
      if (access.target === "citus")
        return `${ident(rowClass.column)} = any(${bareSetting(lookupSetting(access, rowClass.lookup), `${type}[]`)})`;
      const ids = `(select ${qualified(access.schema, lookupFunction(rowClass.lookup))}())`;
      return `${ident(rowClass.column)} = any(${ids}::${type}[])`;
    }
    case "custom":
      return `(${rowClass.predicate})`;
    case "anyOf": {
      const parts = rowClass.classes
        .map((part) => predicateOf(access, tenantColumn, part))
        .filter((part) => part !== null);
      return parts.length === 0 ? null : `(${parts.join(" or ")})`;
    }
  }
}

/** The floor of every table that has a tenant. */
export function tenantPredicate(access: AccessData, tenantColumn: string): string {
  const { setting, type } = access.tenant;
  const value =
    access.target === "citus"
      ? bareSetting(setting, type)
      : `(select ${qualified(access.schema, "current_tenant_id")}())`;
  return `${ident(tenantColumn)} = ${value}`;
}

function userId(access: AccessData): string {
  const { setting, type } = access.user;
  return access.target === "citus"
    ? bareSetting(setting, type)
    : `(select ${qualified(access.schema, "current_user_id")}())`;
}

/** What Citus can send to its workers. An empty setting is no row, not an error. */
function bareSetting(setting: string, type: string): string {
  return `nullif(current_setting(${literal(setting)}, true), '')::${type}`;
}

/** Where the ids of a lookup are for a target whose policies cannot ask for them: `app.assigned_ids`. */
export function lookupSetting({ tenant }: AccessData, name: string): string {
  return `${tenant.setting.slice(0, tenant.setting.lastIndexOf("."))}.${lookupFunction(name)}`;
}
