import { getTableConfig, type PgColumn, type PgTable } from "drizzle-orm/pg-core";
import type { DefinitionFault } from "./fault.ts";
import type { Dimension, Scheme } from "./scheme.ts";

/**
 * What is wrong with how a table is partitioned.
 *
 * A primary key or unique constraint of a partitioned table must hold every partition column of every level (0A000): each partition
 * has an index of its own, and none that spans them.
 */
export function schemeFaults(
  scheme: Scheme,
  tables: readonly PgTable[],
): readonly DefinitionFault[] {
  const config = getTableConfig(scheme.table);
  const table = `${config.schema ?? "public"}.${config.name}`;
  const keyColumns = scheme.dimensions.map(({ column }) => column);
  const faults: DefinitionFault[] = [];
  if (!tables.includes(scheme.table))
    faults.push({
      table,
      what: "is partitioned by a scheme and is not among the tables",
      fix: "Put the same table among `tables`.",
    });
  for (const name of keyColumns) {
    const column = config.columns.find((each) => each.name === name);
    if (column === undefined)
      faults.push({
        table,
        column: name,
        what: "is a dimension and no column of the table",
        fix: "Take a column of the table that is partitioned.",
      });
    else if (!column.notNull)
      faults.push({
        table,
        column: name,
        what: "is a dimension and may be NULL: such a row would have no partition",
        fix: "Add .notNull().",
      });
    else if (column.generated !== undefined)
      faults.push({
        table,
        column: name,
        what: "is a dimension and generated, which PostgreSQL refuses (42P17)",
        fix: "Partition by a plain column.",
      });
  }
  for (const dimension of scheme.dimensions)
    faults.push(...lengthFaults(table, dimension, scheme.overrides));
  for (const { what, columns } of keysOf(config))
    for (const missing of keyColumns.filter((name) => !columns.some((c) => c.name === name)))
      faults.push({
        table,
        column: missing,
        what: `is a dimension and missing in ${what}`,
        fix: `Add it: a key of a partitioned table holds ${keyColumns.join(", ")}.`,
      });
  return faults;
}

/** Lengths that cut nothing, and those of an override that are of another kind than the range's. */
function lengthFaults(
  table: string,
  dimension: Dimension,
  overrides: Scheme["overrides"] = [],
): readonly DefinitionFault[] {
  const { column } = dimension;
  const isLength = (every: unknown) =>
    typeof every === "string" ? every !== "" : Number.isSafeInteger(every) && Number(every) > 0;
  if (dimension.strategy === "list") return [];
  if (dimension.strategy === "hash")
    return Number.isSafeInteger(dimension.modulus) && dimension.modulus > 0
      ? []
      : [
          {
            table,
            column,
            what: `is cut into ${dimension.modulus} partitions`,
            fix: "Give a modulus that is a whole number above 0.",
          },
        ];
  return [dimension, ...overrides].flatMap(({ every }) =>
    isLength(every) && typeof every === typeof dimension.every
      ? []
      : [
          {
            table,
            column,
            what: `is cut every ${every}`,
            fix: "Give an interval for a time, and a whole number above 0 for a number; in overrides too.",
          },
        ],
  );
}

function keysOf(
  config: ReturnType<typeof getTableConfig>,
): readonly { readonly what: string; readonly columns: readonly { readonly name?: unknown }[] }[] {
  const inline = (column: PgColumn) => [{ name: column.name }];
  return [
    ...config.columns
      .filter(({ primary }) => primary)
      .map((column) => ({
        what: `the primary key (${column.name})`,
        columns: inline(column),
      })),
    ...config.columns
      .filter(({ isUnique }) => isUnique)
      .map((column) => ({
        what: `the unique constraint on ${column.name}`,
        columns: inline(column),
      })),
    ...config.primaryKeys.map((key) => ({
      what: `the primary key ${key.getName()}`,
      columns: key.columns,
    })),
    ...config.uniqueConstraints.map((key) => ({
      what: `the unique constraint ${key.getName() ?? ""}`,
      columns: key.columns,
    })),
    ...config.indexes
      .filter(({ config: index }) => index.unique)
      .map(({ config: index }) => ({
        what: `the unique index ${index.name ?? ""}`,
        columns: index.columns as readonly { readonly name?: unknown }[],
      })),
  ];
}
