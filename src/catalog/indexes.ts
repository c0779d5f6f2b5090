import type { RelationName } from "../plan/step.ts";
import { commentOn, plainReader } from "./reader.ts";

/** One key of an index: a column or an expression. */
export interface IndexKey {
  /** Null for an expression. */
  readonly column: string | null;
  /** The column or expression as PostgreSQL prints it. */
  readonly definition: string;
  /** Schema-qualified. */
  readonly operatorClass: string;
  /** Schema-qualified; null where the type knows none. */
  readonly collation: string | null;
  readonly descending: boolean;
  readonly nullsFirst: boolean;
  /** Of an expression; null where it is the default. */
  readonly statisticsTarget: number | null;
}

/** An index. */
export interface IndexFact extends RelationName {
  readonly oid: number;
  /** The table, partitioned table or materialized view; its schema is that of the index. */
  readonly table: string;
  readonly definition: string;
  /** `btree`, `hash`, `gin`, … */
  readonly method: string;
  readonly unique: boolean;
  readonly nullsNotDistinct: boolean;
  readonly primary: boolean;
  readonly exclusion: boolean;
  /** False where uniqueness is deferrable. */
  readonly immediate: boolean;
  /** False after a CONCURRENTLY that failed, and for the index of a partitioned table that lacks a part. */
  readonly valid: boolean;
  /** New rows go into it. */
  readonly ready: boolean;
  /** False while it is dropped CONCURRENTLY. */
  readonly live: boolean;
  readonly clustered: boolean;
  readonly replicaIdentity: boolean;
  readonly keys: readonly IndexKey[];
  /** The columns of INCLUDE. */
  readonly include: readonly string[];
  /** What follows WHERE. */
  readonly predicate: string | null;
  readonly options: readonly string[];
  readonly tablespace: string | null;
  /** The index of the partitioned table that this one is a part of. */
  readonly parent: RelationName | null;
  /** The constraint that it stands behind. */
  readonly constraint: string | null;
  readonly bytes: number;
  readonly comment: string | null;
}

/** The indexes of tables, partitioned tables and materialized views. */
export const indexes = plainReader<IndexFact>(
  `with key as (
     select x.indexrelid, pg_catalog.json_agg(pg_catalog.json_build_object(
       'column', col.attname,
       'definition', coalesce(col.attname, pg_catalog.pg_get_indexdef(x.indexrelid, own.attnum, false)),
       'operatorClass', pg_catalog.format('%I.%I', ocns.nspname, oc.opcname),
       'collation', case when co.oid is not null then pg_catalog.format('%I.%I', cons.nspname, co.collname) end,
       'descending', x.indoption[own.attnum - 1] & 1 <> 0,
       'nullsFirst', x.indoption[own.attnum - 1] & 2 <> 0,
       'statisticsTarget', nullif(own.attstattarget, -1)) order by own.attnum) as list
     from pg_catalog.pg_class as c
     join scope as s on s.oid = c.relnamespace
     join pg_catalog.pg_index as x on x.indrelid = c.oid
     join pg_catalog.pg_attribute as own
       on own.attrelid = x.indexrelid and own.attnum between 1 and x.indnkeyatts
     left join pg_catalog.pg_attribute as col
       on col.attrelid = x.indrelid and col.attnum = nullif(x.indkey[own.attnum - 1], 0)
     left join pg_catalog.pg_opclass as oc on oc.oid = x.indclass[own.attnum - 1]
     left join pg_catalog.pg_namespace as ocns on ocns.oid = oc.opcnamespace
     left join pg_catalog.pg_collation as co on co.oid = x.indcollation[own.attnum - 1]
     left join pg_catalog.pg_namespace as cons on cons.oid = co.collnamespace
     group by x.indexrelid
   )
   select s.name as schema, i.relname as name, i.oid::int8 as oid, c.relname as table,
     pg_catalog.pg_get_indexdef(i.oid) as definition, am.amname as method,
     x.indisunique as unique, x.indnullsnotdistinct as "nullsNotDistinct", x.indisprimary as primary,
     x.indisexclusion as exclusion, x.indimmediate as immediate, x.indisvalid as valid,
     x.indisready as ready, x.indislive as live, x.indisclustered as clustered,
     x.indisreplident as "replicaIdentity",
     key.list as keys,
     case when x.indnatts > x.indnkeyatts then array(
       select a.attname from pg_catalog.generate_series(x.indnkeyatts + 1, x.indnatts) as k
       join pg_catalog.pg_attribute as a on a.attrelid = x.indrelid and a.attnum = x.indkey[k - 1]
       order by k) else '{}' end as include,
     pg_catalog.pg_get_expr(x.indpred, x.indrelid) as predicate,
     coalesce(i.reloptions, '{}') as options, ts.spcname as tablespace,
     case when up.oid is not null then
       pg_catalog.json_build_object('schema', up.schema, 'name', up.name) end as parent,
     con.conname as constraint, pg_catalog.pg_relation_size(i.oid) as bytes,
     ${commentOn("i.oid", "pg_class")} as comment
   from pg_catalog.pg_class as c
   join scope as s on s.oid = c.relnamespace
   join pg_catalog.pg_index as x on x.indrelid = c.oid
   join pg_catalog.pg_class as i on i.oid = x.indexrelid
   join pg_catalog.pg_am as am on am.oid = i.relam
   join key on key.indexrelid = i.oid
   left join pg_catalog.pg_tablespace as ts on ts.oid = i.reltablespace
   left join pg_catalog.pg_inherits as h on h.inhrelid = i.oid
   left join named as up on up.oid = h.inhparent
   left join pg_catalog.pg_constraint as con
     on con.conrelid = c.oid and con.conindid = i.oid and con.contype in ('p', 'u', 'x')
   where c.relkind in ('r', 'p', 'm')
   order by s.name, c.relname, i.relname`,
);
