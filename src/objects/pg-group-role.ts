import { doBlock } from "../sql/dollar-quoted.ts";
import { ident, literal } from "../sql/quote.ts";
import { MADE_BY } from "./made-by.ts";
import { databaseObject, type DatabaseObject } from "./object.ts";

/**
 * A role without login, made when it is not there: roles belong to the cluster, and eight installs may run at once.
 *
 * It is dropped only where an install made it, and where no other database uses it.
 */
export function pgGroupRole(name: string): DatabaseObject {
  return roleObject(name, "NOLOGIN NOINHERIT NOSUPERUSER NOBYPASSRLS");
}

/** A role with the attributes that follow CREATE ROLE. */
export function roleObject(name: string, attributes: string): DatabaseObject {
  const role = ident(name);
  return databaseObject({
    kind: "role",
    id: `role ${role}`,
    create:
      doBlock(`BEGIN CREATE ROLE ${role} ${attributes}; COMMENT ON ROLE ${role} IS ${literal(MADE_BY)};
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END`),
    drop: doBlock(`BEGIN
  IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = ${literal(name)} AND pg_catalog.shobj_description(oid, 'pg_authid') = ${literal(MADE_BY)}) THEN
    DROP ROLE ${role};
  END IF;
EXCEPTION WHEN dependent_objects_still_exist OR undefined_object THEN RAISE NOTICE 'another database uses the role'; END`),
  });
}
