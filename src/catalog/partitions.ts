import type { RelationName } from "../plan/step.ts";
import { reader, word } from "./reader.ts";

/** How a partitioned table divides its rows. */
export interface PartitionKey {
  readonly strategy: "list" | "range" | "hash";
  /** As `pg_get_partkeydef` prints it. */
  readonly definition: string;
  /** The columns; null stands for an expression. */
  readonly columns: readonly (string | null)[];
}

/** A member of a partition tree: its root, an inner node or a leaf. */
export interface PartitionFact extends RelationName {
  /** 0 for the root. */
  readonly level: number;
  readonly root: RelationName;
  /** Null for the root. */
  readonly parent: RelationName | null;
  /** `FOR VALUES …` or `DEFAULT`; null for the root. */
  readonly bound: string | null;
  readonly isDefault: boolean;
  /** A DETACH CONCURRENTLY began and did not end. */
  readonly detachPending: boolean;
  /** Null for a leaf. */
  readonly key: PartitionKey | null;
}

type RawPartition = Omit<PartitionFact, "key"> & {
  readonly key: (Omit<PartitionKey, "strategy"> & { readonly strategy: string }) | null;
};

const STRATEGY = { l: "list", r: "range", h: "hash" } as const;

/** Every member of a partition tree that lies in one of the schemas. */
export const partitions = reader<RawPartition, PartitionFact>(
  `with recursive tree (oid, parent, root, level, pending) as (
     select p.partrelid, null::oid, p.partrelid, 0, false
     from pg_catalog.pg_partitioned_table as p join pg_catalog.pg_class as c on c.oid = p.partrelid
     where not c.relispartition
     union all
     select i.inhrelid, i.inhparent, t.root, t.level + 1, i.inhdetachpending
     from tree as t join pg_catalog.pg_inherits as i on i.inhparent = t.oid
   )
   select n.schema, n.name, t.level,
     pg_catalog.json_build_object('schema', r.schema, 'name', r.name) as root,
     case when up.oid is not null then
       pg_catalog.json_build_object('schema', up.schema, 'name', up.name) end as parent,
     pg_catalog.pg_get_expr(c.relpartbound, c.oid) as bound,
     coalesce(above.partdefid = t.oid, false) as "isDefault", t.pending as "detachPending",
     case when p.partrelid is not null then pg_catalog.json_build_object('strategy', p.partstrat,
       'definition', pg_catalog.pg_get_partkeydef(t.oid),
       'columns', array(select a.attname from pg_catalog.unnest(p.partattrs) with ordinality as k(number, rank)
         left join pg_catalog.pg_attribute as a
           on a.attrelid = t.oid and a.attnum = k.number and k.number <> 0 order by k.rank)) end as key
   from tree as t
   join pg_catalog.pg_class as c on c.oid = t.oid
   join named as n on n.oid = t.oid
   join named as r on r.oid = t.root
   left join named as up on up.oid = t.parent
   left join pg_catalog.pg_partitioned_table as p on p.partrelid = t.oid
   left join pg_catalog.pg_partitioned_table as above on above.partrelid = t.parent
   where n.schema in (select name from scope)
   order by r.schema, r.name, t.level, n.schema, n.name`,
  (row) => ({
    ...row,
    key: row.key && {
      ...row.key,
      strategy: word(STRATEGY, row.key.strategy, "pg_partitioned_table.partstrat"),
    },
  }),
);
