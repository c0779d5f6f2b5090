import { functionPath, schemaPath } from "../catalog/path.ts";
import { dollarQuoted } from "../sql/dollar-quoted.ts";
import { ident, literal, qualified } from "../sql/quote.ts";
import { typeName } from "../sql/type-name.ts";
import { databaseObject, type DatabaseObject } from "./object.ts";
import { withdrawAll } from "./withdraw-all.ts";

/** One argument of a function. */
export interface FunctionArgument {
  readonly name: string;
  /** As SQL: `uuid`, `timestamptz`, `app.status`. */
  readonly type: string;
  /** As SQL. */
  readonly default?: string;
}

/** A function as it is declared. */
export interface FunctionOptions {
  /** @default "public" */
  readonly schema?: string;
  readonly name: string;
  readonly arguments?: readonly FunctionArgument[];
  /** As SQL: `trigger`, `uuid[]`, `table (id uuid, n bigint)`, `setof app.orders`; a procedure has none. */
  readonly returns?: string;
  readonly language: "sql" | "plpgsql";
  /** A promise to the planner; of a procedure it is nothing. */
  readonly volatility: "volatile" | "stable" | "immutable";
  /** Whose rights it has: the caller's, or its owner's. @default "invoker" */
  readonly security?: "invoker" | "definer";
  /** @default "unsafe" */
  readonly parallel?: "safe" | "restricted" | "unsafe";
  readonly strict?: boolean;
  readonly leakproof?: boolean;
  /** Settings while it runs beside its search_path: `{ row_security: "off" }`. */
  readonly settings?: Readonly<Record<string, string>>;
  /**
   * A procedure that commits. PostgreSQL lets none with a setting of its own do so (2D000): its body says
   * `SET LOCAL search_path TO ''` first, and again after each COMMIT.
   */
  readonly commits?: boolean;
  /** Schemas in which its body may find unqualified names. @default none: every name is qualified */
  readonly searchPath?: readonly string[];
  /** A role that owns it, other than who installs. */
  readonly owner?: string;
  /** Roles that may call it; nobody else can. */
  readonly executeTo?: readonly string[];
  readonly body: string;
  readonly comment?: string;
  /** Ids of what must be there first, beside what its signature names. */
  readonly dependsOn?: readonly string[];
}

/** A function or procedure, with what a trigger needs to name it. */
export interface FunctionObject extends DatabaseObject {
  readonly kind: "function";
  readonly schema: string;
  readonly name: string;
}

/**
 * A function, or without `returns` a procedure.
 *
 * Its `search_path` is always pinned and EXECUTE is taken from PUBLIC, which has it by default: otherwise who may create an
 * object in a schema of the caller's path decides what the function calls. Of one with its owner's rights it is taken from
 * everybody, whatever the default privileges are.
 *
 * @example
 * import { pgFunction } from "underpin";
 *
 * const touch = pgFunction({
 *   schema: "app",
 *   name: "touch",
 *   returns: "trigger",
 *   language: "plpgsql",
 *   volatility: "volatile",
 *   body: "BEGIN NEW.updated_at := pg_catalog.now(); RETURN NEW; END",
 * });
 * touch.id; // 'function "app"."touch"()'
 */
export function pgFunction(options: FunctionOptions): FunctionObject {
  const { schema = "public", name, executeTo = [], owner, comment } = options;
  const args = options.arguments ?? [];
  const signature = args.map(({ type }) => typeName(type)).join(", ");
  const noun = options.returns === undefined ? "PROCEDURE" : "FUNCTION";
  const called = `${noun} ${qualified(schema, name)}(${signature})`;
  const create = [
    definitionOf(options, noun),
    ...(comment === undefined ? [] : [`COMMENT ON ${called} IS ${literal(comment)}`]),
    options.security === "definer"
      ? withdrawAll(noun, `${qualified(schema, name)}(${signature})`)
      : `REVOKE ALL ON ${called} FROM PUBLIC`,
    ...(owner === undefined ? [] : [`ALTER ${called} OWNER TO ${ident(owner)}`]),
    ...executeTo.map((role) => `GRANT EXECUTE ON ${called} TO ${ident(role)}`),
  ];
  const object = databaseObject({
    kind: "function",
    id: functionPath(schema, name, signature),
    create: create.join(";\n"),
    drop: `DROP ${noun} IF EXISTS ${qualified(schema, name)}(${signature})`,
    dependsOn: [schemaPath(schema), ...(options.dependsOn ?? [])],
    mentions: [signature, options.returns ?? ""],
  });
  return { ...object, kind: "function", schema, name };
}

function definitionOf(options: FunctionOptions, noun: "FUNCTION" | "PROCEDURE"): string {
  const { schema = "public", name, returns, language, volatility, body } = options;
  const path = (options.searchPath ?? []).map(ident).join(", ");
  const argumentList = (options.arguments ?? [])
    .map(({ name: argument, type, default: value }) =>
      [ident(argument), type, ...(value === undefined ? [] : [`DEFAULT ${value}`])].join(" "),
    )
    .join(", ");
  const words = [
    ...(noun === "PROCEDURE"
      ? []
      : [
          volatility.toUpperCase(),
          `PARALLEL ${(options.parallel ?? "unsafe").toUpperCase()}`,
          ...(options.strict === true ? ["STRICT"] : []),
          ...(options.leakproof === true ? ["LEAKPROOF"] : []),
        ]),
    ...(options.security === "definer" ? ["SECURITY DEFINER"] : []),
    ...(options.commits === true ? [] : [`SET search_path TO ${path === "" ? "''" : path}`]),
    ...Object.entries(options.settings ?? {}).map(
      ([setting, value]) => `SET ${setting} TO ${literal(value)}`,
    ),
  ];
  return `CREATE OR REPLACE ${noun} ${qualified(schema, name)}(${argumentList})${noun === "PROCEDURE" ? "" : ` RETURNS ${returns}`} LANGUAGE ${language} ${words.join(" ")} AS ${dollarQuoted(body)}`;
}
