import type { RelationName } from "../plan/step.ts";
import { commentOn, extensionOf, reader, word } from "./reader.ts";

/** A constraint of a domain. */
export interface DomainConstraint {
  readonly name: string;
  readonly definition: string;
  readonly validated: boolean;
  readonly comment: string | null;
}

/** A type that somebody made: an enum, domain, composite or range. Base types are unread. */
export interface TypeFact extends RelationName {
  readonly kind: "enum" | "domain" | "composite" | "range";
  readonly owner: string;
  /** Of an enum, in their order. */
  readonly labels: readonly string[];
  readonly domain: {
    readonly type: string;
    readonly notNull: boolean;
    readonly default: string | null;
    /** Schema-qualified; null where it is that of the type. */
    readonly collation: string | null;
    readonly constraints: readonly DomainConstraint[];
  } | null;
  /** Of a composite type, in their order. */
  readonly attributes: readonly {
    readonly name: string;
    readonly type: string;
    readonly collation: string | null;
    readonly comment: string | null;
  }[];
  readonly range: {
    readonly subtype: string;
    readonly operatorClass: string;
    readonly collation: string | null;
    readonly canonical: string | null;
    readonly difference: string | null;
    readonly multirange: string;
  } | null;
  readonly comment: string | null;
  readonly extension: string | null;
}

const KIND = { e: "enum", d: "domain", c: "composite", r: "range" } as const;

const collation = (used: string, usual: string) =>
  `(select pg_catalog.format('%I.%I', ns.nspname, co.collname)
    from pg_catalog.pg_collation as co join pg_catalog.pg_namespace as ns on ns.oid = co.collnamespace
    where co.oid = ${used} and ${used} <> ${usual})`;

/** Enums, domains, composite types and ranges; the types that come with tables, arrays and multiranges are not listed. */
export const types = reader<Omit<TypeFact, "kind"> & { readonly kind: string }, TypeFact>(
  `select s.name as schema, t.typname as name, t.typtype as kind,
     pg_catalog.pg_get_userbyid(t.typowner) as owner,
     array(select e.enumlabel from pg_catalog.pg_enum as e
       where e.enumtypid = t.oid order by e.enumsortorder) as labels,
     case when t.typtype = 'd' then pg_catalog.json_build_object(
       'type', pg_catalog.format_type(t.typbasetype, t.typtypmod), 'notNull', t.typnotnull,
       'default', pg_catalog.pg_get_expr(t.typdefaultbin, 0),
       'collation', ${collation("t.typcollation", "base.typcollation")},
       'constraints', coalesce((select pg_catalog.json_agg(pg_catalog.json_build_object('name', x.conname,
           'definition', pg_catalog.pg_get_constraintdef(x.oid), 'validated', x.convalidated,
           'comment', ${commentOn("x.oid", "pg_constraint")}) order by x.conname)
         from pg_catalog.pg_constraint as x
         where x.contypid = t.oid), '[]')) end as domain,
     case when t.typtype = 'c' then coalesce((select pg_catalog.json_agg(pg_catalog.json_build_object(
           'name', a.attname, 'type', pg_catalog.format_type(a.atttypid, a.atttypmod),
           'collation', ${collation("a.attcollation", "att.typcollation")},
           'comment', ${commentOn("t.typrelid", "pg_class", "a.attnum")}) order by a.attnum)
         from pg_catalog.pg_attribute as a join pg_catalog.pg_type as att on att.oid = a.atttypid
         where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped), '[]')
       else '[]' end as attributes,
     case when t.typtype = 'r' then (select pg_catalog.json_build_object(
         'subtype', pg_catalog.format_type(r.rngsubtype, null),
         'operatorClass', (select pg_catalog.format('%I.%I', ns.nspname, oc.opcname)
           from pg_catalog.pg_opclass as oc join pg_catalog.pg_namespace as ns on ns.oid = oc.opcnamespace
           where oc.oid = r.rngsubopc),
         'collation', ${collation("r.rngcollation", "0::pg_catalog.oid")},
         'canonical', nullif(r.rngcanonical::pg_catalog.oid, 0)::pg_catalog.regprocedure::text,
         'difference', nullif(r.rngsubdiff::pg_catalog.oid, 0)::pg_catalog.regprocedure::text,
         'multirange', pg_catalog.format_type(r.rngmultitypid, null))
       from pg_catalog.pg_range as r where r.rngtypid = t.oid) end as range,
     ${commentOn("t.oid", "pg_type")} as comment, ${extensionOf("t.oid", "pg_type")} as extension
   from pg_catalog.pg_type as t
   join scope as s on s.oid = t.typnamespace
   left join pg_catalog.pg_type as base on base.oid = t.typbasetype
   left join pg_catalog.pg_class as c on c.oid = t.typrelid
   where t.typtype in ('e', 'd', 'r') or t.typtype = 'c' and c.relkind = 'c'
   order by s.name, t.typname`,
  (row) => ({ ...row, kind: word(KIND, row.kind, "pg_type.typtype") }),
);
