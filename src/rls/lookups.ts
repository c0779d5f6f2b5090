import { sql, type SQL, type SQLWrapper } from "drizzle-orm";
import { QueryBuilder } from "drizzle-orm/pg-core";
import type { AccessData, Lookup } from "../definition/access.ts";
import { qualified } from "../sql/quote.ts";
import { sqlText } from "../sql/sql-text.ts";
import { relationsIn } from "./relations-read.ts";

/** Whom a lookup is for. */
export interface Me {
  /** The user's id, looked at once for each statement. */
  readonly userId: SQL;
  readonly tenantId: SQL;
}

/** For each lookup a query of one column of ids. */
export type LookupBodies<L extends string> = Readonly<
  Record<L, (db: QueryBuilder, me: Me) => SQLWrapper>
>;

/** The lookups of an access with their queries as SQL. */
export function lookupsWith(
  access: AccessData,
  bodies: Readonly<Record<string, (db: QueryBuilder, me: Me) => SQLWrapper>>,
): readonly Lookup[] {
  const me: Me = {
    userId: sql.raw(`(select ${qualified(access.schema, "current_user_id")}())`),
    tenantId: sql.raw(`(select ${qualified(access.schema, "current_tenant_id")}())`),
  };
  return access.lookups.map((lookup) => {
    const body = bodies[lookup.name];
    if (body === undefined) return lookup;
    const query = body(new QueryBuilder(), me).getSQL();
    return { ...lookup, query: sqlText(query), reads: relationsIn(query) };
  });
}
