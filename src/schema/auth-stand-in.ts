import { pgSchema, primaryKey, text, timestamp, uuid, type PgPolicy } from "drizzle-orm/pg-core";
import { definitionOf } from "../definition/definition-of.ts";
import type { DatabaseObject } from "../objects/object.ts";
import { pgFunction } from "../objects/pg-function.ts";
import { pgSchemaGrant } from "../objects/pg-grant.ts";
import { pgGroupRole } from "../objects/pg-group-role.ts";
import { ident } from "../sql/quote.ts";

/** The roles by which Supabase lets requests in. */
const REQUEST_ROLES = ["anon", "authenticated", "service_role"] as const;

/**
 * The `auth` schema of Supabase for a database that has none: `auth.users` with the columns that others point to, and `auth.uid()`,
 * `auth.role()`, `auth.jwt()` with the bodies that they have there, so that the same policies run on plain PostgreSQL and on PGlite.
 *
 * The claims are settings, which whoever may run SQL can set: on Supabase PostgREST sets them from a token that it has checked, and here
 * the application must. Bind a domain to `users.id`, and install the two together with `combine`.
 *
 * @example
 * import { authUsersStandIn } from "underpin/schema/project-reports";
 *
 * const { users, definition } = authUsersStandIn();
 * definition.name; // "auth"
 */
export function authUsersStandIn() {
  const authSchema = pgSchema("auth");
  const users = authUsersTable(() => [], authSchema);
  const objects = authObjects();
  const definition = definitionOf({ name: "auth", tables: { authSchema, users }, objects });
  return { authSchema, users, objects, definition };
}

/** `auth.users`, closed to everybody unless policies say otherwise: it holds addresses. */
export function authUsersTable(
  policies: (t: { readonly id: { readonly name: string } }) => PgPolicy[] = () => [],
  authSchema = pgSchema("auth"),
) {
  return authSchema
    .table(
      "users",
      {
        id: uuid("id").notNull().defaultRandom(),
        email: text("email"),
        createdAt: timestamp("created_at", { withTimezone: true }).notNull().defaultNow(),
      },
      (t) => [primaryKey({ name: "users_pkey", columns: [t.id] }), ...policies(t)],
    )
    .enableRLS();
}

/** The functions and roles. `search_path` is pinned, which theirs is not: nothing in them depends on it. */
export function authObjects(): readonly DatabaseObject[] {
  const claims = "nullif(current_setting('request.jwt.claims', true), '')::jsonb";
  const claim = (name: string) =>
    `coalesce(nullif(current_setting('request.jwt.claim.${name}', true), ''), (${claims} ->> '${name}'))`;
  const make = (name: string, returns: string, body: string) =>
    pgFunction({
      schema: "auth",
      name,
      returns,
      language: "sql",
      volatility: "stable",
      executeTo: REQUEST_ROLES,
      dependsOn: REQUEST_ROLES.map((role) => `role ${ident(role)}`),
      body,
    });
  return [
    ...REQUEST_ROLES.map(pgGroupRole),
    ...REQUEST_ROLES.map((to) => pgSchemaGrant({ schema: "auth", to })),
    make("uid", "uuid", `SELECT ${claim("sub")}::uuid`),
    make("role", "text", `SELECT ${claim("role")}::text`),
    make(
      "jwt",
      "jsonb",
      "SELECT coalesce(nullif(current_setting('request.jwt.claim', true), ''), nullif(current_setting('request.jwt.claims', true), ''))::jsonb",
    ),
  ];
}
