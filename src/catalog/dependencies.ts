import type { RelationName } from "../plan/step.ts";
import { plainReader } from "./reader.ts";

/** What stands in the way of dropping or retyping something: `dependent` uses `on`. */
export interface DependencyFact {
  readonly dependent: RelationName & {
    readonly kind:
      | "view"
      | "materializedView"
      | "rule"
      | "policy"
      | "trigger"
      | "function"
      /** The default or the generation expression of a column. */
      | "column";
    /** Of a rule, policy or trigger its own name, of a column that of the column, of a function its signature. */
    readonly detail: string | null;
  };
  readonly on: RelationName & {
    readonly kind: "relation" | "column" | "function" | "type";
    /** Of a column its name, of a function its signature. */
    readonly detail: string | null;
  };
}

/**
 * Which views, rules, policies, triggers, SQL functions and expressions use which relations, columns, functions and types.
 *
 * What is used or the user lies in one of the schemas. PostgreSQL records no dependency for a function body that is a string.
 */
export const dependencies = plainReader<DependencyFact>(
  `with user_of as (
     select 'pg_catalog.pg_rewrite'::pg_catalog.regclass as classid, r.oid,
       case when r.ev_type <> '1' then 'rule' when n.kind = 'm' then 'materializedView' else 'view' end as kind,
       n.schema, n.name, case when r.ev_type <> '1' then r.rulename::text end as detail, r.ev_class as relation
     from pg_catalog.pg_rewrite as r join named as n on n.oid = r.ev_class where r.oid >= 16384
     union all
     select 'pg_catalog.pg_policy'::pg_catalog.regclass, p.oid, 'policy', n.schema, n.name, p.polname::text, p.polrelid
     from pg_catalog.pg_policy as p join named as n on n.oid = p.polrelid
     union all
     select 'pg_catalog.pg_trigger'::pg_catalog.regclass, t.oid, 'trigger', n.schema, n.name, t.tgname::text, t.tgrelid
     from pg_catalog.pg_trigger as t join named as n on n.oid = t.tgrelid where not t.tgisinternal
     union all
     select 'pg_catalog.pg_attrdef'::pg_catalog.regclass, d.oid, 'column', n.schema, n.name, a.attname::text, d.adrelid
     from pg_catalog.pg_attrdef as d join named as n on n.oid = d.adrelid
     join pg_catalog.pg_attribute as a on a.attrelid = d.adrelid and a.attnum = d.adnum
     union all
     select 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid, 'function', ns.nspname, p.proname,
       pg_catalog.oidvectortypes(p.proargtypes), 0::oid
     from pg_catalog.pg_proc as p join pg_catalog.pg_namespace as ns on ns.oid = p.pronamespace
     where p.prosqlbody is not null and p.oid >= 16384
   ), used as (
     select distinct u.kind, u.schema, u.name, u.detail, u.classid as user_class, u.relation,
       d.refclassid, d.refobjid, d.refobjsubid, d.deptype
     from user_of as u
     -- Fenced: without statistics of a fresh catalog the planner would go through all users for each dependency.
     cross join lateral (
       select d.refclassid, d.refobjid, d.refobjsubid, d.deptype from pg_catalog.pg_depend as d
       where d.classid = u.classid and d.objid = u.oid offset 0
     ) as d
     where d.refobjid >= 16384
       and d.refclassid in ('pg_catalog.pg_class'::pg_catalog.regclass, 'pg_catalog.pg_proc'::pg_catalog.regclass,
         'pg_catalog.pg_type'::pg_catalog.regclass)
       -- Each of these hangs on its own table anyway, and a default on its own column.
       and not (d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid = u.relation
         and (d.refobjsubid = 0 or d.deptype <> 'n' and u.kind = 'column'))
   ), target as (
     select u.*, 'relation' as on_kind, n.schema as on_schema, n.name as on_name, null::text as on_detail
     from used as u join named as n on n.oid = u.refobjid
     where u.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and u.refobjsubid = 0
     union all
     select u.*, 'column', n.schema, n.name, a.attname::text
     from used as u join named as n on n.oid = u.refobjid
     join pg_catalog.pg_attribute as a on a.attrelid = u.refobjid and a.attnum = u.refobjsubid
     where u.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and u.refobjsubid <> 0
     union all
     select u.*, 'function', ns.nspname, p.proname, pg_catalog.oidvectortypes(p.proargtypes)
     from used as u join pg_catalog.pg_proc as p on p.oid = u.refobjid
     join pg_catalog.pg_namespace as ns on ns.oid = p.pronamespace
     where u.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
     union all
     select u.*, 'type', ns.nspname, t.typname, null
     from used as u join pg_catalog.pg_type as t on t.oid = u.refobjid
     join pg_catalog.pg_namespace as ns on ns.oid = t.typnamespace
     where u.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass
   )
   select pg_catalog.json_build_object('kind', t.kind, 'schema', t.schema, 'name', t.name, 'detail', t.detail) as dependent,
     pg_catalog.json_build_object('kind', t.on_kind, 'schema', t.on_schema, 'name', t.on_name, 'detail', t.on_detail) as on
   from target as t
   where t.schema in (select name from scope) or t.on_schema in (select name from scope)
   order by t.schema, t.name, t.kind, t.detail, t.on_schema, t.on_name, t.on_kind, t.on_detail`,
);
