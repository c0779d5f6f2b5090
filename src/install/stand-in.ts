import { getTableConfig, type PgColumn, type PgTable } from "drizzle-orm/pg-core";
import { enumOf, typeSql } from "../definition/emit/column.ts";
import { ident, literal, qualified } from "../sql/quote.ts";

/**
 * Tables that stand in for the host's in a scratch database: columns and keys, which are all that a foreign key or a view needs.
 */
export function standIns(tables: readonly PgTable[]): string {
  const configs = tables.map(getTableConfig);
  const schemas = new Set(configs.map(({ schema }) => schema ?? "public"));
  const enums = new Map<string, string>();
  for (const { columns } of configs) for (const column of columns) enumSql(column, enums);
  return [
    ...[...schemas].map((schema) => `CREATE SCHEMA IF NOT EXISTS ${ident(schema)}`),
    ...enums.values(),
    ...configs.map(tableSql),
  ]
    .map((statement) => `${statement};\n`)
    .join("");
}

function enumSql(column: PgColumn, enums: Map<string, string>): void {
  const type = enumOf(column);
  if (type === null) return;
  const name = qualified(type.schema, type.name);
  const labels = (column.enumValues ?? []).map((label) => literal(label).trim()).join(", ");
  enums.set(name, `CREATE TYPE ${name} AS ENUM (${labels})`);
}

function tableSql(config: ReturnType<typeof getTableConfig>): string {
  const names = (columns: readonly PgColumn[]) => columns.map(({ name }) => ident(name)).join(", ");
  const lines = [
    ...config.columns.map((column) =>
      [
        ident(column.name),
        // The sequence of a serial is nobody's business here.
        typeSql(column).replace(/^(big|small)?serial$/, (_, size: string | undefined) =>
          size === undefined ? "integer" : `${size}int`,
        ),
        ...(column.notNull ? ["NOT NULL"] : []),
        ...(column.primary ? ["PRIMARY KEY"] : []),
        ...(column.isUnique ? ["UNIQUE"] : []),
      ].join(" "),
    ),
    ...config.primaryKeys.map(({ columns }) => `PRIMARY KEY (${names(columns)})`),
    ...config.uniqueConstraints.map(({ columns }) => `UNIQUE (${names(columns)})`),
  ];
  return `CREATE TABLE ${qualified(config.schema ?? "public", config.name)} (${lines.join(", ")})`;
}
