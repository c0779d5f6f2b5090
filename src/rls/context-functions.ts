import { functionPath } from "../catalog/path.ts";
import type { AccessData, IdType } from "../definition/access.ts";
import { pgFunction, type FunctionObject } from "../objects/pg-function.ts";
import { ident, literal } from "../sql/quote.ts";
import { claimsReading } from "./claims-reading.ts";

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
  const make = (name: string, what: string, source: Source, type: IdType, valid: string) =>
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
  const setting = (name: string): Source => ({ setting: name });
  const claim = (path: string): Source => ({ setting: CLAIMS, path });
  const ofApp = (key: string) => claim(`-> 'app_metadata' ->> ${literal(key)}`);
  return [
    make(
      "current_tenant_id",
      "tenant",
      supabase ? ofApp("tenant_id") : setting(tenant.setting),
      tenant.type,
      VALID[tenant.type],
    ),
    make(
      "current_user_id",
      "user",
      supabase ? claim("->> 'sub'") : setting(user.setting),
      user.type,
      VALID[user.type],
    ),
    ...(supabase
      ? [
          make(
            "current_persona",
            "persona",
            ofApp("persona"),
            "text",
            `value IN (${Object.keys(access.roles)
              .map((persona) => literal(persona).trim())
              .join(", ")})`,
          ),
        ]
      : []),
  ];
}

/** Where a value is: a setting, or what a path leads to in a setting that holds JSON. */
interface Source {
  readonly setting: string;
  readonly path?: string;
}

/**
 * What `auth.jwt()` returns, read as it reads it. Not by calling it: the reader, who owns the lookups, and the migrator have no right on the
 * schema `auth`, and who installs may not be able to give it.
 */
const CLAIMS = "request.jwt.claims";

/**
 * When a text is of a type, as SQL about `value`: every query pays for it. A regular expression takes four times as long, and
 * `pg_input_is_valid` is not in 15.
 */
const VALID: Readonly<Record<IdType, string>> = {
  text: "value <> ''",
  uuid: "value LIKE '________-____-____-____-____________' AND pg_catalog.translate(value, '0123456789abcdefABCDEF', '') = '----'",
  integer: wholeNumber("-2147483648", "2147483647"),
  bigint: wholeNumber("-9223372036854775808", "9223372036854775807"),
};

// CASE, because AND promises no order and the cast of a word would raise 22P02. In parentheses, because PL/pgSQL reads to the first THEN.
function wholeNumber(least: string, most: string): string {
  return `(CASE WHEN pg_catalog.length(value) BETWEEN 1 AND 20 AND pg_catalog.ltrim(value, '-0123456789') = '' AND pg_catalog.strpos(pg_catalog.substr(value, 2), '-') = 0 AND value <> '-' THEN value::numeric BETWEEN ${least} AND ${most} ELSE false END)`;
}

function bodyOf(what: string, source: Source, type: IdType, valid: string): string {
  const refuse = (problem: keyof typeof CONTEXT_CONSTRAINTS) =>
    `RAISE insufficient_privilege USING MESSAGE = ${literal(`the ${what} of the context is ${problem}`)}, CONSTRAINT = ${literal(CONTEXT_CONSTRAINTS[problem])}, HINT = 'Run the query inside withTenant().';`;
  const read = `pg_catalog.current_setting(${literal(source.setting)}, true)`;
  const claims =
    source.path === undefined
      ? null
      : claimsReading(source.path, refuse("empty"), refuse("malformed"));
  return `DECLARE
  value text := ${read};${claims?.declared ?? ""}
BEGIN${claims?.statements ?? ""}
  IF ${valid} THEN
    RETURN value::${type};
  ELSIF value IS NULL THEN
    ${refuse("missing")}
  ELSIF value = '' THEN
    ${refuse("empty")}
  END IF;
  ${refuse("malformed")}
END`;
}
