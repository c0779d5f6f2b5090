import { doBlock } from "../sql/dollar-quoted.ts";
import { literal } from "../sql/quote.ts";

/**
 * A statement that takes every privilege on a relation or function from everybody but its owner.
 *
 * REVOKE … FROM PUBLIC is not enough: ALTER DEFAULT PRIVILEGES of the host gives each new object to whom it names, and a materialized view or a
 * function with its owner's rights has no row security that would hold them back (15 and 18).
 */
export function withdrawAll(noun: "TABLE" | "FUNCTION" | "PROCEDURE", called: string): string {
  const acl =
    noun === "TABLE"
      ? `pg_catalog.pg_class AS o, pg_catalog.aclexplode(coalesce(o.relacl, pg_catalog.acldefault('r', o.relowner))) AS a
    WHERE o.oid = ${literal(called).trim()}::pg_catalog.regclass AND a.grantee <> o.relowner`
      : `pg_catalog.pg_proc AS o, pg_catalog.aclexplode(coalesce(o.proacl, pg_catalog.acldefault('f', o.proowner))) AS a
    WHERE o.oid = ${literal(called).trim()}::pg_catalog.regprocedure AND a.grantee <> o.proowner`;
  const revoke = literal(`REVOKE ALL ON ${noun} ${called} FROM `).trim();
  return doBlock(`DECLARE
  v_grantee oid;
BEGIN
  FOR v_grantee IN
    SELECT DISTINCT a.grantee FROM ${acl}
  LOOP
    EXECUTE ${revoke} || CASE v_grantee WHEN 0 THEN 'PUBLIC' ELSE v_grantee::pg_catalog.regrole::text END;
  END LOOP;
END`);
}
