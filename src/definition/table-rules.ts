import { getTableConfig, type PgTable } from "drizzle-orm/pg-core";
import { RULES, type TableRules } from "./access.ts";

/** The rules that `access.rules` attached to a table's policies; null for a table that has none. */
export function tableRules(table: PgTable): TableRules | null {
  for (const policy of getTableConfig(table).policies) {
    const { [RULES]: rules } = policy as { readonly [RULES]?: TableRules };
    if (rules !== undefined) return rules;
  }
  return null;
}
