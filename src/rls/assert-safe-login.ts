import type { AccessData } from "../definition/access.ts";
import { UnderpinError } from "../errors.ts";
import { toExecutor, type DatabaseLike } from "../executor/connect.ts";
import { ident } from "../sql/quote.ts";
import { READ_LOGIN, type LoginReading, type Owned, type RoleReading } from "./login-reading.ts";

/** What the login has to be safe for. */
export interface SafeLoginOptions {
  /** Whose personas it has to be able to act as, and whose reader and migrator it must not reach. */
  readonly access?: AccessData;
}

/** How many faults are told: the rest is counted. */
const MOST = 5;

/**
 * Refuses a login that row security does not bind, directly or through a role that it can become: superuser, BYPASSRLS, CREATEROLE, a predefined role
 * that reaches all data or the server; the owner of a protected table, of its schema, of a function that its policies ask or that runs with its
 * owner's rights, of a materialized view beside it; a role that a policy shows every row and no floor holds, or that may TRUNCATE.
 *
 * Call it when the application starts. Policies say nothing of such a login: everything works, and every tenant sees all. CREATEROLE is among
 * them since on 15 it makes itself a member of any role; owners, since they may drop a policy, put another table or another function in the place of theirs;
 * `pg_read_all_data`, since a materialized view has no row security.
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
  const [row] = await toExecutor(db).query<{ json: string }>(READ_LOGIN, [
    JSON.stringify(secret),
    JSON.stringify(access === undefined ? [] : Object.values(access.roles)),
  ]);
  const read = JSON.parse(row?.json ?? "{}") as LoginReading;
  // Of the reader and the migrator one word is enough.
  const others = <T extends { readonly role: string }>(list: readonly T[]) =>
    list.filter(({ role }) => !secret.includes(role));
  const faults = [
    ...read.roles.flatMap((role) => roleFaults(role, read.login, secret)),
    ...others(read.owned).map((owned) => `${named(owned.role, read.login)} ${owns(owned)}`),
    ...others(read.open).map(
      ({ role, table, writes }) =>
        `${named(role, read.login)} ${writes ? "sees and writes" : "sees"} every row of ${table} by a policy FOR ${writes ? "ALL" : "SELECT"} USING (true)`,
    ),
    ...others(read.truncates).map(
      ({ role, object, count }) =>
        `${named(role, read.login)} may TRUNCATE ${count === 1 ? object : `${count} tables with row security, ${object} among them`}, which no policy stops`,
    ),
    ...read.missing.map((role) => `it may not act as ${ident(role)}`),
  ];
  if (faults.length === 0) return;
  throw new UnderpinError({
    code: "unsafeLogin",
    message: `the login ${ident(read.login)} is not one that row security holds: ${[
      ...faults.slice(0, MOST),
      ...(faults.length > MOST ? [`and ${faults.length - MOST} more`] : []),
    ].join("; ")}`,
    hint: `Give the application a login of its own: CREATE ROLE app_login LOGIN NOINHERIT NOSUPERUSER NOBYPASSRLS NOCREATEROLE; ${
      access === undefined
        ? "and grant it the personas' roles, nothing else."
        : `GRANT ${[...new Set(Object.values(access.roles))].map(ident).join(", ")} TO app_login;`
    }`,
  });
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
    ...(role.reachesData
      ? [`${who} reaches every table and materialized view that has no row security`]
      : []),
    ...(role.reachesServer ? [`${who} reaches the server's files or programs`] : []),
    ...(secret.includes(role.name) ? [`${who} sees every row`] : []),
  ];
}

/** What its owner can do with it is to change what it protects. */
function owns({ kind, object, count }: Owned): string {
  const those = (one: string, many: string) => (count === 1 ? one : `${count} ${many}`);
  const among = count === 1 ? "" : `, ${object} among them`;
  switch (kind) {
    case "table":
      return `owns ${those(object, "tables with row security")}${among}`;
    case "schema":
      return `owns ${those(`the schema ${object}, which has tables`, "schemas that have tables")} with row security${among}`;
    case "function":
      return `owns ${those(`the function ${object}, on which`, "functions on which")} row security relies${among}`;
    case "materialized view":
      return `owns ${those(`the materialized view ${object}, which shows every row`, "materialized views, which show every row")}${among}`;
  }
}

function named(role: string, login: string): string {
  if (role === "public") return "everybody, and so it,";
  return role === login ? "it" : `${ident(role)}, which it can become,`;
}
