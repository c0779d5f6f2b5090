import type { getTableConfig, PgTable } from "drizzle-orm/pg-core";
import type { TableRules } from "./access.ts";

/** A table of a definition with its rules, read once. */
export interface RuledTable {
  readonly table: PgTable;
  readonly config: ReturnType<typeof getTableConfig>;
  /** `app.orders`. */
  readonly name: string;
  readonly rules: TableRules | null;
}
