import { getTableColumns, getTableName } from "drizzle-orm";
import {
  foreignKey,
  timestamp,
  type AnyPgColumn,
  type ForeignKeyBuilder,
  type PgSchema,
  type PgTable,
} from "drizzle-orm/pg-core";
import { UnderpinError } from "../../errors.ts";
import type { accessOf } from "./access.ts";
import type { enumsOf } from "./enums.ts";
import type { KeyKind, Keys } from "./keys.ts";

/** What all tables of the domain stand on. */
export interface Basis<K extends KeyKind, S extends string> {
  readonly keys: Keys<K>;
  readonly space: PgSchema<S>;
  readonly enums: ReturnType<typeof enumsOf>;
  readonly access: ReturnType<typeof accessOf>;
  readonly points: Points;
}

/** A foreign key to columns of another table, by their names in the database, in the same order. */
export type Points = (
  name: string,
  columns: readonly [AnyPgColumn, ...AnyPgColumn[]],
  target: string,
  targetColumns: readonly string[],
) => ForeignKeyBuilder;

/**
 * Foreign keys by the name of their target, which may be made later: Drizzle asks for it when all tables are there. So tables can
 * point to each other, and to both forms of a table alike.
 */
export function pointsTo(tables: () => readonly PgTable[]): Points {
  return (name, [first, ...rest], target, targetColumns) =>
    foreignKey({
      name,
      columns: [first, ...rest],
      foreignColumns: targetColumns.map((column) => columnOf(tables(), target, column)) as [
        AnyPgColumn,
        ...AnyPgColumn[],
      ],
    });
}

function columnOf(tables: readonly PgTable[], target: string, name: string): AnyPgColumn {
  const table = tables.find((each) => getTableName(each) === target);
  const column = Object.values(table === undefined ? {} : getTableColumns(table)).find(
    (each) => each.name === name,
  );
  if (column !== undefined) return column;
  throw new UnderpinError({
    code: "invalidInput",
    message: `a foreign key points to ${target}.${name}, which is not there`,
    hint: "Read the tables only after testCycles(…) has returned.",
  });
}

/** When a row was written. A trigger keeps `updated_at`. */
export function writtenAt() {
  return {
    createdAt: timestamp("created_at", { withTimezone: true }).notNull().defaultNow(),
    updatedAt: timestamp("updated_at", { withTimezone: true }).notNull().defaultNow(),
  };
}
