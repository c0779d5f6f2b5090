import { is } from "drizzle-orm";
import { getTableConfig, PgTable } from "drizzle-orm/pg-core";
import type { Definition } from "../definition/definition.ts";
import type { DatabaseObject } from "../objects/object.ts";
import type { Step } from "../plan/step.ts";
import { targetOf } from "../plan/target.ts";
import { ident, literal, qualified } from "../sql/quote.ts";
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

/** The names of the extensions that are made. */
export function extensionsOf(objects: readonly DatabaseObject[]): readonly string[] {
  return objects
    .filter(({ kind }) => kind === "extension")
    .map(({ id }) => id.slice('extension "'.length, -1).replaceAll('""', '"'));
}
