import { functionPath, schemaPath } from "../catalog/path.ts";
import { databaseObject, type DatabaseObject } from "../objects/object.ts";
import { pgGroupRole } from "../objects/pg-group-role.ts";
import { doBlock } from "../sql/dollar-quoted.ts";
import { ident, literal, qualified } from "../sql/quote.ts";

/** The roles by which Supabase lets requests in. */
export const AUTH_ROLES = ["anon", "authenticated", "service_role"] as const;

const MARK = literal("stands in for Supabase");
const setting = (name: string) => `nullif(pg_catalog.current_setting(${literal(name)}, true), '')`;
const claim = (name: string) =>
  `coalesce(${setting(`request.jwt.claim.${name}`)}, ${setting("request.jwt.claims")}::pg_catalog.jsonb ->> ${literal(name)})`;

/**
 * What policies for Supabase call, on a PostgreSQL without it: the schema `auth` with `jwt()`, `uid()` and `role()`, and its three roles. So the
 * same policies run on PGlite and in CI.
 *
 * What is there already is used as it is, and is never taken away: on Supabase itself this makes nothing. The functions read what theirs read, the
 * setting of each claim before `request.jwt.claims`, but for a pinned `search_path`, on which nothing in them depends. Whoever may run SQL can set these: on
 * Supabase PostgREST does from a token that it has checked, and here the application must.
 */
export function authStandIn(): readonly DatabaseObject[] {
  return [schemaStandIn(), ...authFunctions()];
}

/** Its roles and functions, for a definition that has the schema `auth` with tables of its own. */
export function authFunctions(): readonly DatabaseObject[] {
  return [
    ...AUTH_ROLES.map((role) => ({ ...pgGroupRole(role), drop: null })),
    functionStandIn(
      "jwt",
      "jsonb",
      `coalesce(${setting("request.jwt.claim")}, ${setting("request.jwt.claims")})::pg_catalog.jsonb`,
    ),
    functionStandIn("uid", "uuid", `${claim("sub")}::pg_catalog.uuid`),
    functionStandIn("role", "text", claim("role")),
  ];
}

function schemaStandIn(): DatabaseObject {
  const name = ident("auth");
  const found = `pg_catalog.to_regnamespace(${literal(name)})`;
  return databaseObject({
    kind: "schema",
    id: schemaPath("auth"),
    create: doBlock(`BEGIN
  IF ${found} IS NULL THEN
    CREATE SCHEMA ${name};
    GRANT USAGE ON SCHEMA ${name} TO ${AUTH_ROLES.map(ident).join(", ")};
    COMMENT ON SCHEMA ${name} IS ${MARK};
  END IF;
END`),
    drop: doBlock(`BEGIN
  IF pg_catalog.obj_description(${found}, 'pg_namespace') = ${MARK} THEN
    DROP SCHEMA ${name};
  END IF;
EXCEPTION WHEN dependent_objects_still_exist THEN RAISE NOTICE 'the schema is not empty';
END`),
    dependsOn: AUTH_ROLES.map((role) => `role ${ident(role)}`),
  });
}

/** A function that is made where it is not, since Supabase's own belongs to another role. */
function functionStandIn(name: string, returns: string, body: string): DatabaseObject {
  const called = `${qualified("auth", name)}()`;
  const found = `pg_catalog.to_regprocedure(${literal(called)})`;
  return databaseObject({
    kind: "function",
    id: functionPath("auth", name, ""),
    create: doBlock(`BEGIN
  IF ${found} IS NULL THEN
    CREATE FUNCTION ${called} RETURNS ${returns} LANGUAGE sql STABLE PARALLEL SAFE SET search_path TO '' AS ${literal(`SELECT ${body}`)};
    REVOKE ALL ON FUNCTION ${called} FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION ${called} TO ${AUTH_ROLES.map(ident).join(", ")};
    COMMENT ON FUNCTION ${called} IS ${MARK};
  END IF;
END`),
    drop: doBlock(`BEGIN
  IF pg_catalog.obj_description(${found}, 'pg_proc') = ${MARK} THEN
    DROP FUNCTION ${called};
  END IF;
END`),
    dependsOn: [schemaPath("auth"), ...AUTH_ROLES.map((role) => `role ${ident(role)}`)],
  });
}
