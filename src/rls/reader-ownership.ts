import type { AccessData } from "../definition/access.ts";
import { doBlock } from "../sql/dollar-quoted.ts";
import { ident, literal } from "../sql/quote.ts";

/**
 * Statements that make something the reader's, run as a member of the reader for as long as they last.
 *
 * ALTER … OWNER needs the right to SET ROLE to the new owner, and CREATE on the schema for it. From 16 on, who creates a role may
 * administer it but is not its member in effect; on 15 a login with CREATEROLE may make itself one. Staying a member would give the installing login, which is
 * often the application's too, the reader's view of every row.
 */
export function asReader(
  access: AccessData,
  schema: string,
  statements: readonly string[],
): readonly string[] {
  const reader = ident(access.readerRole);
  const role = literal(access.readerRole).trim();
  return [
    doBlock(`DECLARE
  is_16 boolean := pg_catalog.current_setting('server_version_num')::int >= 160000;
  wanted boolean := NOT pg_catalog.pg_has_role(${role}, 'USAGE');
BEGIN
  IF is_16 AND NOT wanted THEN
    EXECUTE ${literal(`SELECT NOT pg_catalog.pg_has_role(${role}, 'SET')`)} INTO wanted;
  END IF;
  IF wanted THEN
    EXECUTE ${literal(`GRANT ${reader} TO CURRENT_USER`)} || CASE WHEN is_16 THEN ' WITH INHERIT TRUE, SET TRUE' ELSE '' END;
  END IF;
  PERFORM pg_catalog.set_config('underpin.borrowed_role', wanted::text, true);
  GRANT USAGE, CREATE ON SCHEMA ${ident(schema)} TO ${reader};
END`),
    ...statements,
    doBlock(`BEGIN
  REVOKE CREATE ON SCHEMA ${ident(schema)} FROM ${reader};
  IF pg_catalog.current_setting('underpin.borrowed_role')::boolean THEN
    REVOKE ${reader} FROM CURRENT_USER;
  END IF;
END`),
  ];
}
