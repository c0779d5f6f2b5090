import {
  getMaterializedViewConfig,
  getViewConfig,
  type PgMaterializedView,
  type PgView,
} from "drizzle-orm/pg-core";
import { namedPath, schemaPath } from "../../catalog/path.ts";
import { databaseObject, type DatabaseObject } from "../../objects/object.ts";
import { ident, qualified } from "../../sql/quote.ts";
import { sqlText } from "../../sql/sql-text.ts";

/** A view, or nothing where it says that it exists. */
export function viewObjects(view: PgView): readonly DatabaseObject[] {
  const { name, schema = "public", query, with: options = {} } = getViewConfig(view);
  if (query === undefined) return [];
  const text = sqlText(query);
  return [
    databaseObject({
      kind: "view",
      id: namedPath("view", schema, name),
      create: `CREATE VIEW ${qualified(schema, name)}${optionSql(options)} AS ${text}`,
      drop: `DROP VIEW IF EXISTS ${qualified(schema, name)}`,
      dependsOn: [schemaPath(schema)],
      mentions: [text],
      dropLocks: [{ schema, name, mode: "accessExclusive" }],
      creates: 1,
    }),
  ];
}

/** A materialized view, filled when it is made unless it says otherwise. */
export function materializedViewObjects(view: PgMaterializedView): readonly DatabaseObject[] {
  const config = getMaterializedViewConfig(view);
  const { name, schema = "public", query, using, tablespace, withNoData } = config;
  if (query === undefined) return [];
  const text = sqlText(query);
  return [
    databaseObject({
      kind: "materializedView",
      id: namedPath("materialized view", schema, name),
      create: [
        `CREATE MATERIALIZED VIEW ${qualified(schema, name)}`,
        ...(using === undefined ? [] : [`USING ${ident(using)}`]),
        ...(config.with === undefined ? [] : [optionSql(config.with).trim()]),
        ...(tablespace === undefined ? [] : [`TABLESPACE ${ident(tablespace)}`]),
        `AS ${text}`,
        ...(withNoData === true ? ["WITH NO DATA"] : []),
      ].join(" "),
      drop: `DROP MATERIALIZED VIEW IF EXISTS ${qualified(schema, name)}`,
      dependsOn: [schemaPath(schema)],
      mentions: [text],
      dropLocks: [{ schema, name, mode: "accessExclusive" }],
      creates: 3,
    }),
  ];
}

/** `{ securityInvoker: true }` as ` WITH (security_invoker = true)`. */
function optionSql(options: object): string {
  const parts = Object.entries(options)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${snakeCase(key)} = ${String(value)}`);
  return parts.length === 0 ? "" : ` WITH (${parts.join(", ")})`;
}

function snakeCase(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
