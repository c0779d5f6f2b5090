import { and, eq, is, type SQL } from "drizzle-orm";
import { PgColumn } from "drizzle-orm/pg-core";
import { UnderpinError } from "../errors.ts";
import { decodeCursor, encodeCursor, signatureOf } from "./keyset/cursor.ts";
import { afterCondition, orderOf, type OrderedColumn } from "./keyset/order.ts";
import { refuseTies } from "./keyset/unique.ts";
import { valueKind } from "./keyset/value.ts";

/** Which way a column is ordered. Without NULLS as PostgreSQL has it: last when ascending, first when descending. */
export type Direction = "asc" | "desc" | "asc nulls first" | "desc nulls last";

/** The properties of a table or view that are columns. */
type ColumnKey<T> = {
  [K in keyof T & string]: T[K] extends PgColumn ? K : never;
}[keyof T & string];

/** What Drizzle reads from a column. */
type DataOf<T> = T extends PgColumn
  ? T["_"]["notNull"] extends true
    ? T["_"]["data"]
    : T["_"]["data"] | null
  : never;

/** The row of a page, as far as its cursor looks at it. */
export type KeyedRow<T, K> = { readonly [P in K & keyof T]: DataOf<T[P]> };

/** Where a page begins, how long it is, and of which rows. */
export interface KeysetOptions<T> {
  /** The cursor of the last row of the page before; null or nothing for the first page. */
  readonly after?: string | null;
  /** @default 20 */
  readonly limit?: number;
  /** Columns that have one value on all pages: they belong in the condition, and lead the index. */
  readonly within?: { readonly [K in ColumnKey<T>]?: NonNullable<DataOf<T[K]>> };
  /**
   * Says that the ordered columns tell any two rows apart, where no key of the table does: for a view, or columns of several tables.
   */
  readonly isUnique?: true;
}

/** What a query needs for one page. */
export interface KeysetPage<T, K> {
  /** The rows after the cursor, within what is fixed; undefined where nothing is asked. */
  readonly where: SQL | undefined;
  readonly orderBy: SQL[];
  /** How many rows the page has at most. */
  readonly limit: number;
  /** How many to ask for: one more than the page has, to know whether another follows. */
  readonly fetch: number;
  /** The cursor of a row: the values of exactly the ordered columns, as text that fits into an address. */
  cursorOf(row: KeyedRow<T, K>): string;
  /** Of the rows that were fetched those of the page, and the cursor for the next one, null after the last. */
  pageOf<R extends KeyedRow<T, K>>(
    fetched: readonly R[],
  ): { readonly rows: readonly R[]; readonly next: string | null };
}

/**
 * Pages by the key of the last row that was seen, over the columns of any ordered index.
 *
 * A page costs the same wherever it is, and no row comes twice or never because others came or went; OFFSET reads all that it
 * skips. The ordered columns, with those of `within`, have to hold a key of the table, or rows that tie would be skipped; name them
 * in the order of the index. A condition goes into the index where the columns are NOT NULL and of one direction: `(a, b) < ($1, $2)`.
 *
 * A cursor is no secret and no permission: its values are checked for their type and bound as parameters, and it only says where to begin among the rows that
 * the query may read.
 *
 * @example
 * import { pgTable, timestamp, uuid } from "drizzle-orm/pg-core";
 * import { keyset } from "underpin/schema/reporting";
 *
 * const notes = pgTable("notes", {
 *   id: uuid("id").primaryKey(),
 *   writtenAt: timestamp("written_at", { precision: 3 }).notNull(),
 * });
 * const first = keyset(notes, { writtenAt: "desc", id: "desc" }, { limit: 50 });
 * // db.select().from(notes).where(first.where).orderBy(...first.orderBy).limit(first.fetch)
 * const { next } = first.pageOf([]);
 * next; // null
 */
export function keyset<
  T extends object,
  const O extends { readonly [K in ColumnKey<T>]?: Direction },
>(
  columns: T,
  order: O & { readonly [K in Exclude<keyof O, ColumnKey<T>>]: never },
  options: KeysetOptions<T> = {},
): KeysetPage<T, keyof O> {
  const { after = null, limit = 20, within = {}, isUnique = false } = options;
  if (!Number.isInteger(limit) || limit < 1)
    throw new UnderpinError({
      code: "invalidInput",
      message: `a page of ${String(limit)} rows is none`,
      hint: "Give `limit` a whole number from 1 up.",
    });
  const ordered = Object.entries<Direction | undefined>(order).flatMap(([property, direction]) =>
    direction === undefined ? [] : [orderedColumn(columns, property, direction)],
  );
  const fixed = Object.entries<unknown>(within).flatMap(([property, value]) =>
    value === undefined ? [] : [{ column: columnOf(columns, property), value }],
  );
  if (ordered.length === 0)
    throw new UnderpinError({
      code: "invalidInput",
      message: "a page needs at least one ordered column",
      hint: 'Name the columns of an index in its order: { createdAt: "desc", id: "desc" }.',
    });
  if (!isUnique)
    refuseTies(
      ordered,
      fixed.map(({ column }) => column),
    );
  const signature = signatureOf(ordered);
  const position = after === null ? undefined : decodeCursor(after, signature, ordered);
  const cursorOf = (row: KeyedRow<T, keyof O>): string => encodeCursor(row, signature, ordered);
  return {
    where: and(
      ...fixed.map(({ column, value }) => eq(column, value)),
      ...(position === undefined ? [] : [afterCondition(ordered, position)]),
    ),
    orderBy: ordered.map(orderOf),
    limit,
    fetch: limit + 1,
    cursorOf,
    pageOf: (fetched) => {
      const rows = fetched.slice(0, limit);
      const last = rows.at(-1);
      return {
        rows,
        next: last === undefined || fetched.length <= limit ? null : cursorOf(last),
      };
    },
  };
}

function orderedColumn(columns: object, property: string, direction: Direction): OrderedColumn {
  // Of an object with such a name JavaScript puts it first, wherever it was written.
  if (/^(?:0|[1-9]\d*)$/.test(property))
    throw new UnderpinError({
      code: "invalidInput",
      message: `the ordered column "${property}" has a number for a name, so that its place in the order is lost`,
      hint: 'Give it another name: keyset({ first: table.column }, { first: "asc" }).',
    });
  const column = columnOf(columns, property);
  const [way = "asc", ...nulls] = direction.split(" ");
  const isDescending = way === "desc";
  return {
    property,
    column,
    isDescending,
    nullsFirst: nulls.length === 0 ? isDescending : nulls[1] === "first",
    kind: valueKind(column),
  };
}

function columnOf(columns: object, property: string): PgColumn {
  const column: unknown = (columns as Readonly<Record<string, unknown>>)[property];
  if (is(column, PgColumn)) return column;
  throw new UnderpinError({
    code: "invalidInput",
    message: `"${property}" is no column of what is paged`,
    hint: `Its columns are ${Object.entries(columns)
      .flatMap(([name, value]) => (is(value, PgColumn) ? [name] : []))
      .join(", ")}.`,
  });
}
