import type { RangeDimension, Scheme } from "../../definition/scheme.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";
import { listValues } from "../dimension-values.ts";
import { namesOf } from "../provision-names.ts";
import { scaleOf, wordsOf } from "../range-scale.ts";
import { argumentOf, firstRange, typeOf, windowOf } from "../scheme-columns.ts";

/** Where partitions are wanted: each list dimension's value, and where the interval of each range begins, of rows with the alias `b`. */
export interface CellColumn {
  /** The argument of the provision function. */
  readonly name: string;
  readonly type: string;
  readonly sql: string;
}

/** The columns that tell of a row to which partition it belongs; of hashes alone there are none. */
export function cellColumns(scheme: Scheme): readonly CellColumn[] {
  return [
    ...scheme.dimensions.flatMap((dimension) =>
      dimension.strategy === "list"
        ? [
            {
              name: argumentOf(dimension.column),
              type: typeOf(scheme, dimension),
              sql: `b.${ident(dimension.column)}`,
            },
          ]
        : [],
    ),
    ...innermostRanges(scheme).map((range) => ({
      name: windowOf(scheme, range).from,
      type: scaleOf(scheme, range).type,
      sql: floorSql(scheme, range),
    })),
  ];
}

/** The select list of {@link cellColumns}. */
export function cellList(columns: readonly CellColumn[]): string {
  return columns.map(({ name, sql }) => `${sql} AS ${ident(name)}`).join(", ");
}

/** Of ranges of one column the innermost says where a leaf begins. */
function innermostRanges({ dimensions }: Scheme): readonly RangeDimension[] {
  const ranges = dimensions.filter((dimension) => dimension.strategy === "range");
  return ranges.filter(
    (range, at) => !ranges.slice(at + 1).some(({ column }) => column === range.column),
  );
}

function floorSql(scheme: Scheme, range: RangeDimension): string {
  const { floor } = scaleOf(scheme, range);
  const place = placeSql(scheme, range);
  const at = (every: RangeDimension["every"]) => {
    const { unit, length } = wordsOf(every);
    return floor(place, literal(unit).trim(), literal(length).trim() + lengthCast(range));
  };
  const isFirst = firstRange(scheme) === range;
  const overrides = isFirst ? (scheme.overrides ?? []) : [];
  if (overrides.length === 0) return at(range.every);
  const branches = overrides.map(({ values, every }) => {
    const conditions = scheme.dimensions.flatMap((dimension) => {
      const value = values[dimension.column];
      return dimension.strategy !== "list" || value === undefined
        ? []
        : [`b.${ident(dimension.column)} = ${literal(value).trim()}::${typeOf(scheme, dimension)}`];
    });
    return `WHEN ${conditions.length === 0 ? "true" : conditions.join(" AND ")} THEN ${at(every)}`;
  });
  return `CASE ${branches.join(" ")} ELSE ${at(range.every)} END`;
}

function lengthCast({ every }: RangeDimension): string {
  return typeof every === "number" ? "::numeric" : "";
}

/** A value of a range's column, as a place on its scale. */
function placeSql(scheme: Scheme, range: RangeDimension): string {
  const value = `b.${ident(range.column)}`;
  if (typeof range.every === "number") return `${value}::numeric`;
  if (range.time === "uuidv7")
    return `('1970-01-01 00:00:00+00'::timestamptz + ('x' || pg_catalog.lpad(pg_catalog.left(pg_catalog.replace(${value}::text, '-', ''), 12), 16, '0'))::bit(64)::bigint * interval '1 millisecond')`;
  return typeOf(scheme, range).startsWith("timestamp with time zone")
    ? value
    : `(${value}::timestamp AT TIME ZONE ${literal(scheme.timeZone).trim()})`;
}

/** The variable that {@link provisionCellsSql} goes through cells with. */
export const CELL_VARIABLES = "  v_cell record;\n  v_part integer;\n";

/**
 * Makes the partitions of cells, as PL/pgSQL: `cells` is a query of them, with `until` for each window. It adds what it made to
 * `v_made`, and with `commits` keeps each call's in a transaction of its own: at most twenty leaves.
 */
export function provisionCellsSql(
  scheme: Scheme,
  cells: string,
  { commits, until }: { readonly commits: boolean; readonly until: "same" | "column" },
): string {
  const { schema, provision } = namesOf(scheme);
  const lists = scheme.dimensions.flatMap((dimension) =>
    dimension.strategy === "list" ? [argumentOf(dimension.column)] : [],
  );
  const windows = innermostRanges(scheme).map((range) => windowOf(scheme, range));
  const given = [
    ...lists.map((name) => `${ident(name)} => v_cell.${ident(name)}`),
    ...windows.flatMap((window) => [
      `${ident(window.from)} => v_cell.${ident(window.from)}`,
      `${ident(window.until)} => v_cell.${ident(until === "same" ? window.from : window.until)}`,
    ]),
  ];
  return `      FOR v_cell IN ${cells} LOOP
        LOOP
          v_part := ${qualified(schema, provision)}(${given.join(", ")});
          v_made := v_made + v_part;
${commits ? "          COMMIT;\n" : ""}          EXIT WHEN v_part = 0;
        END LOOP;
      END LOOP;
`;
}

/**
 * The cells of a whole table, and for each set of values those of the intervals to come: from the present one, or of numbers from the
 * highest. `values` have no row yet.
 */
export function allCellsSql(scheme: Scheme, from: string, values: readonly object[]): string {
  const columns = cellColumns(scheme);
  const lists = scheme.dimensions.flatMap((dimension) =>
    dimension.strategy === "list"
      ? [{ name: argumentOf(dimension.column), dimension, type: typeOf(scheme, dimension) }]
      : [],
  );
  const ranges = innermostRanges(scheme).map((range) => ({
    ...windowOf(scheme, range),
    type: scaleOf(scheme, range).type,
    isTime: typeof range.every === "string",
  }));
  const own = lists.map(({ name }) => `c.${ident(name)}`);
  const ahead = ranges.flatMap(({ from: begins, until, type, isTime }) => [
    `${isTime ? "pg_catalog.now()" : `coalesce(pg_catalog.max(c.${ident(begins)}), 0)`} AS ${ident(begins)}`,
    `NULL::${type} AS ${ident(until)}`,
  ]);
  const there = [
    ...own,
    ...ranges.flatMap(({ from: begins, until }) => [
      `c.${ident(begins)}`,
      `c.${ident(begins)} AS ${ident(until)}`,
    ]),
  ];
  const added = values.map((each) => {
    const of = listValues(scheme, each);
    return [
      ...lists.map(
        ({ dimension, type }) => `${literal(of[dimension.column] ?? "").trim()}::${type}`,
      ),
      ...ranges.flatMap(({ type, isTime }) => [
        isTime ? "pg_catalog.now()" : "0::numeric",
        `NULL::${type}`,
      ]),
    ];
  });
  if (columns.length === 0) return "SELECT";
  const grouped = own.length === 0 ? "" : ` GROUP BY ${own.join(", ")}`;
  return [
    `WITH cells AS MATERIALIZED (SELECT DISTINCT ${cellList(columns)} FROM ${from})
SELECT ${there.join(", ")} FROM cells AS c`,
    ...(ranges.length === 0
      ? []
      : [`SELECT ${[...own, ...ahead].join(", ")} FROM cells AS c${grouped}`]),
    ...added.map((row) => `SELECT ${row.join(", ")}`),
  ].join("\nUNION ALL ");
}
