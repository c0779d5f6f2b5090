import { ident } from "../sql/quote.ts";
import { databaseObject, type DatabaseObject } from "./object.ts";

/** A role without login, made when it is not there: roles belong to the cluster, and eight installs may run at once. */
export function pgGroupRole(name: string): DatabaseObject {
  const role = ident(name);
  return databaseObject({
    kind: "role",
    id: `role ${role}`,
    create: `DO $$ BEGIN CREATE ROLE ${role} NOLOGIN NOINHERIT NOSUPERUSER NOBYPASSRLS;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$`,
    // Another database of the cluster may use it: then it stays.
    drop: `DO $$ BEGIN DROP ROLE IF EXISTS ${role};
EXCEPTION WHEN dependent_objects_still_exist OR undefined_object THEN RAISE NOTICE 'another database uses the role'; END $$`,
  });
}
