import { is, SQL } from "drizzle-orm";
import { getTableConfig, PgDialect, type PgColumn, type PgTable } from "drizzle-orm/pg-core";
import { qualified } from "../sql/quote.ts";
import { typeSql, enumOf } from "./emit/column.ts";
import type { DefinitionFault } from "./fault.ts";
import { longName } from "./name-faults.ts";

type TableConfig = ReturnType<typeof getTableConfig>;

/** What a definition has, to look its tables up in. */
export interface Declared {
  readonly tables: readonly PgTable[];
  /** Qualified names of enums. */
  readonly enums: ReadonlySet<string>;
}

/** What is wrong with one table by itself and with what it points to. */
export function tableFaults(table: PgTable, declared: Declared): readonly DefinitionFault[] {
  const config = getTableConfig(table);
  const name = nameOf(config);
  return [
    ...longNames(config, name),
    ...enumFaults(config, name, declared),
    ...config.foreignKeys.flatMap((key) => foreignKeyFaults(key, name, declared)),
    ...parameterFaults(config, name),
    ...policyFaults(config, name),
  ];
}

function nameOf({ schema, name }: Pick<TableConfig, "schema" | "name">): string {
  return `${schema ?? "public"}.${name}`;
}

function longNames(config: TableConfig, table: string): readonly DefinitionFault[] {
  const names = [
    config.name,
    ...config.columns.map(({ name }) => name),
    ...config.indexes.map((index) => index.config.name ?? ""),
    ...config.foreignKeys.map((key) => key.getName()),
    ...config.primaryKeys.map((key) => key.getName()),
    ...config.uniqueConstraints.map((key) => key.getName() ?? ""),
    ...config.checks.map(({ name }) => name),
    ...config.policies.map(({ name }) => name),
  ];
  return names
    .flatMap((name) => longName("a name", name) ?? [])
    .map((what) => ({ table, what, fix: "Give it a shorter name." }));
}

function enumFaults(
  config: TableConfig,
  table: string,
  { enums }: Declared,
): readonly DefinitionFault[] {
  return config.columns.flatMap((column) => {
    const type = enumOf(column);
    if (type === null || enums.has(qualified(type.schema, type.name))) return [];
    return [
      {
        table,
        column: column.name,
        what: `is of the enum ${type.schema}.${type.name}, which is not declared`,
        fix: "Put the enum among `tables`, and export it for drizzle-kit, which would leave CREATE TYPE out.",
      },
    ];
  });
}

function foreignKeyFaults(
  key: TableConfig["foreignKeys"][number],
  table: string,
  { tables }: Declared,
): readonly DefinitionFault[] {
  const { columns, foreignColumns, foreignTable } = key.reference();
  const faults: DefinitionFault[] = [];
  const other = getTableConfig(foreignTable);
  const ofTable = getTableConfig(key.table).columns;
  columns.forEach((given, at) => {
    // A column of the third argument has a name but no type: its getSQLType() calls itself without end.
    const column = ofTable.find(({ name }) => name === given.name);
    const target = other.columns.find(({ name }) => name === foreignColumns[at]?.name);
    if (column === undefined || target === undefined) return;
    const [own, foreign] = [plainType(column), plainType(target)];
    if (own === foreign) return;
    faults.push({
      table,
      column: column.name,
      what: `is ${own} and points to ${nameOf(other)}.${target.name}, which is ${foreign}`,
      fix: "Give both ends of a foreign key the same type.",
    });
  });
  if (tables.includes(foreignTable) && !isKey(other, foreignColumns))
    faults.push({
      table,
      what: `points with ${key.getName()} to ${nameOf(other)} (${foreignColumns.map(({ name }) => name).join(", ")}), which is no key there`,
      fix: `Give ${nameOf(other)} a unique constraint on exactly these columns.`,
    });
  return faults;
}

/** `serial` is `integer`, and the length of a `varchar` does not matter to a key. */
function plainType(column: PgColumn): string {
  const type = typeSql(column).replace(/\(.*\)$/, "");
  return { serial: "integer", bigserial: "bigint", smallserial: "smallint" }[type] ?? type;
}

/** Whether the columns are unique together by a constraint or a whole unique index, in any order. */
function isKey(config: TableConfig, columns: readonly PgColumn[]): boolean {
  const wanted = columns.map(({ name }) => name);
  const same = (key: readonly { readonly name?: unknown }[]) =>
    key.length === wanted.length && key.every(({ name }) => wanted.includes(String(name)));
  return (
    config.columns.some((column) => (column.primary || column.isUnique) && same([column])) ||
    config.primaryKeys.some((key) => same(key.columns)) ||
    config.uniqueConstraints.some((key) => same(key.columns)) ||
    config.indexes.some(
      ({ config: index }) =>
        index.unique &&
        index.where === undefined &&
        index.columns.every((part) => !is(part, SQL)) &&
        same(index.columns as readonly { readonly name?: unknown }[]),
    )
  );
}

/** DDL takes no parameters. drizzle-kit 0.31 prints them as `$1`, so that the two would not make the same table. */
function parameterFaults(config: TableConfig, table: string): readonly DefinitionFault[] {
  const places: readonly (readonly [what: string, sql: SQL | undefined])[] = [
    ...config.checks.map(({ name, value }) => [`check ${name}`, value] as const),
    ...config.indexes.map(
      ({ config: index }) => [`predicate of index ${index.name ?? ""}`, index.where] as const,
    ),
    ...config.policies.flatMap(
      ({ name, using, withCheck }) =>
        [
          [`USING of policy ${name}`, using],
          [`WITH CHECK of policy ${name}`, withCheck],
        ] as const,
    ),
  ];
  const dialect = new PgDialect();
  return places.flatMap(([what, sql]) =>
    sql === undefined || dialect.sqlToQuery(sql).params.length === 0
      ? []
      : [
          {
            table,
            what: `has a value in the ${what} that drizzle-kit would print as $1`,
            fix: "Write it as text: sql`status = 'open'`, or sql.raw(…).",
          },
        ],
  );
}

/** A restrictive policy without a predicate holds nobody back; one that is not SQL is dropped by drizzle-kit. */
function policyFaults(config: TableConfig, table: string): readonly DefinitionFault[] {
  return config.policies.flatMap((policy) => {
    const needsUsing = policy.for !== "insert";
    const missing = needsUsing ? policy.using === undefined : policy.withCheck === undefined;
    const wrong = policy.for === "insert" && policy.using !== undefined;
    if (!missing && !wrong) return [];
    return [
      {
        table,
        what: missing
          ? `has the policy ${policy.name} without ${needsUsing ? "USING" : "WITH CHECK"}: ${policy.as === "restrictive" ? "it would hold nobody back" : "it would let nobody in"}`
          : `has the policy ${policy.name} for INSERT with USING, which PostgreSQL refuses (42601)`,
        fix: "USING is for rows that are read, WITH CHECK for rows that are written.",
      },
    ];
  });
}
