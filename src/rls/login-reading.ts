/** What the catalog says of a login and of the roles that it can become. */
export interface LoginReading {
  readonly login: string;
  readonly roles: readonly RoleReading[];
  readonly owned: readonly Owned[];
  readonly open: readonly {
    readonly role: string;
    readonly table: string;
    readonly writes: boolean;
  }[];
  readonly truncates: readonly Counted[];
  readonly missing: readonly string[];
}

/** A role that may do more than policies say. */
export interface RoleReading {
  readonly name: string;
  readonly superuser: boolean;
  readonly bypassesRls: boolean;
  readonly createsRoles: boolean;
  readonly reachesServer: boolean;
  readonly reachesData: boolean;
}

/** Objects of a role: one by name, and how many there are. */
export interface Counted {
  readonly role: string;
  readonly object: string;
  readonly count: number;
}

/** Objects that protect rows, or hold a copy of them, and that their owner may change. */
export interface Owned extends Counted {
  readonly kind: "table" | "schema" | "function" | "materialized view";
}

const names = (list: readonly string[]) => list.map((name) => `'${name}'`).join(", ");
const SERVER = names([
  "pg_read_server_files",
  "pg_write_server_files",
  "pg_execute_server_program",
]);
// pg_maintain is of 17. Neither asks for a GRANT; a materialized view and a table without row security have nothing else.
const DATA = names(["pg_read_all_data", "pg_write_all_data", "pg_maintain"]);
const CONTEXT = names(["current_tenant_id", "current_user_id", "current_persona"]);

const counted = (role: string, object: string, from: string) => `
    SELECT ${role} AS role, pg_catalog.min(${object}) AS object, pg_catalog.count(*)::int AS count FROM ${from}`;
const list = (rows: string) =>
  `(SELECT coalesce(pg_catalog.json_agg(o), '[]'::json) FROM (${rows}) AS o)`;
const relation = "pg_catalog.format('%I.%I', n.nspname, c.relname)";
const classes =
  "pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace";

/**
 * Reads whoever the connection logged in as, since RESET ROLE is always allowed. A superuser is a member of every role: its own attribute says
 * enough. `$1`: names of the reader and migrator roles, `$2`: those of the personas, each as JSON.
 */
export const READ_LOGIN = `
WITH reachable AS (
  SELECT r.* FROM pg_catalog.pg_roles AS r
  WHERE r.rolname = session_user OR (
    pg_catalog.pg_has_role(session_user, r.oid, 'MEMBER')
    AND NOT (SELECT s.rolsuper FROM pg_catalog.pg_roles AS s WHERE s.rolname = session_user))
), plain AS (
  SELECT oid, rolname FROM reachable WHERE NOT rolsuper
), asked AS (
  SELECT DISTINCT d.refobjid AS oid FROM pg_catalog.pg_depend AS d
  WHERE d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
), guarded AS (
  SELECT c.relnamespace AS oid FROM pg_catalog.pg_class AS c WHERE c.relrowsecurity
  UNION SELECT p.pronamespace FROM asked AS a JOIN pg_catalog.pg_proc AS p ON p.oid = a.oid
), owned AS (
  SELECT 1 AS place, 'table' AS kind, o.* FROM (${counted("r.rolname", relation, `${classes} JOIN plain AS r ON r.oid = c.relowner WHERE c.relrowsecurity GROUP BY r.rolname`)}) AS o
  UNION ALL SELECT 2, 'schema', o.* FROM (${counted(
    "r.rolname",
    "pg_catalog.format('%I', n.nspname)",
    `pg_catalog.pg_namespace AS n JOIN plain AS r ON r.oid = n.nspowner
    WHERE EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.relnamespace = n.oid AND c.relrowsecurity) GROUP BY r.rolname`,
  )}) AS o
  UNION ALL SELECT 3, 'function', o.* FROM (${counted(
    "r.rolname",
    "pg_catalog.format('%I.%I', n.nspname, p.proname)",
    `pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace JOIN plain AS r ON r.oid = p.proowner
    WHERE p.oid IN (SELECT oid FROM asked)
      OR n.oid IN (SELECT oid FROM guarded) AND (p.prosecdef OR p.proname IN (${CONTEXT})) GROUP BY r.rolname`,
  )}) AS o
  UNION ALL SELECT 4, 'materialized view', o.* FROM (${counted("r.rolname", relation, `${classes} JOIN plain AS r ON r.oid = c.relowner WHERE c.relkind = 'm' AND n.oid IN (SELECT oid FROM guarded) GROUP BY r.rolname`)}) AS o
), restrictive AS (
  SELECT p.polrelid, p.polroles FROM pg_catalog.pg_policy AS p
  WHERE NOT p.polpermissive AND p.polcmd IN ('*', 'r') AND pg_catalog.pg_get_expr(p.polqual, p.polrelid) IS DISTINCT FROM 'true'
)
SELECT pg_catalog.json_build_object(
  'login', session_user,
  'roles', (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
      'name', rolname, 'superuser', rolsuper, 'bypassesRls', rolbypassrls AND NOT rolsuper,
      'createsRoles', rolcreaterole AND NOT rolsuper,
      'reachesServer', rolname IN (${SERVER}), 'reachesData', rolname IN (${DATA})
    ) ORDER BY rolname), '[]'::json)
    FROM reachable WHERE rolsuper OR rolbypassrls OR rolcreaterole OR rolname IN (${SERVER}, ${DATA})
      OR rolname IN (SELECT pg_catalog.json_array_elements_text($1::text::json))),
  'owned', ${list("SELECT kind, role, object, count FROM owned ORDER BY place, role")},
  'open', ${list(`
    SELECT r.rolname AS role, pg_catalog.min(${relation}) AS table, pg_catalog.bool_or(p.polcmd = '*') AS writes
    FROM ${classes} JOIN pg_catalog.pg_policy AS p ON p.polrelid = c.oid JOIN plain AS r ON r.oid = ANY (p.polroles)
    WHERE p.polpermissive AND p.polcmd IN ('*', 'r') AND c.relrowsecurity
      AND pg_catalog.pg_get_expr(p.polqual, p.polrelid) = 'true'
      AND (p.polcmd = '*' OR c.oid IN (SELECT polrelid FROM restrictive))
      AND NOT EXISTS (SELECT FROM restrictive AS f, pg_catalog.unnest(f.polroles) AS bound
        WHERE f.polrelid = c.oid AND (bound = 0 OR pg_catalog.pg_has_role(r.oid, bound, 'USAGE')))
    GROUP BY r.rolname ORDER BY r.rolname`)},
  'truncates', ${list(
    `${counted(
      "coalesce(r.rolname, 'public')",
      relation,
      `${classes} CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) AS a LEFT JOIN plain AS r ON r.oid = a.grantee
    WHERE c.relrowsecurity AND a.privilege_type = 'TRUNCATE' AND a.grantee <> c.relowner AND (a.grantee = 0 OR r.oid IS NOT NULL)
    GROUP BY r.rolname ORDER BY r.rolname`,
    )}`,
  )},
  'missing', (SELECT coalesce(pg_catalog.json_agg(role), '[]'::json)
    FROM pg_catalog.json_array_elements_text($2::text::json) AS role
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles AS p
      WHERE p.rolname = role AND pg_catalog.pg_has_role(session_user, p.oid, 'MEMBER')))
)::text AS json`;
