import { is } from "drizzle-orm";
import { getTableConfig, PgTable } from "drizzle-orm/pg-core";
import type { Definition } from "../definition/definition.ts";
import type { DatabaseObject, ObjectKind } from "../objects/object.ts";
import type { Step } from "../plan/step.ts";
import { targetOf } from "../plan/target.ts";
import { ident, literal, qualified } from "../sql/quote.ts";
import { typeName } from "../sql/type-name.ts";
import { hostTables } from "./host-tables.ts";
import { tablesOf } from "./objects-of.ts";

/**
 * Looks, before anything is made, whether all is there that belongs to the host, and names what is not.
 *
 * The catalog is asked with quoted names, since `to_regclass` folds what is not quoted.
 */
export function requirementSteps(
  definition: Definition,
  objects: readonly DatabaseObject[],
): readonly Step[] {
  const { server = 15, tables = [], functions = [], extensions = [] } = definition.requires;
  const hosts = hostTables(definition).map(getTableConfig);
  // In a combined definition one part may make what another needs.
  const made = new Set(
    tablesOf(definition)
      .map((table) => targetOf({ table }))
      .map(({ schema, name }) => qualified(schema, name)),
  );
  const names = [
    ...tables
      .map((table) => (is(table, PgTable) ? targetOf({ table }) : table))
      .map(({ schema, name }) => qualified(schema, name))
      .filter((name) => !made.has(name)),
    ...hosts.map(({ schema, name }) => qualified(schema ?? "public", name)),
  ];
  const missing = [
    `SELECT 'PostgreSQL ' || pg_catalog.current_setting('server_version') AS found, ${literal(`PostgreSQL ${server} or later is needed`)} AS missing WHERE pg_catalog.current_setting('server_version_num')::int < ${server * 10_000}`,
    ...[...new Set(names)].map(
      (name) =>
        `SELECT NULL, ${literal(`the table ${name} is not there`)} WHERE pg_catalog.to_regclass(${literal(name)}) IS NULL`,
    ),
    ...functions.map(
      ({ schema, name }) =>
        `SELECT NULL, ${literal(`the function ${qualified(schema, name)} is not there`)} WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace WHERE n.nspname = ${literal(schema)} AND p.proname = ${literal(name)})`,
    ),
    ...extensions.map(
      (name) =>
        `SELECT NULL, ${literal(`the extension ${name} is not installed: CREATE EXTENSION ${ident(name)}`)} WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = ${literal(name)})`,
    ),
    ...taken(objects),
    ...objects.filter(({ kind }) => kind === "extension").map(otherSchema),
    ...extensionsOf(objects).map(
      (name) =>
        `SELECT NULL, ${literal(`the extension ${name} is not available on this server`)} WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_available_extensions WHERE name = ${literal(name)})`,
    ),
  ];
  return [
    {
      kind: "check",
      id: "requirements",
      title: `What ${definition.name} needs of its host is there`,
      sql: missing.join("\nUNION ALL "),
      expect: "noRows",
      transaction: "commitAfter",
      undo: { kind: "nothing" },
    },
  ];
}

/**
 * The names that are taken already. What has such a name is the host's: CREATE OR REPLACE would put our function in the place of
 * the host's, and an uninstall would drop it.
 */
function taken(objects: readonly DatabaseObject[]): readonly string[] {
  const named = (kinds: readonly ObjectKind[]) =>
    objects
      .filter(({ kind }) => kinds.includes(kind))
      .map(({ id }) => id.replace(/^(?:table|view|materialized view|sequence|type|function) /, ""));
  // No function of the host takes a type that is not there yet; up to 15 to_regprocedure fails on one (3F000, 42704).
  const types = named(["type", "table", "view"]).map(typeName);
  const hasOwnType = (signature: string) => {
    const [, list = ""] = /\((.*)\)$/s.exec(signature) ?? [];
    return list.split(", ").some((type) => types.includes(type.replace(/(?:\[\])+$/, "")));
  };
  const looked = [
    ["regclass", named(["table", "view", "materializedView", "sequence"])],
    ["regtype", named(["type"])],
    ["regprocedure", named(["function"]).filter((signature) => !hasOwnType(signature))],
  ] as const;
  return looked
    .filter(([, names]) => names.length > 0)
    .map(
      ([look, names]) =>
        `SELECT NULL, pg_catalog.format('the name %s is taken by what is there already', taken.name) FROM pg_catalog.unnest(ARRAY[${names.map(literal).join(", ")}]) AS taken (name) WHERE pg_catalog.to_${look}(taken.name) IS NOT NULL`,
    );
}

/** An extension lives in one schema of the database, and what an object names of it is looked for in that of the declaration. */
function otherSchema({ id, dependsOn }: DatabaseObject): string {
  const name = extensionName(id);
  const schema = dependsOn[0]?.slice("schema ".length) ?? "";
  return `SELECT pg_catalog.format('schema %I', n.nspname), ${literal(`the extension ${name} is installed in another schema than ${schema}: bind the domain to the one where it is, or ALTER EXTENSION ${ident(name)} SET SCHEMA ${schema}`)} FROM pg_catalog.pg_extension AS e JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = ${literal(name)} AND pg_catalog.quote_ident(n.nspname) <> pg_catalog.quote_ident(${literal(unquoted(schema))})`;
}

function unquoted(name: string): string {
  return name.slice(1, -1).replaceAll('""', '"');
}

function extensionName(id: string): string {
  return unquoted(id.slice("extension ".length));
}

/** The names of the extensions that are made. */
export function extensionsOf(objects: readonly DatabaseObject[]): readonly string[] {
  return objects.filter(({ kind }) => kind === "extension").map(({ id }) => extensionName(id));
}
