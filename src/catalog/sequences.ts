import type { RelationName } from "../plan/step.ts";
import { commentOn, extensionOf, reader, word } from "./reader.ts";
import { PERSISTENCE } from "./tables.ts";

/** A sequence. Its bounds are text: a bigint is more than a number can hold. */
export interface SequenceFact extends RelationName {
  readonly owner: string;
  readonly persistence: "permanent" | "unlogged" | "temporary";
  readonly type: string;
  readonly start: string;
  readonly minimum: string;
  readonly maximum: string;
  readonly increment: string;
  readonly cache: string;
  readonly cycle: boolean;
  /** The column that takes it along when it goes; `identity` is part of the column, `serial` only OWNED BY it. */
  readonly ownedBy: {
    readonly schema: string;
    readonly table: string;
    readonly column: string;
    readonly as: "identity" | "serial";
  } | null;
  /** Null before its first value, and where this login may not look. */
  readonly lastValue: string | null;
  readonly comment: string | null;
  readonly extension: string | null;
}

type RawSequence = Omit<SequenceFact, "persistence"> & { readonly persistence: string };

/** Sequences, also those of identity columns. */
export const sequences = reader<RawSequence, SequenceFact>(
  `select s.name as schema, c.relname as name, pg_catalog.pg_get_userbyid(c.relowner) as owner,
     c.relpersistence as persistence, pg_catalog.format_type(q.seqtypid, null) as type,
     q.seqstart::text as start, q.seqmin::text as minimum, q.seqmax::text as maximum,
     q.seqincrement::text as increment, q.seqcache::text as cache, q.seqcycle as cycle,
     case when n.oid is not null then pg_catalog.json_build_object('schema', n.schema, 'table', n.name,
       'column', a.attname, 'as', case o.deptype when 'i' then 'identity' else 'serial' end)
       end as "ownedBy",
     case when pg_catalog.has_sequence_privilege(c.oid, 'SELECT,USAGE')
         and (c.relpersistence = 'p' or not pg_catalog.pg_is_in_recovery())
       then pg_catalog.pg_sequence_last_value(c.oid)::text end as "lastValue",
     ${commentOn("c.oid", "pg_class")} as comment, ${extensionOf("c.oid", "pg_class")} as extension
   from pg_catalog.pg_class as c
   join scope as s on s.oid = c.relnamespace
   join pg_catalog.pg_sequence as q on q.seqrelid = c.oid
   left join pg_catalog.pg_depend as o
     on o.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and o.objid = c.oid and o.objsubid = 0
     and o.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and o.refobjsubid > 0
     and o.deptype in ('a', 'i')
   left join named as n on n.oid = o.refobjid
   left join pg_catalog.pg_attribute as a on a.attrelid = o.refobjid and a.attnum = o.refobjsubid
   order by s.name, c.relname`,
  (row) => ({
    ...row,
    persistence: word(PERSISTENCE, row.persistence, "pg_class.relpersistence"),
  }),
);
