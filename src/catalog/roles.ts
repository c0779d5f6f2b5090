import { plainReader } from "./reader.ts";

/** One role that a role is in. */
export interface Membership {
  readonly role: string;
  readonly admin: boolean;
  /** Whether the member has the role's rights without SET ROLE. Before 16 that is the member's own INHERIT. */
  readonly inherit: boolean;
  /** Whether the member may SET ROLE to it: always before 16. */
  readonly set: boolean;
  /** Who granted it, where they are still there. From 16 on each of them is a membership of its own, and REVOKE takes one. */
  readonly grantedBy: readonly string[];
}

/** A role that something in the schemas mentions, or the reader, or one above or below one of these. */
export interface RoleFact {
  readonly name: string;
  readonly superuser: boolean;
  readonly bypassRowSecurity: boolean;
  readonly login: boolean;
  readonly inherit: boolean;
  readonly createRole: boolean;
  readonly createDatabase: boolean;
  readonly replication: boolean;
  /** The settings of ALTER ROLE … SET, for all databases. */
  readonly config: readonly string[];
  readonly memberOf: readonly Membership[];
  /** This role is `current_user`. */
  readonly current: boolean;
}

/**
 * Owners, grantees, policy roles and the reader; then all that they are in, and all that are in them.
 *
 * Roles belong to the cluster, so that only these are read. `pg_roles` and `pg_auth_members` are open to every login.
 * `inherit_option` and `set_option` came with 16: where they are missing, the names mean the columns of `older`.
 */
export const roles = plainReader<RoleFact>(
  `with recursive mentioned as (
     select c.relowner as oid from pg_catalog.pg_class as c join scope as s on s.oid = c.relnamespace
     union select p.proowner from pg_catalog.pg_proc as p join scope as s on s.oid = p.pronamespace
     union select t.typowner from pg_catalog.pg_type as t join scope as s on s.oid = t.typnamespace
     union select n.nspowner from scope as s join pg_catalog.pg_namespace as n on n.oid = s.oid
     union select x.grantee from (
       select c.relacl as acl from pg_catalog.pg_class as c join scope as s on s.oid = c.relnamespace
       where c.relacl is not null
       union all
       select a.attacl from pg_catalog.pg_class as c join scope as s on s.oid = c.relnamespace
       join pg_catalog.pg_attribute as a on a.attrelid = c.oid where a.attacl is not null
       union all
       select p.proacl from pg_catalog.pg_proc as p join scope as s on s.oid = p.pronamespace
       where p.proacl is not null
       union all
       select t.typacl from pg_catalog.pg_type as t join scope as s on s.oid = t.typnamespace
       where t.typacl is not null
       union all
       select n.nspacl from scope as s join pg_catalog.pg_namespace as n on n.oid = s.oid
       union all
       select d.defaclacl from pg_catalog.pg_default_acl as d
     ) as a cross join lateral pg_catalog.aclexplode(a.acl) as x
     union select d.defaclrole from pg_catalog.pg_default_acl as d
     union select r from pg_catalog.pg_policy as p join pg_catalog.pg_class as c on c.oid = p.polrelid
       join scope as s on s.oid = c.relnamespace cross join lateral pg_catalog.unnest(p.polroles) as r
     union select r.oid from pg_catalog.pg_roles as r where r.rolname in (current_user, session_user)
   ), above (oid) as (
     select oid from mentioned
     union select m.roleid from above as a join pg_catalog.pg_auth_members as m on m.member = a.oid
   ), below (oid) as (
     select oid from mentioned
     union select m.member from below as b join pg_catalog.pg_auth_members as m on m.roleid = b.oid
   ), membership as (
     select x.member, role.rolname as role, pg_catalog.bool_or(x.admin_option) as admin,
       pg_catalog.bool_or(coalesce(x.inherit_option, member.rolinherit)) as inherit,
       pg_catalog.bool_or(x.set_option) as set,
       pg_catalog.json_agg(grantor.rolname order by grantor.rolname) filter (where grantor.rolname is not null) as "grantedBy"
     from (select null::bool as inherit_option, true as set_option) as older cross join lateral (
       select roleid, member, grantor, admin_option, inherit_option, set_option from pg_catalog.pg_auth_members) as x
     join pg_catalog.pg_roles as role on role.oid = x.roleid
     join pg_catalog.pg_roles as member on member.oid = x.member
     left join pg_catalog.pg_roles as grantor on grantor.oid = x.grantor
     group by x.member, role.rolname
   )
   select r.rolname as name, r.rolsuper as superuser, r.rolbypassrls as "bypassRowSecurity",
     r.rolcanlogin as login, r.rolinherit as inherit, r.rolcreaterole as "createRole",
     r.rolcreatedb as "createDatabase", r.rolreplication as replication,
     coalesce(r.rolconfig, '{}') as config,
     coalesce((select pg_catalog.json_agg(pg_catalog.json_build_object('role', m.role, 'admin', m.admin,
         'inherit', m.inherit, 'set', m.set,
         'grantedBy', coalesce(m."grantedBy", '[]')) order by m.role)
       from membership as m where m.member = r.oid), '[]') as "memberOf",
     r.rolname = current_user as current
   from (select oid from above union select oid from below) as i
   join pg_catalog.pg_roles as r on r.oid = i.oid
   order by r.rolname`,
);
