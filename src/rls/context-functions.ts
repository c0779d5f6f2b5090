import { functionPath } from "../catalog/path.ts";
import type { AccessData, IdType } from "../definition/access.ts";
import { pgFunction, type FunctionObject } from "../objects/pg-function.ts";
import { ident, literal } from "../sql/quote.ts";

/** The names of the constraints that a refused context reports, as a program reads them. */
export const CONTEXT_CONSTRAINTS = {
  missing: "rls_context_missing",
  empty: "rls_context_empty",
  malformed: "rls_context_malformed",
} as const;

/** The id of a context function, for what depends on it. */
export function contextFunctionId(
  access: AccessData,
  name: "current_tenant_id" | "current_user_id" | "current_persona",
): string {
  return functionPath(access.schema, name, "");
}

/**
 * The functions that say who asks: `current_tenant_id()`, `current_user_id()`, and where one role serves all, `current_persona()`.
 *
 * STABLE and never IMMUTABLE: with an immutable one a generic plan gave the next tenant the last one's rows (15). A setting that was once set
 * in a session is empty and not NULL ever after, so both are refused. The form is looked at before the cast: an EXCEPTION block is a
 * subtransaction, which 15 and 16 refuse in a parallel plan.
 */
export function contextFunctions(access: AccessData): readonly FunctionObject[] {
  const { schema, tenant, user, target } = access;
  const roles = [...new Set(Object.values(access.roles)), access.readerRole, access.migratorRole];
  const supabase = target === "supabase";
  const make = (name: string, what: string, source: string, type: IdType, valid: string) =>
    pgFunction({
      schema,
      name,
      returns: type,
      language: "plpgsql",
      volatility: "stable",
      parallel: "safe",
      executeTo: roles,
      dependsOn: roles.map((role) => `role ${ident(role)}`),
      comment: `The ${what} of this transaction; 42501 where there is none.`,
      body: bodyOf(what, source, type, valid),
    });
  const claim = (key: string) => `${CLAIMS} -> 'app_metadata' ->> ${literal(key)}`;
  const setting = (name: string) => `pg_catalog.current_setting(${literal(name)}, true)`;
  return [
    make(
      "current_tenant_id",
      "tenant",
      supabase ? claim("tenant_id") : setting(tenant.setting),
      tenant.type,
      VALID[tenant.type],
    ),
    make(
      "current_user_id",
      "user",
      supabase ? `${CLAIMS} ->> 'sub'` : setting(user.setting),
      user.type,
      VALID[user.type],
    ),
    ...(supabase
      ? [
          make(
            "current_persona",
            "persona",
            claim("persona"),
            "text",
            `value IN (${Object.keys(access.roles)
              .map((persona) => literal(persona).trim())
              .join(", ")})`,
          ),
        ]
      : []),
  ];
}

/**
 * What `auth.jwt()` returns, read as it reads it. Not by calling it: the reader, who owns the lookups, and the migrator have no right on the
 * schema `auth`, and who installs may not be able to give it.
 */
const CLAIMS =
  "nullif(pg_catalog.current_setting('request.jwt.claims', true), '')::pg_catalog.jsonb";

/** When a text is of a type, as SQL about `value`. */
const VALID: Readonly<Record<IdType, string>> = {
  uuid: "value ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'",
  integer: wholeNumber("-2147483648", "2147483647"),
  bigint: wholeNumber("-9223372036854775808", "9223372036854775807"),
  text: "true",
};

// CASE, because AND promises no order and the cast of a word would raise 22P02.
function wholeNumber(least: string, most: string): string {
  return `CASE WHEN value ~ '^-?[0-9]{1,19}$' THEN value::numeric BETWEEN ${least} AND ${most} ELSE false END`;
}

function bodyOf(what: string, source: string, type: IdType, valid: string): string {
  const refuse = (problem: string, constraint: string) =>
    `RAISE insufficient_privilege USING MESSAGE = ${literal(`the ${what} of the context is ${problem}`)}, CONSTRAINT = ${literal(constraint)}, HINT = 'Run the query inside withTenant().';`;
  return `DECLARE
  value text := ${source};
BEGIN
  IF value IS NULL THEN
    ${refuse("missing", CONTEXT_CONSTRAINTS.missing)}
  ELSIF value = '' THEN
    ${refuse("empty", CONTEXT_CONSTRAINTS.empty)}
  ELSIF NOT (${valid}) THEN
    ${refuse("malformed", CONTEXT_CONSTRAINTS.malformed)}
  END IF;
  RETURN value::${type};
END`;
}
