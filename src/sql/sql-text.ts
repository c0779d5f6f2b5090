import { is, SQL, type SQLWrapper } from "drizzle-orm";
import { PgDialect } from "drizzle-orm/pg-core";

/**
 * Drizzle's SQL as text, with values as literals: DDL takes no parameters (42P02 for a `$1` in a CHECK or a policy).
 *
 * Inside a CHECK, an index or a policy the caller takes care that columns are written without their table.
 */
export function sqlText(query: SQL | SQLWrapper): string {
  const sql = is(query, SQL) ? query : query.getSQL();
  return new PgDialect().sqlToQuery(sql.inlineParams()).sql;
}
