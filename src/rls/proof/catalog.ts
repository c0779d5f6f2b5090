import type { ColumnFact } from "../../catalog/columns.ts";
import type { ConstraintFact, Reference } from "../../catalog/constraints.ts";
import { partitions, type PartitionFact } from "../../catalog/partitions.ts";
import { readJson } from "../../catalog/read-json.ts";
import type { TypeFact } from "../../catalog/types.ts";
import type { Queryable } from "../../executor/executor.ts";

/** What a proof asks of a column. */
export type ProofColumn = Pick<
  ColumnFact,
  "schema" | "table" | "name" | "type" | "notNull" | "default" | "identity"
> & {
  /** The expression of a generated column. */
  readonly generated: string | null;
};

/** What a proof asks of a key, foreign key or check. */
export type ProofConstraint = Pick<
  ConstraintFact,
  "schema" | "table" | "name" | "columns" | "expression" | "enforced"
> & {
  readonly kind: "primaryKey" | "unique" | "foreignKey" | "check" | "exclusion" | "trigger";
  /** It belongs to that of a partitioned table. */
  readonly isInherited: boolean;
  readonly references: Pick<Reference, "schema" | "name" | "columns"> | null;
};

/** What a proof asks of a type that somebody made. */
export type ProofType = Pick<TypeFact, "schema" | "name" | "labels"> & {
  readonly kind: TypeFact["kind"];
  /** What a domain is made of. */
  readonly base: string | null;
};

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
  readonly columns: readonly ProofColumn[];
  readonly constraints: readonly ProofConstraint[];
  readonly partitions: readonly PartitionFact[];
  readonly types: readonly ProofType[];
  readonly uniques: readonly UniqueFact[];
  readonly views: readonly ViewReads[];
}

/*
 * Of columns, constraints and types no more than a proof asks, and not what `readCatalog` says of them: planning that takes longer than all else
 * that is read before the first question.
 */

const COLUMNS = `select s.name as schema, c.relname as table, a.attname as name,
    pg_catalog.format_type(a.atttypid, a.atttypmod) as type, a.attnotnull as "notNull",
    case when a.attgenerated = '' then pg_catalog.pg_get_expr(d.adbin, d.adrelid) end as default,
    case when a.attgenerated <> '' then pg_catalog.pg_get_expr(d.adbin, d.adrelid) end as generated,
    case a.attidentity when 'a' then 'always' when 'd' then 'byDefault' end as identity
  from pg_catalog.pg_class as c
  join scope as s on s.oid = c.relnamespace
  join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  left join pg_catalog.pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
  where c.relkind in ('r', 'p')
  order by s.name, c.relname, a.attnum`;

const namesOf = (relation: string, keys: string) =>
  `array(select a.attname from pg_catalog.unnest(${keys}) with ordinality as k(number, rank)
    join pg_catalog.pg_attribute as a on a.attrelid = ${relation} and a.attnum = k.number order by k.rank)`;

// `conenforced` came with 18: where it is missing, the name means the column of `older`.
const CONSTRAINTS = `select s.name as schema, c.relname as table, x.conname as name,
    case x.contype when 'p' then 'primaryKey' when 'u' then 'unique' when 'f' then 'foreignKey' when 'c' then 'check'
      when 'x' then 'exclusion' else 'trigger' end as kind,
    ${namesOf("x.conrelid", "x.conkey")} as columns,
    case when x.contype = 'c' then pg_catalog.pg_get_expr(x.conbin, x.conrelid) end as expression,
    x.conenforced as enforced, x.conparentid <> 0 as "isInherited",
    case when x.contype = 'f' then pg_catalog.json_build_object('schema', n.schema, 'name', n.name,
      'columns', ${namesOf("x.confrelid", "x.confkey")}) end as references
  from pg_catalog.pg_class as c
  join scope as s on s.oid = c.relnamespace
  join (
    select x.* from (select true as conenforced) as older cross join lateral (
      select oid, conname, contype, conrelid, conkey, conbin, conenforced, conparentid, confrelid, confkey
      from pg_catalog.pg_constraint) as x
  ) as x on x.conrelid = c.oid
  left join named as n on n.oid = x.confrelid
  where c.relkind in ('r', 'p') and x.contype <> 'n'
  order by s.name, c.relname, x.conname, x.oid`;

const TYPES = `select s.name as schema, t.typname as name, 
    case t.typtype when 'e' then 'enum' when 'd' then 'domain' when 'r' then 'range' else 'composite' end as kind,
    array(select e.enumlabel from pg_catalog.pg_enum as e where e.enumtypid = t.oid order by e.enumsortorder) as labels,
    case when t.typtype = 'd' then pg_catalog.format_type(t.typbasetype, t.typtypmod) end as base
  from pg_catalog.pg_type as t join scope as s on s.oid = t.typnamespace
  left join pg_catalog.pg_class as c on c.oid = t.typrelid
  where t.typtype in ('e', 'd', 'r') or t.typtype = 'c' and c.relkind = 'c' order by s.name, t.typname`;

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
      columns: COLUMNS,
      constraints: CONSTRAINTS,
      partitions: partitions.sql,
      types: TYPES,
      uniques: UNIQUES,
      views: VIEWS,
    },
    { schemas },
  );
  return {
    columns: (rows.columns ?? []) as readonly ProofColumn[],
    constraints: (rows.constraints ?? []) as readonly ProofConstraint[],
    partitions: (rows.partitions ?? []).map(partitions.decode),
    types: (rows.types ?? []) as readonly ProofType[],
    uniques: (rows.uniques ?? []) as readonly UniqueFact[],
    views: (rows.views ?? []) as readonly ViewReads[],
  };
}
