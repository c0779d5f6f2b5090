import { sql } from "drizzle-orm";
import { bigint, boolean, integer, text, timestamp, type PgSchema } from "drizzle-orm/pg-core";
import { partitionsSql, type Management } from "./management.ts";

/** `v_partition_stats`: every partition with its bounds, its size and what is known of its rows. */
export function partitionStatsView<M extends string>(space: PgSchema<M>, management: Management) {
  return space
    .view("v_partition_stats", {
      tableName: text("table_name"),
      partitionName: text("partition_name"),
      level: integer("level"),
      isLeaf: boolean("is_leaf"),
      bounds: text("bounds"),
      rowEstimate: bigint("row_estimate", { mode: "number" }),
      deadRows: bigint("dead_rows", { mode: "number" }),
      sizeBytes: bigint("size_bytes", { mode: "number" }),
      tableBytes: bigint("table_bytes", { mode: "number" }),
      lastAnalyzed: timestamp("last_analyzed", { withTimezone: true }),
    })
    .with({ securityInvoker: true })
    .as(
      sql.raw(`SELECT t.name AS table_name, c.relname::text AS partition_name, t.level, t.is_leaf,
  pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS bounds,
  greatest(c.reltuples, 0)::bigint AS row_estimate,
  coalesce(s.n_dead_tup, 0) AS dead_rows,
  pg_catalog.pg_total_relation_size(c.oid) AS size_bytes,
  pg_catalog.pg_relation_size(c.oid) AS table_bytes,
  greatest(s.last_analyze, s.last_autoanalyze) AS last_analyzed
FROM ${partitionsSql(management)} AS t
JOIN pg_catalog.pg_class AS c ON c.oid = t.relid
LEFT JOIN pg_catalog.pg_stat_all_tables AS s ON s.relid = c.oid`),
    );
}
