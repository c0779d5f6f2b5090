import { pgSchema, primaryKey, text, timestamp, uuid, type PgPolicy } from "drizzle-orm/pg-core";
import { definitionOf } from "../definition/definition-of.ts";
import { pgSchemaGrant } from "../objects/pg-grant.ts";
import { AUTH_ROLES, authFunctions } from "../rls/auth-stand-in.ts";

/**
 * `auth.users` of Supabase, with the columns that others point to, for a database that has none, and the roles and functions of
 * `authStandIn`: so the same policies and foreign keys run on plain PostgreSQL and on PGlite.
 *
 * Bind a domain to `users.id`, and install the two together with `combine`. On Supabase itself bind it to a Drizzle table of theirs: this definition makes
 * the schema and the table, and takes them away again.
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
  const objects = [
    ...AUTH_ROLES.map((to) => pgSchemaGrant({ schema: "auth", to })),
    ...authFunctions(),
  ];
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
