import type { RelationName } from "../plan/step.ts";
import { commentOn, extensionOf, reader, word } from "./reader.ts";

/** A table or partitioned table. */
export interface TableFact extends RelationName {
  readonly oid: number;
  readonly kind: "table" | "partitionedTable";
  readonly owner: string;
  readonly persistence: "permanent" | "unlogged" | "temporary";
  readonly rowSecurity: boolean;
  /** Row security binds the owner too. */
  readonly forceRowSecurity: boolean;
  readonly replicaIdentity: "default" | "nothing" | "full" | "index";
  /** Storage parameters as `name=value`; those of its TOAST table begin with `toast.`. */
  readonly options: readonly string[];
  /** Null where it is the default of the database. */
  readonly tablespace: string | null;
  /** Null for a partitioned table that names none. */
  readonly accessMethod: string | null;
  /** The composite type of a typed table, as PostgreSQL prints it. */
  readonly ofType: string | null;
  /** Null when it was never vacuumed or analysed. */
  readonly rowEstimate: number | null;
  /** The heap with its maps and its TOAST table, without indexes; 0 for a partitioned table. */
  readonly bytes: number;
  /** Columns that it has or had, of which there may be 1,600 (less by what was dropped). */
  readonly columnSlots: number;
  readonly comment: string | null;
  readonly extension: string | null;
}

type RawTable = Omit<TableFact, "kind" | "persistence" | "replicaIdentity"> & {
  readonly kind: string;
  readonly persistence: string;
  readonly replicaIdentity: string;
};

const KIND = { r: "table", p: "partitionedTable" } as const;

/** `pg_class.relpersistence`. */
export const PERSISTENCE = { p: "permanent", u: "unlogged", t: "temporary" } as const;

const REPLICA_IDENTITY = { d: "default", n: "nothing", f: "full", i: "index" } as const;

/** Tables and partitioned tables; foreign tables are unread. */
export const tables = reader<RawTable, TableFact>(
  `select s.name as schema, c.relname as name, c.oid::int8 as oid, c.relkind as kind,
     pg_catalog.pg_get_userbyid(c.relowner) as owner, c.relpersistence as persistence,
     c.relrowsecurity as "rowSecurity", c.relforcerowsecurity as "forceRowSecurity",
     c.relreplident as "replicaIdentity",
     coalesce(c.reloptions, '{}')
       || array(select 'toast.' || o from pg_catalog.unnest(toast.reloptions) as o) as options,
     ts.spcname as tablespace, am.amname as "accessMethod",
     case when c.reloftype <> 0 then pg_catalog.format_type(c.reloftype, null) end as "ofType",
     nullif(c.reltuples, -1) as "rowEstimate",
     coalesce(pg_catalog.pg_table_size(c.oid), 0) as bytes,
     c.relnatts as "columnSlots", ${commentOn("c.oid", "pg_class")} as comment, ${extensionOf("c.oid", "pg_class")} as extension
   from pg_catalog.pg_class as c
   join scope as s on s.oid = c.relnamespace
   left join pg_catalog.pg_class as toast on toast.oid = c.reltoastrelid
   left join pg_catalog.pg_tablespace as ts on ts.oid = c.reltablespace
   left join pg_catalog.pg_am as am on am.oid = c.relam
   where c.relkind in ('r', 'p')
   order by s.name, c.relname`,
  (row) => ({
    ...row,
    kind: word(KIND, row.kind, "pg_class.relkind"),
    persistence: word(PERSISTENCE, row.persistence, "pg_class.relpersistence"),
    replicaIdentity: word(REPLICA_IDENTITY, row.replicaIdentity, "pg_class.relreplident"),
  }),
);
