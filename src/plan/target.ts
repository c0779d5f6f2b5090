import { UnderpinError } from "../errors.ts";
import type { RelationName } from "./step.ts";

/** A Drizzle table, as far as a recipe looks at it: its name and schema lie behind symbols of the global registry. */
export type DrizzleTable = { readonly _: { readonly name: string } };

/** A Drizzle column, as far as a recipe looks at it. */
export type DrizzleColumn = { readonly name: string };

/** Which table a recipe is about: a Drizzle table, or a name and its schema. */
export interface TableTarget {
  /** Of a table that is given by name. A Drizzle table knows its own. @default "public" */
  readonly schema?: string;
  readonly table: string | DrizzleTable;
}

const DRIZZLE_NAME = Symbol.for("drizzle:Name");
const DRIZZLE_SCHEMA = Symbol.for("drizzle:Schema");

/** The name and schema of a target. */
export function targetOf({ schema, table }: TableTarget): RelationName {
  if (typeof table === "string") return { schema: schema ?? "public", name: table };
  const { [DRIZZLE_NAME]: name, [DRIZZLE_SCHEMA]: own } = table as {
    [DRIZZLE_NAME]?: unknown;
    [DRIZZLE_SCHEMA]?: unknown;
  };
  if (typeof name !== "string")
    throw new UnderpinError({
      code: "invalidInput",
      message: "the table is neither a name nor a Drizzle table",
      hint: 'Write { table: users } with a pgTable, or { schema: "app", table: "users" }.',
    });
  return { schema: schema ?? (typeof own === "string" ? own : "public"), name };
}

/** The name of a column that is given by name or as a Drizzle column. */
export function columnName(column: string | DrizzleColumn): string {
  return typeof column === "string" ? column : column.name;
}
