import { plainReader } from "./reader.ts";

/** Something that exists and that no reader understands. */
export interface UnreadFact {
  /** `operator`, `foreign table`, `event trigger`, … */
  readonly kind: string;
  /** Null where it belongs to the database. */
  readonly schema: string | null;
  /** As PostgreSQL identifies it, schema-qualified where it has a schema. */
  readonly name: string;
}

/** 16384 is the first oid that an object of a user can have. */
const USER_MADE = "x.oid >= 16384";

/** Catalogs whose objects lie in a schema: table and the column with the schema. */
const IN_SCHEMAS = [
  ["pg_operator", "oprnamespace"],
  ["pg_opclass", "opcnamespace"],
  ["pg_opfamily", "opfnamespace"],
  ["pg_collation", "collnamespace"],
  ["pg_conversion", "connamespace"],
  ["pg_statistic_ext", "stxnamespace"],
  ["pg_ts_parser", "prsnamespace"],
  ["pg_ts_dict", "dictnamespace"],
  ["pg_ts_template", "tmplnamespace"],
  ["pg_ts_config", "cfgnamespace"],
] as const;

/** Catalogs whose objects belong to the database. */
const OF_DATABASE = [
  "pg_cast",
  "pg_event_trigger",
  "pg_foreign_data_wrapper",
  "pg_foreign_server",
  "pg_transform",
  "pg_language",
  "pg_am",
] as const;

const identified = (catalog: string, from: string, schema: string) =>
  `select i.type as kind, ${schema} as schema, i.identity as name from ${from}
   cross join lateral pg_catalog.pg_identify_object('pg_catalog.${catalog}'::pg_catalog.regclass, x.oid, 0) as i
   where not exists (select from pg_catalog.pg_depend as e where e.deptype in ('e', 'i')
     and e.classid = 'pg_catalog.${catalog}'::pg_catalog.regclass and e.objid = x.oid)`;

/**
 * What is there and is not read, by name: objects of the schemas, then objects of the database that a user made.
 *
 * Members of extensions are left to their extension; row types, array types, multiranges and their casts come with what they
 * belong to.
 */
export const unread = plainReader<UnreadFact>(
  `select u.kind, u.schema, u.name from (
   ${IN_SCHEMAS.map(([catalog, schema]) =>
     identified(
       catalog,
       `pg_catalog.${catalog} as x join scope as s on s.oid = x.${schema}`,
       "s.name",
     ),
   ).join("\n   union all\n   ")}
   union all
   ${OF_DATABASE.map((catalog) => `${identified(catalog, `pg_catalog.${catalog} as x`, "null")} and ${USER_MADE}`).join("\n   union all\n   ")}
   union all
   ${identified("pg_class", "pg_catalog.pg_class as x join scope as s on s.oid = x.relnamespace", "s.name")}
     and x.relkind not in ('r', 'p', 'v', 'm', 'i', 'I', 'S', 'c', 't')
   union all
   ${identified("pg_type", "pg_catalog.pg_type as x join scope as s on s.oid = x.typnamespace", "s.name")}
     and x.typtype in ('b', 'p')
     and not exists (select from pg_catalog.pg_type as e where e.typarray = x.oid)
   union all
   select 'subscription', null, pg_catalog.format('%I', x.subname) from pg_catalog.pg_subscription as x
   join pg_catalog.pg_database as d on d.oid = x.subdbid and d.datname = pg_catalog.current_database()
   union all
   select 'security label', null, l.objtype || ' ' || l.objname from pg_catalog.pg_seclabels as l
   ) as u
   order by u.kind, u.name`,
);
