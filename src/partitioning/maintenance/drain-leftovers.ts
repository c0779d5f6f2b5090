import type { Scheme } from "../../definition/scheme.ts";
import { literal, qualified } from "../../sql/quote.ts";
import { namesOf } from "../provision-names.ts";
import { foreignKeysSql, indexCountSql, type ForeignKey } from "./foreign-keys.ts";

/** A table that a drain left, with what has to go before it. */
export interface DrainLeftover {
  readonly schema: string;
  readonly name: string;
  /** The function that kept the log, where the table is the log. */
  readonly isLog: boolean;
  readonly foreignKeys: readonly ForeignKey[];
  readonly indexes: number;
}

/** What the comment of every table of a drain begins with. */
export function drainMark(scheme: Scheme): string {
  const { schema, table } = namesOf(scheme);
  return `underpin: drains a default partition of ${qualified(schema, table)}`;
}

/** The query of tables that an interrupted drain left: none of them is a partition. */
export function leftoversSql(scheme: Scheme): string {
  return `select n.nspname as schema, c.relname as name, d.description like '% as log' as "isLog", ${foreignKeysSql("c.oid")} as "foreignKeys",
    ${indexCountSql("c.oid")} as indexes
  from pg_catalog.pg_description as d
  join pg_catalog.pg_class as c on c.oid = d.objoid and c.relkind = 'r' and not c.relispartition
  join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
  where d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objsubid = 0
    and pg_catalog.starts_with(d.description, ${literal(drainMark(scheme))})
  order by d.description like '% as log' desc, c.relname`;
}
