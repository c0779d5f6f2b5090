import { and, isNotNull, isNull, or, sql, type SQL } from "drizzle-orm";
import type { PgColumn } from "drizzle-orm/pg-core";
import type { ValueKind } from "./value.ts";

/** One column of an order. */
export interface OrderedColumn {
  /** What it is called in a row. */
  readonly property: string;
  readonly column: PgColumn;
  readonly isDescending: boolean;
  readonly nullsFirst: boolean;
  readonly kind: ValueKind;
}

/** For ORDER BY. NULLS is written where a NULL may be, and where it is not what PostgreSQL does by itself. */
export function orderOf({ column, isDescending, nullsFirst }: OrderedColumn): SQL {
  const way = isDescending ? sql`${column} desc` : sql`${column} asc`;
  if (nullsFirst === isDescending) return way;
  return nullsFirst ? sql`${way} nulls first` : sql`${way} nulls last`;
}

/**
 * The rows after a position.
 *
 * Columns that are NOT NULL and of one direction become one row comparison, which a btree index takes as where to begin. Whatever
 * else is written out column by column, after a bound on the leading columns that the index can take.
 */
export function afterCondition(
  ordered: readonly OrderedColumn[],
  position: readonly unknown[],
): SQL | undefined {
  const lead = leadingRun(ordered);
  if (lead === ordered.length) return compare(ordered, position, lead, "strict");
  const bound =
    lead > 0 ? compare(ordered, position, lead, "orEqual") : boundOfFirst(ordered, position);
  return and(bound, columnByColumn(ordered, position));
}

/** How many columns from the first on are NOT NULL and of one direction. */
function leadingRun(ordered: readonly OrderedColumn[]): number {
  const [first] = ordered;
  const end = ordered.findIndex(
    ({ column, isDescending }) => !column.notNull || isDescending !== first?.isDescending,
  );
  return end === -1 ? ordered.length : end;
}

function compare(
  ordered: readonly OrderedColumn[],
  position: readonly unknown[],
  length: number,
  how: "strict" | "orEqual",
): SQL {
  const run = ordered.slice(0, length);
  const isDescending = run[0]?.isDescending === true;
  const operator = sql.raw((isDescending ? "<" : ">") + (how === "strict" ? "" : "="));
  const columns = sql.join(
    run.map(({ column }) => sql`${column}`),
    sql`, `,
  );
  const values = sql.join(
    run.map(({ column }, at) => sql`${sql.param(position[at], column)}`),
    sql`, `,
  );
  return length === 1
    ? sql`${columns} ${operator} ${values}`
    : sql`(${columns}) ${operator} (${values})`;
}

/** What an index can take of a first column that may be NULL; nothing where the rows to come are on both sides of its NULLs. */
function boundOfFirst(
  ordered: readonly OrderedColumn[],
  position: readonly unknown[],
): SQL | undefined {
  const [first] = ordered;
  if (first === undefined) return undefined;
  if (position[0] === null) return first.nullsFirst ? undefined : isNull(first.column);
  return first.nullsFirst ? compare(ordered, position, 1, "orEqual") : undefined;
}

/** `a > $1 or (a = $1 and (b < $2 or …))`. */
function columnByColumn(
  ordered: readonly OrderedColumn[],
  position: readonly unknown[],
): SQL | undefined {
  const [first, ...rest] = ordered;
  if (first === undefined) return undefined;
  const [value, ...values] = position;
  const later = laterThan(first, value);
  if (rest.length === 0) return later ?? sql`false`;
  const { column } = first;
  const same = value === null ? isNull(column) : sql`${column} = ${sql.param(value, column)}`;
  return or(later, and(same, columnByColumn(rest, values)));
}

/** The rows that come later by this column alone; undefined where there are none. */
function laterThan(ordered: OrderedColumn, value: unknown): SQL | undefined {
  const { column, nullsFirst } = ordered;
  if (value === null) return nullsFirst ? isNotNull(column) : undefined;
  const later = compare([ordered], [value], 1, "strict");
  return column.notNull || nullsFirst ? later : or(later, isNull(column));
}
