import { getTableConfig, type PgColumn, type PgTable } from "drizzle-orm/pg-core";
import { namedPath, partPath, schemaPath } from "../../catalog/path.ts";
import { databaseObject, type DatabaseObject } from "../../objects/object.ts";
import type { Lock, RelationName } from "../../plan/step.ts";
import { ident, qualified } from "../../sql/quote.ts";
import { sqlText } from "../../sql/sql-text.ts";
import type { Dimension, Scheme } from "../scheme.ts";
import { columnSql, enumOf } from "./column.ts";
import { defaultSql } from "./default-value.ts";
import { indexObjects } from "./indexes.ts";
import { policyObject } from "./policy.ts";

type TableConfig = ReturnType<typeof getTableConfig>;

/** A table and what belongs to it: its foreign keys, indexes, row security and policies, each an object of its own. */
export function tableObjects(table: PgTable, scheme?: Scheme): readonly DatabaseObject[] {
  const config = getTableConfig(table);
  const relation = { schema: config.schema ?? "public", name: config.name };
  return [
    tableObject(config, relation, scheme),
    ...config.foreignKeys.map((key) => foreignKeyObject(key, relation)),
    ...indexObjects(config.indexes, relation),
    ...rowSecurity(config, relation),
    ...config.policies.map((policy) => policyObject(policy, relation)),
  ];
}

function tableObject(
  config: TableConfig,
  relation: RelationName,
  scheme: Scheme | undefined,
): DatabaseObject {
  const { columns, primaryKeys, uniqueConstraints, checks } = config;
  const name = qualified(relation.schema, relation.name);
  const nameOf = ({ name: column }: PgColumn) => ident(column);
  const checkTexts = checks.map(({ name: check, value }) => ({ check, text: sqlText(value) }));
  const lines = [
    ...columns.map((column) => columnSql(column, relation)),
    ...primaryKeys.map(
      (key) =>
        `CONSTRAINT ${ident(key.getName())} PRIMARY KEY (${key.columns.map(nameOf).join(", ")})`,
    ),
    ...uniqueConstraints.map(
      (key) =>
        `CONSTRAINT ${ident(key.getName() ?? "")} UNIQUE${key.nullsNotDistinct ? " NULLS NOT DISTINCT" : ""} (${key.columns.map(nameOf).join(", ")})`,
    ),
    ...checkTexts.map(({ check, text }) => `CONSTRAINT ${ident(check)} CHECK (${text})`),
  ];
  const partitioned = scheme === undefined ? "" : ` ${partitionSql(scheme.dimensions[0])}`;
  const enums = columns.map(enumOf).filter((type) => type !== null);
  const inlineKeys = columns.filter(({ primary, isUnique }) => primary || isUnique).length;
  return databaseObject({
    kind: "table",
    id: namedPath("table", relation.schema, relation.name),
    create: `CREATE TABLE ${name} (\n  ${lines.join(",\n  ")}\n)${partitioned}`,
    drop: `DROP TABLE IF EXISTS ${name}`,
    dependsOn: [
      schemaPath(relation.schema),
      ...enums.map((type) => namedPath("type", type.schema, type.name)),
    ],
    mentions: [
      ...columns.map((column) => column.getSQLType()),
      ...columns.map((column) => defaultSql(column) ?? ""),
      ...columns
        .filter(({ generated }) => generated !== undefined)
        .map((c) => columnSql(c, relation)),
      ...checkTexts.map(({ text }) => text),
    ],
    dropLocks: [{ ...relation, mode: "accessExclusive" }],
    // Itself, its TOAST table and that one's index.
    creates: 3 + inlineKeys + primaryKeys.length + uniqueConstraints.length,
  });
}

/** `PARTITION BY LIST ("program_id")`. */
export function partitionSql({ strategy, column }: Dimension): string {
  return `PARTITION BY ${strategy.toUpperCase()} (${ident(column)})`;
}

/** A foreign key after the tables, so that tables may point to each other. */
function foreignKeyObject(
  key: TableConfig["foreignKeys"][number],
  relation: RelationName,
): DatabaseObject {
  const { columns, foreignColumns, foreignTable } = key.reference();
  const target = getTableConfig(foreignTable);
  const other = { schema: target.schema ?? "public", name: target.name };
  const list = (of: readonly PgColumn[]) => of.map(({ name }) => ident(name)).join(", ");
  const name = ident(key.getName());
  const own = qualified(relation.schema, relation.name);
  const path = namedPath("table", relation.schema, relation.name);
  const otherPath = namedPath("table", other.schema, other.name);
  const onBoth = (mode: Lock["mode"]): readonly Lock[] =>
    otherPath === path
      ? [{ ...relation, mode }]
      : [
          { ...relation, mode },
          { ...other, mode },
        ];
  return databaseObject({
    kind: "constraint",
    id: partPath("constraint", key.getName(), path),
    create: [
      `ALTER TABLE ${own} ADD CONSTRAINT ${name}`,
      `FOREIGN KEY (${list(columns)}) REFERENCES ${qualified(other.schema, other.name)} (${list(foreignColumns)})`,
      ...(key.onDelete === undefined ? [] : [`ON DELETE ${key.onDelete.toUpperCase()}`]),
      ...(key.onUpdate === undefined ? [] : [`ON UPDATE ${key.onUpdate.toUpperCase()}`]),
    ].join(" "),
    drop: `ALTER TABLE ${own} DROP CONSTRAINT IF EXISTS ${name}`,
    dependsOn: [path, otherPath],
    within: path,
    locks: onBoth("shareRowExclusive"),
    dropLocks: onBoth("accessExclusive"),
  });
}

function rowSecurity(config: TableConfig, relation: RelationName): readonly DatabaseObject[] {
  if (!config.enableRLS && config.policies.length === 0) return [];
  const path = namedPath("table", relation.schema, relation.name);
  const change = `ALTER TABLE ${qualified(relation.schema, relation.name)}`;
  const locks: readonly Lock[] = [{ ...relation, mode: "accessExclusive" }];
  return [
    databaseObject({
      kind: "rowSecurity",
      id: `row security of ${path}`,
      create: `${change} ENABLE ROW LEVEL SECURITY`,
      drop: `${change} DISABLE ROW LEVEL SECURITY`,
      dependsOn: [path],
      within: path,
      locks,
      dropLocks: locks,
    }),
  ];
}
