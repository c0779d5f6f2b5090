/** An index of a parent that one of its partitions lacks. */
export interface MissingIndex {
  readonly parent: number;
  readonly child: number;
  readonly index: string;
  readonly unique: boolean;
  /** From `USING` on. */
  readonly using: string;
  /** The kind of constraint that the parent's index is for; null where it is for none. */
  readonly constraint: "p" | "u" | null;
  /** That constraint, as `ADD CONSTRAINT` takes it. */
  readonly definition: string | null;
  /** Indexes of the child that belong to none of its parent. */
  readonly own: readonly {
    readonly name: string;
    readonly valid: boolean;
    /** It is valid and defined as the parent's, and only has to be attached. */
    readonly same: boolean;
  }[];
}

/** What follows `ON table` in the definition of an index: without the names, equal indexes have equal texts. */
const usingOf = (index: string, row: string, relation: string) =>
  `pg_catalog.substring(pg_catalog.pg_get_indexdef(${index}.oid), pg_catalog.length(pg_catalog.format('CREATE %sINDEX %I ON %s%I.%I ',
      case when ${row}.indisunique then 'UNIQUE ' else '' end, ${index}.relname, case when ${relation}.relkind = 'p' then 'ONLY ' else '' end,
      (select n.nspname from pg_catalog.pg_namespace as n where n.oid = ${relation}.relnamespace), ${relation}.relname)) + 1)`;

/**
 * The query of what partitions lack, beside the `tree` of {@link readTreeWith}.
 *
 * A parent's index is valid only while every partition has its own (15 to 18): the others need no look.
 */
export const MISSING_INDEXES = `select t.parent::bigint as parent, t.oid::bigint as child, ic.relname as index, pi.indisunique as unique,
    u.using, k.contype as constraint, pg_catalog.pg_get_constraintdef(k.oid) as definition,
    coalesce((select pg_catalog.json_agg(pg_catalog.json_build_object('name', oc.relname, 'valid', oi.indisvalid,
        'same', oi.indisvalid and oi.indisunique = pi.indisunique and ${usingOf("oc", "oi", "cc")} = u.using) order by oc.relname)
      from pg_catalog.pg_index as oi join pg_catalog.pg_class as oc on oc.oid = oi.indexrelid
      where oi.indrelid = t.oid and not oc.relispartition), '[]'::json) as own
  from (select distinct m.parent from tree as m) as p
  join pg_catalog.pg_index as pi on pi.indrelid = p.parent and not pi.indisvalid and pi.indislive
  join pg_catalog.pg_class as ic on ic.oid = pi.indexrelid
  join pg_catalog.pg_class as pc on pc.oid = pi.indrelid
  cross join lateral (select ${usingOf("ic", "pi", "pc")} as using) as u
  left join pg_catalog.pg_constraint as k on k.conindid = pi.indexrelid and k.conrelid = pi.indrelid and k.contype in ('p', 'u')
  join tree as t on t.parent = p.parent
  join pg_catalog.pg_class as cc on cc.oid = t.oid
  where not t.pending and not exists (
    select from pg_catalog.pg_inherits as h join pg_catalog.pg_index as ci on ci.indexrelid = h.inhrelid
    where h.inhparent = pi.indexrelid and ci.indrelid = t.oid)
  order by t.level, cc.relname, ic.relname, t.oid`;
