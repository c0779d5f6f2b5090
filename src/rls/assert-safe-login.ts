import type { AccessData } from "../definition/access.ts";
import { UnderpinError } from "../errors.ts";
import { toExecutor, type DatabaseLike } from "../executor/connect.ts";
import { ident } from "../sql/quote.ts";

/** What the login has to be safe for. */
export interface SafeLoginOptions {
  /** Whose personas it has to be able to act as, and whose reader and migrator it must not reach. */
  readonly access?: AccessData;
}

/**
 * Refuses a login that row security does not bind, directly or through a role that it can become: superuser, BYPASSRLS, CREATEROLE, the owner of a
 * table with policies or of its schema, a role that a policy FOR ALL shows every row, a predefined role that reaches the server's files or programs.
 *
 * Call it when the application starts. Policies say nothing of such a login: everything works, and every tenant sees all. CREATEROLE is among
 * them since on 15 it makes itself a member of any role; the owner, since it may drop a policy; the schema's owner, since it may drop the table and
 * put another in its place.
 *
 * @example
 * import { drizzle } from "drizzle-orm/node-postgres";
 * import { Pool } from "pg";
 * import { assertSafeLogin } from "underpin/rls";
 *
 * const start = () => assertSafeLogin(drizzle(new Pool({ connectionString: process.env["DATABASE_URL"] })));
 */
export async function assertSafeLogin(
  db: DatabaseLike,
  { access }: SafeLoginOptions = {},
): Promise<void> {
  const secret = access === undefined ? [] : [access.readerRole, access.migratorRole];
  const [row] = await toExecutor(db).query<{ json: string }>(SQL, [
    JSON.stringify(secret),
    JSON.stringify(access === undefined ? [] : Object.values(access.roles)),
  ]);
  const read = JSON.parse(row?.json ?? "{}") as Reading;
  const faults = [
    ...read.roles.flatMap((role) => roleFaults(role, read.login, secret)),
    ...read.owned.map(
      ({ owner, table, count }) =>
        `${named(owner, read.login)} owns ${count === 1 ? table : `${count} tables with policies, ${table} among them`}`,
    ),
    ...read.schemas.map(
      ({ owner, schema }) =>
        `${named(owner, read.login)} owns the schema ${schema}, which has tables with row security`,
    ),
    ...read.open
      .filter(({ role }) => !secret.includes(role))
      .map(
        ({ role, table }) =>
          `${named(role, read.login)} sees and writes every row of ${table} by a policy FOR ALL USING (true)`,
      ),
    ...read.missing.map((role) => `it may not act as ${ident(role)}`),
  ];
  if (faults.length === 0) return;
  throw new UnderpinError({
    code: "unsafeLogin",
    message: `the login ${ident(read.login)} is not one that row security holds: ${faults.join("; ")}`,
    hint: `Give the application a login of its own: CREATE ROLE app_login LOGIN NOINHERIT NOSUPERUSER NOBYPASSRLS NOCREATEROLE; ${
      access === undefined
        ? "and grant it the personas' roles, nothing else."
        : `GRANT ${[...new Set(Object.values(access.roles))].map(ident).join(", ")} TO app_login;`
    }`,
  });
}

interface Reading {
  readonly login: string;
  readonly roles: readonly RoleReading[];
  readonly owned: readonly {
    readonly owner: string;
    readonly table: string;
    readonly count: number;
  }[];
  readonly schemas: readonly { readonly owner: string; readonly schema: string }[];
  readonly open: readonly { readonly role: string; readonly table: string }[];
  readonly missing: readonly string[];
}

interface RoleReading {
  readonly name: string;
  readonly superuser: boolean;
  readonly bypassesRls: boolean;
  readonly createsRoles: boolean;
  readonly reachesServer: boolean;
}

function roleFaults(
  role: RoleReading,
  login: string,
  secret: readonly string[],
): readonly string[] {
  const who = named(role.name, login);
  return [
    ...(role.superuser ? [`${who} is a superuser`] : []),
    ...(role.bypassesRls ? [`${who} has BYPASSRLS`] : []),
    ...(role.createsRoles ? [`${who} has CREATEROLE`] : []),
    ...(role.reachesServer ? [`${who} reaches the server's files or programs`] : []),
    ...(secret.includes(role.name) ? [`${who} sees every row`] : []),
  ];
}

function named(role: string, login: string): string {
  return role === login ? "it" : `${ident(role)}, which it can become,`;
}

/** Whoever the connection logged in as, since RESET ROLE is always allowed. A superuser is a member of every role: its own attribute says enough. */
const SQL = `
WITH reachable AS (
  SELECT r.* FROM pg_catalog.pg_roles AS r
  WHERE r.rolname = session_user OR (
    pg_catalog.pg_has_role(session_user, r.oid, 'MEMBER')
    AND NOT (SELECT s.rolsuper FROM pg_catalog.pg_roles AS s WHERE s.rolname = session_user))
)
SELECT pg_catalog.json_build_object(
  'login', session_user,
  'roles', (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
      'name', rolname, 'superuser', rolsuper, 'bypassesRls', rolbypassrls AND NOT rolsuper,
      'createsRoles', rolcreaterole AND NOT rolsuper,
      'reachesServer', rolname IN ('pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program')
    ) ORDER BY rolname), '[]'::json)
    FROM reachable WHERE rolsuper OR rolbypassrls OR rolcreaterole
      OR rolname IN ('pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program')
      OR rolname IN (SELECT pg_catalog.json_array_elements_text($1::text::json))),
  'owned', (SELECT coalesce(pg_catalog.json_agg(o), '[]'::json) FROM (
    SELECT r.rolname AS owner, pg_catalog.min(pg_catalog.format('%I.%I', n.nspname, c.relname)) AS table, pg_catalog.count(*)::int AS count
    FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    JOIN reachable AS r ON r.oid = c.relowner
    WHERE c.relrowsecurity AND NOT r.rolsuper GROUP BY r.rolname ORDER BY r.rolname) AS o),
  'schemas', (SELECT coalesce(pg_catalog.json_agg(o), '[]'::json) FROM (
    SELECT r.rolname AS owner, pg_catalog.format('%I', n.nspname) AS schema
    FROM pg_catalog.pg_namespace AS n JOIN reachable AS r ON r.oid = n.nspowner
    WHERE NOT r.rolsuper AND EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.relnamespace = n.oid AND c.relrowsecurity)
    ORDER BY n.nspname) AS o),
  'open', (SELECT coalesce(pg_catalog.json_agg(o), '[]'::json) FROM (
    SELECT r.rolname AS role, pg_catalog.min(pg_catalog.format('%I.%I', n.nspname, c.relname)) AS table
    FROM pg_catalog.pg_policy AS p JOIN pg_catalog.pg_class AS c ON c.oid = p.polrelid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    JOIN reachable AS r ON r.oid = ANY (p.polroles)
    WHERE p.polpermissive AND p.polcmd = '*' AND c.relrowsecurity AND NOT r.rolsuper
      AND pg_catalog.pg_get_expr(p.polqual, p.polrelid) = 'true'
    GROUP BY r.rolname ORDER BY r.rolname) AS o),
  'missing', (SELECT coalesce(pg_catalog.json_agg(role), '[]'::json)
    FROM pg_catalog.json_array_elements_text($2::text::json) AS role
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles AS p
      WHERE p.rolname = role AND pg_catalog.pg_has_role(session_user, p.oid, 'MEMBER')))
)::text AS json`;
