import { plainReader, reader, word } from "./reader.ts";

/** What one role may do with one object by the grants of one other. */
export interface GrantFact {
  readonly on: "relation" | "sequence" | "column" | "schema" | "function" | "type";
  /** Of a schema, the schema itself. */
  readonly schema: string;
  /** The relation, sequence, function or type; of a schema, the schema again. */
  readonly name: string;
  /** Of a column its name, of a function its signature. */
  readonly detail: string | null;
  /** `public` is everybody, since no role can have that name. */
  readonly grantee: string;
  readonly grantor: string;
  /** `SELECT`, `INSERT`, … in alphabetical order. */
  readonly privileges: readonly string[];
  /** Those of them that came WITH GRANT OPTION. */
  readonly grantable: readonly string[];
}

/** What a role's future objects come with. */
export interface DefaultPrivilegeFact {
  /** The role whose new objects get it. */
  readonly role: string;
  /** Null: in every schema. */
  readonly schema: string | null;
  readonly on: "relation" | "sequence" | "function" | "type" | "schema" | "largeObject";
  readonly grantee: string;
  readonly grantor: string;
  readonly privileges: readonly string[];
  readonly grantable: readonly string[];
}

/** SQL of the entries of one ACL, gathered by grantee and grantor. An empty ACL has one without privileges. */
const entriesOf = (acl: string, owner: string) =>
  `(select case when e.grantee = 0 then 'public' else pg_catalog.pg_get_userbyid(e.grantee) end as grantee,
     pg_catalog.pg_get_userbyid(e.grantor) as grantor,
     coalesce(pg_catalog.array_agg(e.privilege_type order by e.privilege_type)
       filter (where e.privilege_type is not null), '{}') as privileges,
     coalesce(pg_catalog.array_agg(e.privilege_type order by e.privilege_type)
       filter (where e.is_grantable), '{}') as grantable
   from (
     select * from pg_catalog.aclexplode(${acl})
     union all select ${owner}, ${owner}, null, null where pg_catalog.cardinality(${acl}) = 0
   ) as e group by e.grantee, e.grantor)`;

/**
 * Who may do what. An ACL that nobody has changed is NULL and stands for its default, the owner's own rights included.
 *
 * MAINTAIN is one of them since 17.
 */
export const grants = plainReader<GrantFact>(
  `select o.on, o.schema, o.name, o.detail, x.*
   from (
     select case c.relkind when 'S' then 'sequence' else 'relation' end as on, s.name as schema, c.relname as name,
       null::text as detail,
       coalesce(c.relacl, pg_catalog.acldefault(case c.relkind when 'S' then 's' else 'r' end::"char", c.relowner)) as acl,
       c.relowner as owner
     from pg_catalog.pg_class as c join scope as s on s.oid = c.relnamespace
     where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
     union all
     select 'column', s.name, c.relname, a.attname, a.attacl, c.relowner
     from pg_catalog.pg_class as c join scope as s on s.oid = c.relnamespace
     join pg_catalog.pg_attribute as a on a.attrelid = c.oid
     where a.attacl is not null and not a.attisdropped
     union all
     select 'schema', s.name, s.name, null, coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner)), n.nspowner
     from scope as s join pg_catalog.pg_namespace as n on n.oid = s.oid
     union all
     select 'function', s.name, p.proname, pg_catalog.oidvectortypes(p.proargtypes),
       coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner)), p.proowner
     from pg_catalog.pg_proc as p join scope as s on s.oid = p.pronamespace
     union all
     select 'type', s.name, t.typname, null, coalesce(t.typacl, pg_catalog.acldefault('T', t.typowner)), t.typowner
     from pg_catalog.pg_type as t join scope as s on s.oid = t.typnamespace
     left join pg_catalog.pg_class as c on c.oid = t.typrelid
     -- A type of its own, or the row or array type of something with rights that somebody changed.
     where t.typacl is not null
       or t.typtype in ('d', 'e', 'r') or t.typtype = 'c' and c.relkind = 'c'
       or t.typtype = 'b' and not (t.typelem <> 0 and t.typsubscript = 'pg_catalog.array_subscript_handler'::pg_catalog.regproc)
   ) as o cross join lateral ${entriesOf("o.acl", "o.owner")} as x
   order by 1, 2, 3, 4, 5, 6`,
);

type RawDefaultPrivilege = Omit<DefaultPrivilegeFact, "on"> & { readonly on: string };

const ON = {
  r: "relation",
  S: "sequence",
  f: "function",
  T: "type",
  n: "schema",
  L: "largeObject",
} as const;

/** ALTER DEFAULT PRIVILEGES, of these schemas and of all. */
export const defaultPrivileges = reader<RawDefaultPrivilege, DefaultPrivilegeFact>(
  `select pg_catalog.pg_get_userbyid(d.defaclrole) as role, s.name as schema, d.defaclobjtype as on, x.*
   from pg_catalog.pg_default_acl as d
   left join scope as s on s.oid = d.defaclnamespace
   cross join lateral ${entriesOf("d.defaclacl", "d.defaclrole")} as x
   where d.defaclnamespace = 0 or s.oid is not null
   order by 1, 2, 3, 4, 5`,
  (row) => ({ ...row, on: word(ON, row.on, "pg_default_acl.defaclobjtype") }),
);
