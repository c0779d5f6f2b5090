import { literal, qualified } from "../../sql/quote.ts";

/** A query of the members of a partition tree without its root: `oid`, and whether it is a leaf. Members come before what is above them. */
export function membersSql(schema: string, root: string, leaves: "leaves" | "all"): string {
  return `WITH RECURSIVE tree (oid, level) AS (
      SELECT i.inhrelid, 1 FROM pg_catalog.pg_inherits AS i WHERE i.inhparent = ${literal(qualified(schema, root)).trim()}::regclass
      UNION ALL
      SELECT i.inhrelid, t.level + 1 FROM tree AS t JOIN pg_catalog.pg_inherits AS i ON i.inhparent = t.oid
    ) SELECT c.oid::regclass AS member, c.relkind AS kind, c.relforcerowsecurity AS forced, c.relrowsecurity AS closed
    FROM tree AS t JOIN pg_catalog.pg_class AS c ON c.oid = t.oid${leaves === "leaves" ? " WHERE c.relkind = 'r'" : ""}
    ORDER BY t.level DESC, c.oid`;
}

/** The variable that {@link patientSql} needs. */
export const PATIENT_VARIABLES = "  v_done boolean;\n";

/**
 * Statements that wait for a lock, each time less than the server's `deadlock_timeout` (1 s by default), until they have it: nobody who came
 * later waits behind them for longer. As PL/pgSQL, in a transaction of its own.
 */
export function patientSql(statements: string): string {
  return `    LOOP
      v_done := true;
      BEGIN
        PERFORM pg_catalog.set_config('lock_timeout', '400ms', true);
${statements}
      EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
        v_done := false;
      END;
      COMMIT;
      EXIT WHEN v_done;
      PERFORM pg_catalog.pg_sleep(0.3);
    END LOOP;
`;
}
