import { getTableColumns } from "drizzle-orm";
import { getTableConfig, type PgTable } from "drizzle-orm/pg-core";
import type { Seed } from "./definition.ts";
import type { DefinitionFault } from "./fault.ts";

/** What is wrong with rows that are there from the beginning. */
export function seedFaults(
  { table, key, rows }: Seed,
  tables: readonly PgTable[],
): readonly DefinitionFault[] {
  const config = getTableConfig(table);
  const name = `${config.schema ?? "public"}.${config.name}`;
  const columns = getTableColumns(table);
  const faults: DefinitionFault[] = [];
  if (!tables.includes(table))
    faults.push({
      table: name,
      what: "has seed rows and is not among the tables",
      fix: "Seed only tables of the definition: the host's rows are the host's.",
    });
  const properties = new Set([...key, ...rows.flatMap((row) => Object.keys(row))]);
  for (const property of properties)
    if (columns[property] === undefined)
      faults.push({
        table: name,
        column: property,
        what: "is named by a seed and no property of the table",
        fix: `It has ${Object.keys(columns).join(", ")}.`,
      });
  const missing = rows.findIndex((row) => key.some((property) => row[property] === undefined));
  if (key.length === 0 || missing !== -1)
    faults.push({
      table: name,
      what:
        key.length === 0 ? "has a seed without key" : `has seed row ${missing + 1} without its key`,
      fix: "Name the properties of a unique key, and give each row a value for them: a second install finds its rows by it.",
    });
  return faults;
}
