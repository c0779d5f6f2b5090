import { ident, literal, qualified } from "../../sql/quote.ts";
import { catchUpSql } from "../flat/twin-log.ts";
import { CELL_VARIABLES, cellColumns, cellList, provisionCellsSql } from "./cells.ts";
import type { Conversion } from "./conversion.ts";

/**
 * Copies a batch. A row in the log is left to the catch-up: it changed since its partition could have been made.
 *
 * The rows need no lock: what a writer changes after they were read is in the log by the time that it is seen.
 */
export function copyBatchSql({ schema, names, writable, key }: Conversion): string {
  const list = writable.map(ident).join(", ");
  const logged = key.map(({ name }) => `l.${ident(name)} = b.${ident(name)}`).join(" AND ");
  return `INSERT INTO ${qualified(schema, names.beside)} (${list}) OVERRIDING SYSTEM VALUE
SELECT ${writable.map((column) => `b.${ident(column)}`).join(", ")} FROM batch AS b
WHERE NOT EXISTS (SELECT FROM ${qualified(schema, names.log)} AS l WHERE ${logged}) ON CONFLICT DO NOTHING`;
}

/** Works off the log towards the partitioned table, and makes the partitions that are missing. */
export function toPartsSql(conversion: Conversion, commits: boolean): string {
  const { schema, table, names, key, aside } = conversion;
  const on = key.map(({ name }) => `k.${ident(name)} = b.${ident(name)}`).join(" AND ");
  const columns = cellColumns(aside);
  const cells = `SELECT DISTINCT ${cellList(columns)} FROM pg_catalog.unnest(v_keys) AS k JOIN ${qualified(schema, table.name)} AS b ON ${on}`;
  return catchUpSql(conversion, {
    from: table.name,
    to: names.beside,
    partitioned: "to",
    commits,
    // Partitions by hash are all there from the beginning.
    ...(columns.length === 0
      ? {}
      : {
          missing: {
            variables: CELL_VARIABLES,
            make: provisionCellsSql(aside, cells, { commits: false, until: "same" }),
          },
        }),
  });
}

/** The places in which the two tables differ, but for the keys in the log, in one snapshot: counts and sums of hashes. */
export function differenceSql({ schema, table, names, key, writable, aside }: Conversion): string {
  const log = qualified(schema, names.log);
  const list = writable.map((column) => `b.${ident(column)}`).join(", ");
  const logged = key.map(({ name }) => `l.${ident(name)} = b.${ident(name)}`).join(" AND ");
  const columns = cellColumns(aside);
  // Of hashes alone the whole table is one place.
  const places = columns.length === 0 ? "place" : columns.map(({ name }) => ident(name)).join(", ");
  const side = (relation: string) =>
    `SELECT ${columns.length === 0 ? "1 AS place" : cellList(columns)}, pg_catalog.count(*) AS rows,
  pg_catalog.sum(pg_catalog.hashtextextended(ROW(${list})::text, 0)::numeric) AS hash
  FROM ${relation} AS b WHERE NOT EXISTS (SELECT FROM ${log} AS l WHERE ${logged})
  GROUP BY ${columns.length === 0 ? "1" : columns.map((_, at) => at + 1).join(", ")}`;
  return `SELECT ${places}, seen.rows AS seen, copied.rows AS copied
FROM (${side(qualified(schema, table.name))}) AS seen
FULL JOIN (${side(qualified(schema, names.beside))}) AS copied USING (${places})
WHERE (seen.rows, seen.hash) IS DISTINCT FROM (copied.rows, copied.hash)
  AND NOT EXISTS (SELECT FROM ${log} AS l WHERE l.${ident(key[0]?.name ?? "")} IS NULL)`;
}

/** Reads the statistics of the partitioned table before anybody queries it; leaf by leaf where they are many. */
export function analyzeSql({ schema, names }: Conversion, leaves: string): string {
  return `DO ${literal(`
DECLARE
  v_leaf regclass;
  v_leaves regclass[];
BEGIN
  SELECT pg_catalog.array_agg(m.member) INTO v_leaves FROM (${leaves}) AS m;
  IF pg_catalog.cardinality(v_leaves) <= 500 THEN
    ANALYZE ${qualified(schema, names.beside)};
  ELSE
    FOREACH v_leaf IN ARRAY coalesce(v_leaves, '{}') LOOP
      EXECUTE pg_catalog.format('ANALYZE %s', v_leaf);
      COMMIT;
    END LOOP;
  END IF;
END`)}`;
}
