import type { Queryable } from "../../executor/executor.ts";
import { readJson, type ReadOptions } from "../../catalog/read-json.ts";

/** What an audit reads beside the facts. */
export interface MoreFacts {
  readonly extensions: readonly { readonly name: string; readonly offered: string }[];
  /** Keys of indexes, from 1, of which an operator that searches them by their own type is not LEAKPROOF. */
  readonly leaky: readonly {
    readonly schema: string;
    readonly index: string;
    readonly position: number;
  }[];
  /** Functions whose body was read when they were made, and so trusts no path. */
  readonly parsed: readonly {
    readonly schema: string;
    readonly name: string;
    readonly signature: string;
  }[];
  readonly foreignTables: readonly { readonly schema: string; readonly name: string }[];
}

const QUERIES = {
  extensions: `select a.name, a.default_version as offered from pg_catalog.pg_available_extensions as a
    where a.installed_version is not null`,
  // A family compares with other types too, a timestamp with a date say: what they leak, who compares with the type itself does not.
  leaky: `with searches as (
      select o.oid as opclass, m.amoprighttype = o.opcintype as same, f.proleakproof as leakproof
      from pg_catalog.pg_opclass as o
      join pg_catalog.pg_amop as m on m.amopfamily = o.opcfamily
        and m.amoplefttype = o.opcintype and m.amoppurpose = 's'
      join pg_catalog.pg_operator as op on op.oid = m.amopopr
      join pg_catalog.pg_proc as f on f.oid = op.oprcode
    )
    select s.name as schema, i.relname as index, k.position
    from pg_catalog.pg_index as x
    join pg_catalog.pg_class as i on i.oid = x.indexrelid
    join scope as s on s.oid = i.relnamespace
    join pg_catalog.pg_class as t on t.oid = x.indrelid and t.relkind in ('r', 'p') and t.relrowsecurity
    cross join lateral pg_catalog.unnest(x.indclass) with ordinality as k(opclass, position)
    where exists (
      select from searches as o where o.opclass = k.opclass and not o.leakproof
      and (o.same or not exists (select from searches as e where e.opclass = o.opclass and e.same)))`,
  parsed: `select s.name as schema, p.proname as name, pg_catalog.oidvectortypes(p.proargtypes) as signature
    from pg_catalog.pg_proc as p join scope as s on s.oid = p.pronamespace where p.prosqlbody is not null`,
  foreignTables: `select s.name as schema, c.relname as name
    from pg_catalog.pg_class as c join scope as s on s.oid = c.relnamespace where c.relkind = 'f'`,
} as const;

/** Reads what no fact says, as one statement. */
export async function readMoreFacts(db: Queryable, options: ReadOptions): Promise<MoreFacts> {
  return (await readJson(db, QUERIES, options)) as unknown as MoreFacts;
}
