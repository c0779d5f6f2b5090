import type { AccessData, IdType } from "../definition/access.ts";
import { lookupFunction } from "../definition/lookup-function.ts";
import { UnderpinError } from "../errors.ts";
import { ident, literal, qualified } from "../sql/quote.ts";
import { lookupSetting } from "./predicate.ts";

/** An id of any type that an access may have. */
export type Id = string | number | bigint;

/** Who asks. */
export interface TenantContext<P extends string = string> {
  readonly access: AccessData & { readonly roles: Readonly<Record<P, string>> };
  readonly persona: NoInfer<P>;
  readonly tenant: Id;
  readonly user: Id;
  /** More claims of the token, for policies written by hand. Only of the target `supabase`. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

/** A context that was looked at, as what it becomes in the database. */
export interface CheckedContext {
  readonly access: string;
  readonly persona: string;
  readonly role: string;
  readonly tenant: string;
  readonly user: string;
  /** What sets it for the rest of the transaction: one statement, but of Citus. */
  readonly statements: readonly string[];
  /** What has to be asked for under that, each with the setting that keeps it for the policies. Only of Citus. */
  readonly lookups: readonly { readonly query: string; readonly setting: string }[];
}

/**
 * Looks at a context before any connection is used, and says which field of it is wrong.
 *
 * By hand: a schema library costs more to import than all of `underpin/rls`.
 */
export function checkContext(context: TenantContext): CheckedContext {
  const { access, persona, claims } = context;
  const role = Object.hasOwn(access.roles, persona) ? access.roles[persona] : undefined;
  if (role === undefined)
    throw refused(
      "persona",
      persona,
      `not one of ${Object.keys(access.roles).join(", ")}`,
      "Take a persona of the access.",
    );
  if (claims !== undefined && access.target !== "supabase")
    throw refused(
      "claims",
      Object.keys({ ...claims }),
      "only for the target supabase",
      "Leave it out.",
    );
  const tenant = idText("tenant", context.tenant, access.tenant.type);
  const user = idText("user", context.user, access.user.type);
  const settings =
    access.target === "supabase"
      ? [["request.jwt.claims", claimsOf({ tenant, user, persona, role, claims })] as const]
      : [[access.tenant.setting, tenant] as const, [access.user.setting, user] as const];
  return {
    access: access.schema,
    persona,
    role,
    tenant,
    user,
    statements: access.target === "citus" ? setLocal(role, settings) : [setConfig(role, settings)],
    lookups:
      access.target === "citus"
        ? access.lookups.map(({ name }) => ({
            query: `SELECT ${qualified(access.schema, lookupFunction(name))}()::text AS ids`,
            setting: lookupSetting(access, name),
          }))
        : [],
  };
}

type Settings = readonly (readonly [name: string, value: string])[];

/** One statement without parameters: the drivers send it at once, and what follows travels with it. */
function setConfig(role: string, settings: Settings): string {
  const calls = [["role", role] as const, ...settings].map(
    ([name, value]) => `pg_catalog.set_config(${literal(name)}, ${literal(value)}, true)`,
  );
  return `SELECT ${calls.join(", ")}`;
}

/** Citus 13 sends SET LOCAL to its workers, and not set_config(). */
function setLocal(role: string, settings: Settings): readonly string[] {
  return [
    "SET LOCAL citus.propagate_set_commands TO 'local'",
    `SET LOCAL ROLE ${ident(role)}`,
    ...settings.map(([name, value]) => setLocalSetting(name, value)),
  ];
}

/** One setting for the rest of the transaction. */
export function setLocalSetting(name: string, value: string): string {
  return `SET LOCAL ${name.split(".").map(ident).join(".")} TO ${literal(value)}`;
}

/** The claims of a token as PostgREST hands them over. What the context says cannot be overruled by further claims. */
function claimsOf(of: {
  readonly tenant: string;
  readonly user: string;
  readonly persona: string;
  readonly role: string;
  readonly claims: TenantContext["claims"];
}): string {
  const given = of.claims?.["app_metadata"];
  const all = {
    ...of.claims,
    sub: of.user,
    role: of.role,
    app_metadata: {
      ...(typeof given === "object" && given !== null ? given : {}),
      tenant_id: of.tenant,
      persona: of.persona,
    },
  };
  // Whatever throws, throws at the claim that was looked at last.
  let at = "";
  try {
    return JSON.stringify(all, (key, value: unknown) => {
      at = key;
      const problem = textProblem(key) ?? (typeof value === "string" ? textProblem(value) : null);
      if (problem !== null) throw new Error(problem);
      return value;
    });
  } catch (error) {
    throw new UnderpinError({
      code: "invalidInput",
      message: `claims of the context are no JSON that PostgreSQL can hold, at ${JSON.stringify(at)}: ${
        error instanceof Error ? (error.message.split("\n")[0] ?? "") : "it cannot be written"
      }`,
      hint: "Take them from the token as it was decoded: texts, exact numbers, booleans, null, and lists and objects of such.",
      cause: error,
    });
  }
}

/** What keeps a text out of PostgreSQL. Half of a surrogate pair is no UTF-8: a driver sends U+FFFD for it, so that two texts become one. */
function textProblem(text: string): string | null {
  if (text.includes("\0")) return "a text with a NUL character";
  return /\p{Surrogate}/u.test(text) ? "a text with half of a surrogate pair" : null;
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const WHOLE = /^-?[0-9]{1,19}$/;
const BITS = { integer: 31n, bigint: 63n } as const;

function idText(field: "tenant" | "user", value: unknown, type: IdType): string {
  const fix = `Take it from the session that was checked, as ${type}.`;
  const wrong = (why: string) => refused(field, value, why, fix);
  if (typeof value !== "string" && typeof value !== "number" && typeof value !== "bigint")
    throw wrong("missing");
  if (typeof value === "number" && !Number.isSafeInteger(value))
    throw refused(
      field,
      value,
      "a number that is not exact",
      "Take a bigint or a string: JavaScript rounds a number beyond 2^53 to another id.",
    );
  const text = String(value);
  if (text === "") throw wrong("empty");
  const problem = textProblem(text);
  if (problem !== null) throw wrong(problem);
  if (type === "text") return text;
  if (type === "uuid") {
    if (!UUID.test(text)) throw wrong("not a uuid");
    return text;
  }
  const limit = 1n << BITS[type];
  if (!WHOLE.test(text) || BigInt(text) < -limit || BigInt(text) >= limit)
    throw wrong(`not of type ${type}`);
  return text;
}

function refused(field: string, value: unknown, why: string, hint: string): UnderpinError {
  return new UnderpinError({
    code: "invalidInput",
    message: `${field} of the context is ${why}: ${shown(value)}`,
    hint,
  });
}

/** A value as it is written; what is no value of an id may be anything, a cycle too. */
function shown(value: unknown): string {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "number") return String(value);
  try {
    return (JSON.stringify(value) ?? String(value)).slice(0, 80);
  } catch {
    return Object.prototype.toString.call(value);
  }
}
