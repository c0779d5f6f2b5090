import { columns, type ColumnFact } from "../../catalog/columns.ts";
import { constraints, type ConstraintFact } from "../../catalog/constraints.ts";
import { partitions, type PartitionFact } from "../../catalog/partitions.ts";
import { readJson } from "../../catalog/read-json.ts";
import { types, type TypeFact } from "../../catalog/types.ts";
import type { Queryable } from "../../executor/executor.ts";

/** A unique index, with columns only where all its keys are columns and all rows are in it. */
export interface UniqueFact {
  readonly schema: string;
  readonly table: string;
  readonly name: string;
  readonly columns: readonly (string | null)[];
  readonly partial: boolean;
  readonly primary: boolean;
}

/** A view or materialized view, with what it reads through all views below it. */
export interface ViewReads {
  readonly schema: string;
  readonly name: string;
  /** It reads with its caller's rights. */
  readonly invoker: boolean;
  readonly tables: readonly { readonly schema: string; readonly name: string }[];
  readonly materialized: boolean;
  /** It shows sizes or statistics, which differ from one moment to the next. */
  readonly statistics: boolean;
}

/** What a proof reads of the catalog, before it writes anything. */
export interface ProofCatalog {
  readonly columns: readonly ColumnFact[];
  readonly constraints: readonly ConstraintFact[];
  readonly partitions: readonly PartitionFact[];
  readonly types: readonly TypeFact[];
  readonly uniques: readonly UniqueFact[];
  readonly views: readonly ViewReads[];
}

const UNIQUES = `select s.name as schema, c.relname as table, i.relname as name, x.indpred is not null as partial,
    x.indisprimary as primary,
    array(select a.attname from pg_catalog.unnest(x.indkey::int2[]) with ordinality as k(number, rank)
      left join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum = k.number and k.number <> 0
      where k.rank <= x.indnkeyatts order by k.rank) as columns
  from pg_catalog.pg_index as x
  join pg_catalog.pg_class as c on c.oid = x.indrelid and c.relkind in ('r', 'p')
  join scope as s on s.oid = c.relnamespace
  join pg_catalog.pg_class as i on i.oid = x.indexrelid
  where x.indisunique and not c.relispartition
  order by s.name, c.relname, i.relname`;

const VIEWS = `with recursive direct (reader, read) as (
    select distinct r.ev_class, d.refobjid from pg_catalog.pg_rewrite as r
    join pg_catalog.pg_depend as d on d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass and d.objid = r.oid
      and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid <> r.ev_class
    where r.oid >= 16384
  ), deep (reader, read) as (
    select reader, read from direct union select d.reader, r.read from deep as d join direct as r on r.reader = d.read
  )
  select s.name as schema, v.relname as name,
    coalesce(v.reloptions::text ~ 'security_invoker=(true|on|yes|1)', false) as invoker,
    coalesce((select pg_catalog.json_agg(pg_catalog.json_build_object('schema', n.schema, 'name', n.name))
      from deep as d join named as n on n.oid = d.read and n.kind in ('r', 'p') where d.reader = v.oid), '[]') as tables,
    exists (select from deep as d join named as n on n.oid = d.read and n.kind = 'm' where d.reader = v.oid) as materialized,
    pg_catalog.pg_get_viewdef(v.oid) ~ 'pg_(total_)?relation_size|pg_table_size|pg_stat_' as statistics
  from pg_catalog.pg_class as v join scope as s on s.oid = v.relnamespace where v.relkind in ('v', 'm')`;

/** Reads columns, constraints, partitions, types and unique indexes of these schemas. */
export async function readProofCatalog(
  db: Queryable,
  schemas: readonly string[],
): Promise<ProofCatalog> {
  const rows = await readJson(
    db,
    {
      columns: columns.sql,
      constraints: constraints.sql,
      partitions: partitions.sql,
      types: types.sql,
      uniques: UNIQUES,
      views: VIEWS,
    },
    { schemas },
  );
  return {
    columns: (rows.columns ?? []).map(columns.decode),
    constraints: (rows.constraints ?? []).map(constraints.decode),
    partitions: (rows.partitions ?? []).map(partitions.decode),
    types: (rows.types ?? []).map(types.decode),
    uniques: (rows.uniques ?? []) as readonly UniqueFact[],
    views: (rows.views ?? []) as readonly ViewReads[],
  };
}
