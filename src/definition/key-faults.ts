import type { getTableConfig, PgTable } from "drizzle-orm/pg-core";
import { namedPath } from "../catalog/path.ts";
import type { DatabaseObject } from "../objects/object.ts";
import { targetOf } from "../plan/target.ts";
import { ident } from "../sql/quote.ts";
import type { RuledTable } from "./ruled-table.ts";
import type { TableRules } from "./access.ts";
import type { DefinitionFault } from "./fault.ts";

/**
 * Keys of one table that hold across tenants.
 *
 * A unique constraint without the tenant answers who asks it: "duplicate key" says that another tenant has the value, and so do ON CONFLICT DO NOTHING
 * and DO UPDATE; an exclusion constraint does the same. A foreign key without it lets a row point into another tenant, whose DELETE then cascades back (15).
 */
export function keyFaults(
  { name, config }: RuledTable,
  rules: TableRules,
  tables: readonly RuledTable[],
  objects: readonly DatabaseObject[],
): readonly DefinitionFault[] {
  const { tenantColumn } = rules;
  const accepted = (key: string) => rules.globalKeys[key] !== undefined;
  const missing = (columns: readonly { readonly name?: string }[]) =>
    tenantColumn !== null && columns.every((column) => column.name !== tenantColumn);
  const keys = uniqueKeys(config).filter(({ key, columns }) => missing(columns) && !accepted(key));
  return [
    ...keys.map(
      ({ key, columns }): DefinitionFault => ({
        table: name,
        what: `has the key ${key} (${columns.map((column) => column.name ?? "…").join(", ")}) without its tenant: one tenant learns from it what another has`,
        fix: `Put ${tenantColumn} first in it, or accept it with a reason: globalKeys: { ${JSON.stringify(key)}: "…" }.`,
      }),
    ),
    ...exclusionsWithout(tenantColumn, config, objects)
      .filter((key) => !accepted(key))
      .map(
        (key): DefinitionFault => ({
          table: name,
          what: `has the exclusion constraint ${key} without its tenant: one tenant learns from it what another has`,
          fix: `Compare ${tenantColumn ?? "the tenant"} WITH = in it, or accept it with a reason: globalKeys: { ${JSON.stringify(key)}: "…" }.`,
        }),
      ),
    ...config.foreignKeys.flatMap((key) => {
      const { columns, foreignColumns, foreignTable } = key.reference();
      const target = tables.find(({ table }) => isSame(table, foreignTable));
      const other = target?.rules?.tenantColumn ?? null;
      if (target === undefined || other === null || accepted(key.getName())) return [];
      const paired = columns.some(
        (column, at) => column.name === tenantColumn && foreignColumns[at]?.name === other,
      );
      if (paired) return [];
      return [
        {
          table: name,
          what: `points with ${key.getName()} to ${target.name} without the tenant: into another tenant too`,
          fix: `Make it (${tenantColumn ?? "a tenant column"}, …) to (${other}, …).`,
        },
      ];
    }),
  ];
}

/** The names of the exclusion constraints on a table that compare rows of two tenants. */
function exclusionsWithout(
  tenantColumn: string | null,
  { schema = "public", name }: ReturnType<typeof getTableConfig>,
  objects: readonly DatabaseObject[],
): readonly string[] {
  if (tenantColumn === null) return [];
  const path = namedPath("table", schema, name);
  const names = [
    ident(tenantColumn),
    ...(/^[a-z_][a-z0-9_]*$/.test(tenantColumn) ? [tenantColumn] : []),
  ];
  const column = names.map((each) => each.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")).join("|");
  const compared = new RegExp(
    `[(,]\\s*(?:${column})(?:\\s+[^\\s,()]+)*?\\s+WITH\\s+(?:=|OPERATOR\\(pg_catalog\\.=\\))\\s*[,)]`,
    "i",
  );
  return objects
    .filter(
      ({ kind, within, create }) =>
        kind === "constraint" &&
        within === path &&
        create.includes(" EXCLUDE USING ") &&
        !compared.test(create.slice(create.indexOf(" EXCLUDE USING "))),
    )
    .map(({ id }) => {
      const quoted = /^constraint "((?:[^"]|"")+)" of /.exec(id)?.[1];
      return quoted?.replaceAll('""', '"') ?? id;
    });
}

/** Whatever makes rows unique: constraints and unique indexes, with and without a condition. */
export function uniqueKeys(config: ReturnType<typeof getTableConfig>): readonly {
  readonly key: string;
  readonly columns: readonly { readonly name?: string }[];
}[] {
  return [
    ...config.columns
      .filter((column) => column.primary || column.isUnique)
      .map((column) => ({
        key: column.primary
          ? `${config.name}_pkey`
          : (column.uniqueName ?? `${config.name}_${column.name}_unique`),
        columns: [column],
      })),
    ...config.primaryKeys.map((key) => ({ key: key.getName(), columns: key.columns })),
    ...config.uniqueConstraints.map((key) => ({
      key: key.getName() ?? "",
      columns: key.columns,
    })),
    ...config.indexes
      .filter(({ config: index }) => index.unique)
      .map(({ config: index }) => ({
        key: index.name ?? "",
        columns: index.columns as readonly { readonly name?: string }[],
      })),
  ];
}

/**
 * A foreign key may hold the table under another object: compared by name. Not by getTableConfig, which makes every policy of both tables
 * again for each pair of them.
 */
function isSame(table: PgTable, other: PgTable): boolean {
  if (table === other) return true;
  const [one, two] = [targetOf({ table }), targetOf({ table: other })];
  return one.name === two.name && one.schema === two.schema;
}
