import { literal, qualified } from "../../../sql/quote.ts";
import { managed, type Management } from "./management.ts";

/**
 * `require_all_rows(table)`: refuses to go on where row security hides rows from the caller.
 *
 * Under FORCE the owner, whom no policy names, counts 0 rows and gets no error (15 and 18): a check would pass over anything.
 */
export function requireAllRows(management: Management) {
  return managed(management, {
    name: "require_all_rows",
    arguments: [{ name: "p_table", type: "regclass" }],
    returns: "void",
    volatility: "stable",
    comment: "Refuses to go on where row security hides rows of a table from the caller.",
    body: `BEGIN
  IF pg_catalog.row_security_active(p_table::oid) AND (
    NOT EXISTS (
      SELECT FROM pg_catalog.pg_policy AS p
      WHERE p.polrelid = p_table AND p.polpermissive AND p.polcmd IN ('r', '*')
        AND pg_catalog.pg_get_expr(p.polqual, p.polrelid) = 'true'
        AND EXISTS (SELECT FROM pg_catalog.unnest(p.polroles) AS r WHERE r = 0 OR pg_catalog.pg_has_role(r, 'USAGE'))
    ) OR EXISTS (
      SELECT FROM pg_catalog.pg_policy AS p
      WHERE p.polrelid = p_table AND NOT p.polpermissive AND p.polcmd IN ('r', '*')
        AND EXISTS (SELECT FROM pg_catalog.unnest(p.polroles) AS r WHERE r = 0 OR pg_catalog.pg_has_role(r, 'USAGE'))
    )
  ) THEN
    RAISE insufficient_privilege USING
      MESSAGE = pg_catalog.format('row security hides rows of %s from %I', p_table, current_user),
      HINT = pg_catalog.format('SET ROLE %I', ${literal(management.access.migratorRole)});
  END IF;
END`,
  });
}

/** The call of {@link requireAllRows} for each table, as statements of PL/pgSQL. */
export function requireAllRowsOf(
  { schema, domain }: Management,
  tables: readonly string[],
): string {
  return tables
    .map(
      (table) =>
        `  PERFORM ${qualified(schema, "require_all_rows")}(${literal(qualified(domain, table))});\n`,
    )
    .join("");
}
