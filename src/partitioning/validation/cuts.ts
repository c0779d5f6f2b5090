import type { Scheme } from "../../definition/scheme.ts";
import type { Queryable } from "../../executor/executor.ts";
import { literal } from "../../sql/quote.ts";
import { wordsOf } from "../range-scale.ts";
import { typeOf } from "../scheme-columns.ts";
import type { RangeNode } from "./range-node.ts";

/** The partitions whose bounds are not one interval of their scheme, by oid. */
export async function readCuts(
  db: Queryable,
  scheme: Scheme,
  nodes: readonly RangeNode[],
): Promise<ReadonlySet<number>> {
  const otherwise = new Set<number>();
  const given = nodes.flatMap(({ dimension, every, spans }) =>
    spans.flatMap(({ partition: { oid }, lower, upper }) => {
      if (!Number.isFinite(lower) || !Number.isFinite(upper)) otherwise.add(oid);
      else if (typeof every === "number") {
        if (lower % every !== 0 || upper - lower !== every) otherwise.add(oid);
      } else {
        const type = typeOf(scheme, dimension);
        const zone =
          type.startsWith("timestamp with time zone") || type === "uuid" ? scheme.timeZone : "UTC";
        return [{ oid, lower, upper, every, unit: wordsOf(every).unit, zone }];
      }
      return [];
    }),
  );
  if (given.length === 0) return otherwise;
  const rows = await db.query<{ oid: number }>(
    `SELECT g.oid::float8 AS oid
     FROM pg_catalog.json_to_recordset(${literal(JSON.stringify(given))}) AS g(oid int8, lower int8, upper int8, every text, unit text, zone text)
     CROSS JOIN LATERAL (SELECT pg_catalog.to_timestamp(g.lower / 1000.0) AT TIME ZONE g.zone AS from,
       pg_catalog.to_timestamp(g.upper / 1000.0) AT TIME ZONE g.zone AS until) AS l
     WHERE pg_catalog.date_trunc(g.unit, l.from) <> l.from OR l.from + g.every::interval <> l.until`,
  );
  for (const { oid } of rows) otherwise.add(oid);
  return otherwise;
}
