import { UnderpinError } from "../errors.ts";
import type { Queryable } from "../executor/executor.ts";
import type { RowAccess } from "../plan/step.ts";
import { literal, qualified } from "../sql/quote.ts";

/** One relation as the executing role meets it. */
interface RelationSecurity {
  readonly schema: string;
  readonly name: string;
  readonly active: boolean;
  readonly policies: readonly AppliedPolicy[];
}

/** A policy that applies to the executing role. */
interface AppliedPolicy {
  readonly permissive: boolean;
  /** `*` for all, else r, a, w, d as in pg_policy. */
  readonly command: string;
  readonly using: string | null;
  readonly check: string | null;
}

/**
 * Makes sure, as the executing role, that row security hides no row from a step: for its transaction, or for its session
 * when it is not `local`.
 *
 * A table's owner under FORCE whom no policy names sees no rows and gets no error: a backfill updates 0 rows, "no NULL left"
 * passes, and VALIDATE of a foreign key succeeds over an orphan (measured on 15 and 18). Where row security is not active for
 * this role it is switched off, which turns any later silence into an error. Where it is active, every command that the
 * step uses needs an unconditional permissive policy and no restrictive one.
 */
export async function showAllRows(
  db: Queryable,
  rows: readonly RowAccess[],
  step: string,
  local = true,
): Promise<void> {
  if (rows.length === 0) return;
  const names = rows.map(({ schema, name }) => ({ schema, name }));
  const [row] = await db.query<{ json: string }>(SECURITY_SQL, [JSON.stringify(names)]);
  const relations = JSON.parse(row?.json ?? "[]") as readonly RelationSecurity[];
  for (const wanted of rows) {
    const found = relations.find((r) => r.schema === wanted.schema && r.name === wanted.name);
    if (found?.active !== true) continue;
    const command = COMMAND[wanted.access];
    // UPDATE and DELETE read the rows that they change.
    for (const needed of command === "a" || command === "r" ? [command] : ["r", command])
      if (!allowsEveryRow(found.policies, needed)) throw hidden(wanted, step);
  }
  // `off` is what the engine sets and what it returns to: only a policy that shows every row is relied on.
  const on = relations.some(({ active }) => active);
  await db.query(
    `SELECT pg_catalog.set_config('row_security', ${literal(on ? "on" : "off")}, ${local})`,
  );
}

const COMMAND = { read: "r", insert: "a", update: "w", delete: "d" } as const satisfies Record<
  RowAccess["access"],
  string
>;

function allowsEveryRow(policies: readonly AppliedPolicy[], command: string): boolean {
  const applied = policies.filter((policy) => policy.command === "*" || policy.command === command);
  const unconditional = ({ using, check }: AppliedPolicy): boolean => {
    const reads = command === "a" || using === "true";
    // Without WITH CHECK the USING expression checks new rows too.
    const writes = command === "r" || command === "d" || (check ?? using) === "true";
    return reads && writes;
  };
  return (
    applied.some((policy) => policy.permissive && unconditional(policy)) &&
    applied.every((policy) => policy.permissive || unconditional(policy))
  );
}

function hidden({ schema, name, access }: RowAccess, step: string): UnderpinError {
  const relation = qualified(schema, name);
  return new UnderpinError({
    code: "rowSecurity",
    message: `row security on ${relation} would hide rows from step "${step}", which must ${access} all of them`,
    hint: `Run as a role with BYPASSRLS, or give this login a policy without conditions: CREATE POLICY underpin_migrator ON ${relation} TO CURRENT_USER USING (true) WITH CHECK (true); restrictive policies must not apply to it.`,
  });
}

const SECURITY_SQL = `
SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
  'schema', n.nspname, 'name', c.relname,
  'active', pg_catalog.row_security_active(c.oid),
  'policies', coalesce((
    SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
      'permissive', p.polpermissive, 'command', p.polcmd,
      'using', pg_catalog.pg_get_expr(p.polqual, p.polrelid),
      'check', pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid)))
    FROM pg_catalog.pg_policy p
    WHERE p.polrelid = c.oid AND EXISTS (
      SELECT FROM pg_catalog.unnest(p.polroles) AS r (oid)
      WHERE r.oid = 0 OR pg_catalog.pg_has_role(r.oid, 'USAGE'))), '[]'::json))), '[]'::json)::text AS json
FROM (SELECT DISTINCT schema, name
      FROM pg_catalog.json_to_recordset($1::text::json) AS w (schema text, name text)) w
JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.name`;
