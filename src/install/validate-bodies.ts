import type { DatabaseObject } from "../objects/object.ts";
import type { Step } from "../plan/step.ts";
import { literal } from "../sql/quote.ts";
import { doBlock } from "../sql/dollar-quoted.ts";

/**
 * Has PostgreSQL look at the bodies of functions, once everything that they may name is there.
 *
 * A validator looks only at what it may: a function that another role owns and this login may not call is left out. It plans the queries of a
 * function in SQL, which `row_security = off` refuses to a table's owner under FORCE (42501), though nothing is read.
 */
export function validateBodies(objects: readonly DatabaseObject[]): readonly Step[] {
  const functions = objects.filter(({ kind }) => kind === "function");
  if (functions.length === 0) return [];
  const names = functions.map(({ id }) => literal(id.slice("function ".length))).join(", ");
  return [
    {
      kind: "sql",
      id: "function bodies",
      title: `PostgreSQL finds no fault in the bodies of ${functions.length} functions`,
      sql: `SET LOCAL check_function_bodies TO on;
SET LOCAL row_security TO on;
${doBlock(`DECLARE f pg_catalog.oid; l pg_catalog.name; BEGIN
  FOR f, l IN SELECT p.oid, l.lanname FROM pg_catalog.unnest(ARRAY[${names}]) AS n (signature)
    JOIN pg_catalog.pg_proc AS p ON p.oid = n.signature::pg_catalog.regprocedure
    JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang
    WHERE pg_catalog.has_function_privilege(p.oid, 'EXECUTE')
  LOOP
    IF l = 'sql' THEN PERFORM pg_catalog.fmgr_sql_validator(f);
    ELSIF l = 'plpgsql' THEN PERFORM pg_catalog.plpgsql_validator(f);
    END IF;
  END LOOP;
END`)}`,
      locks: [],
      transaction: "commitAfter",
      undo: { kind: "nothing" },
    },
  ];
}
