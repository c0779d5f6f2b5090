import { is, SQL } from "drizzle-orm";
import { getTableConfig, type PgColumn } from "drizzle-orm/pg-core";
import { enumOf, typeSql } from "../definition/emit/column.ts";
import { ident, literal, qualified } from "../sql/quote.ts";
import type { HostTables } from "./host-tables.ts";

type TableConfig = ReturnType<typeof getTableConfig>;

/**
 * Tables that stand in for the host's in a scratch database: the columns that the definition names, and the keys over them, which are
 * all that a foreign key or a view needs.
 *
 * A type that is not built in is not there: `text` takes its place.
 */
export function standIns(tables: HostTables): string {
  const configs = tables.map((table) => {
    const config = getTableConfig(table);
    const columns = config.columns.filter(
      (column) => tables.pointedTo.has(column) || tables.names(column),
    );
    return { ...config, columns };
  });
  const enums = new Map<string, string>();
  const schemas = new Set(configs.map(({ schema }) => schema ?? "public"));
  for (const { columns } of configs)
    for (const column of columns) {
      const type = enumOf(column);
      if (type === null) continue;
      schemas.add(type.schema);
      const name = qualified(type.schema, type.name);
      const labels = (column.enumValues ?? []).map((label) => literal(label).trim()).join(", ");
      enums.set(name, `CREATE TYPE ${name} AS ENUM (${labels})`);
    }
  return [
    ...[...schemas].map((schema) => `CREATE SCHEMA IF NOT EXISTS ${ident(schema)}`),
    ...enums.values(),
    ...configs.map(tableSql),
  ]
    .map((statement) => `${statement};\n`)
    .join("");
}

function tableSql(config: TableConfig): string {
  const there = new Set(config.columns.map(({ name }) => name));
  const key = (noun: string, names: readonly string[]): readonly string[] =>
    names.every((name) => there.has(name)) ? [`${noun} (${names.map(ident).join(", ")})`] : [];
  const named = (columns: readonly PgColumn[]) => columns.map(({ name }) => name);
  const lines = [
    ...config.columns.map((column) =>
      [
        ident(column.name),
        standInType(column),
        ...(column.notNull ? ["NOT NULL"] : []),
        ...(column.primary ? ["PRIMARY KEY"] : []),
        ...(column.isUnique ? ["UNIQUE"] : []),
      ].join(" "),
    ),
    ...config.primaryKeys.flatMap(({ columns }) => key("PRIMARY KEY", named(columns))),
    ...config.uniqueConstraints.flatMap(({ columns }) => key("UNIQUE", named(columns))),
    ...uniqueIndexes(config).flatMap((columns) => key("UNIQUE", columns)),
  ];
  return `CREATE TABLE ${qualified(config.schema ?? "public", config.name)} (${lines.join(", ")})`;
}

/** A foreign key may point to a unique index, if that is of plain columns and all rows (42830 otherwise). */
function uniqueIndexes({ indexes }: TableConfig): readonly (readonly string[])[] {
  return indexes
    .filter(({ config }) => config.unique && config.where === undefined)
    .map(({ config }) => config.columns as readonly (SQL | { readonly name: string })[])
    .filter((parts) => !parts.some((part) => is(part, SQL)))
    .map((parts) => parts.flatMap((part) => (is(part, SQL) ? [] : [part.name])));
}

/** The type of a column where it is an enum or built in; of a serial what it is without its sequence. */
function standInType(column: PgColumn): string {
  const type = typeSql(column);
  if (enumOf(column) !== null) return type;
  const plain = type
    .toLowerCase()
    .replace(/^pg_catalog\./, "")
    .replace(/\(.*?\)|(?:\[\d*\])+$/g, "")
    .replace(/ (?:with|without) time zone$/, "")
    .replace(/^interval .*$/, "interval")
    .trim();
  const integer = SERIALS[plain];
  if (integer !== undefined) return integer;
  return BUILT_IN.has(plain) ? type : "text";
}

const SERIALS: Readonly<Record<string, string>> = {
  serial: "integer",
  serial4: "integer",
  bigserial: "bigint",
  serial8: "bigint",
  smallserial: "smallint",
  serial2: "smallint",
};

/** The types that every PostgreSQL since 15 has, by the names that SQL and `pg_type` give them. */
const BUILT_IN: ReadonlySet<string> = new Set(
  [
    "bigint int8 integer int int4 smallint int2 numeric decimal dec real float4 float float8 money",
    "boolean bool text varchar char character bpchar name bytea bit varbit uuid json jsonb jsonpath xml",
    "date time timetz timestamp timestamptz interval inet cidr macaddr macaddr8",
    "point line lseg box path polygon circle tsvector tsquery oid xid xid8 cid tid pg_lsn pg_snapshot",
    "regclass regproc regprocedure regtype regrole regnamespace regoper regoperator regconfig",
    "regdictionary regcollation refcursor",
    "int4range int8range numrange tsrange tstzrange daterange",
    "int4multirange int8multirange nummultirange tsmultirange tstzmultirange datemultirange",
  ]
    .flatMap((line) => line.split(" "))
    .concat("double precision", "character varying", "bit varying", '"char"'),
);
