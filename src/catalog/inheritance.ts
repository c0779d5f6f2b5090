import type { RelationName } from "../plan/step.ts";
import { plainReader } from "./reader.ts";

/** One parent of a table by INHERITS; partitions are facts of their own. */
export interface InheritanceFact extends RelationName {
  readonly parent: RelationName;
  /** Its rank among the parents of the table. */
  readonly rank: number;
}

/** Inheritance between tables where either one lies in one of the schemas. */
export const inheritance = plainReader<InheritanceFact>(
  `select child.schema, child.name,
     pg_catalog.json_build_object('schema', up.schema, 'name', up.name) as parent,
     pg_catalog.row_number() over (partition by i.inhrelid order by i.inhseqno) as rank
   from pg_catalog.pg_inherits as i
   join pg_catalog.pg_class as c on c.oid = i.inhrelid and not c.relispartition and c.relkind in ('r', 'f')
   join named as child on child.oid = i.inhrelid
   join named as up on up.oid = i.inhparent
   where child.schema in (select name from scope) or up.schema in (select name from scope)
   order by child.schema, child.name, i.inhseqno`,
);
