import { sql } from "drizzle-orm";
import type { Reader } from "./reader.ts";

/** How an index is used. */
export interface IndexUsage {
  readonly table: string;
  readonly index: string;
  readonly scans: number;
  readonly sizeBytes: number;
  /** Whether it enforces a key: such an index is needed, used or not. */
  readonly isKey: boolean;
}

/**
 * How often each index of a schema was used, its partitions' together, least first.
 *
 * Of an index on a partitioned table PostgreSQL counts each partition's alone, and nothing for the whole (15 and 18); and a replica counts its own
 * scans: an index that is idle here may serve reads there.
 */
export async function indexUsageOf(db: Reader, schema: string): Promise<readonly IndexUsage[]> {
  const usage = sql`(
    with recursive root as (
      select i.indexrelid as leaf, i.indexrelid as top
      from pg_catalog.pg_index i
      where not exists (select from pg_catalog.pg_inherits h where h.inhrelid = i.indexrelid)
      union all
      select h.inhrelid, r.top from root r join pg_catalog.pg_inherits h on h.inhparent = r.leaf
    )
    select t.relname::text as "table", x.relname::text as "index",
      coalesce(sum(s.idx_scan), 0)::float8 as scans,
      sum(pg_catalog.pg_relation_size(r.leaf))::float8 as size_bytes,
      bool_or(i.indisunique) as is_key
    from root r
    join pg_catalog.pg_index i on i.indexrelid = r.top
    join pg_catalog.pg_class x on x.oid = r.top
    join pg_catalog.pg_class t on t.oid = i.indrelid
    join pg_catalog.pg_namespace n on n.oid = t.relnamespace and n.nspname = ${schema}
    left join pg_catalog.pg_stat_user_indexes s on s.indexrelid = r.leaf
    group by t.relname, x.relname
  ) as usage`;
  return db
    .select({
      table: sql<string>`"table"`,
      index: sql<string>`"index"`,
      scans: sql<number>`scans`,
      sizeBytes: sql<number>`size_bytes`,
      isKey: sql<boolean>`is_key`,
    })
    .from(usage)
    .orderBy(sql`scans, "table", "index"`);
}
