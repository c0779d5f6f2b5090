import type { Scheme } from "../definition/scheme.ts";
import { toExecutor, type DatabaseLike } from "../executor/connect.ts";
import { readTreeWith, type Partition } from "./read-tree.ts";

/** What a partition takes on disk, without its maps of free space and visibility; of an inner one the sum of what is below it. */
export interface PartitionBytes {
  readonly table: number;
  readonly indexes: number;
  /** Long values, with their index. */
  readonly toast: number;
  readonly total: number;
}

/**
 * What the server's statistics say about writing; of an inner partition the sum of what is below it.
 *
 * PostgreSQL keeps no time of a last write. It counts, and forgets its counts in a crash: zeros say that nothing was counted.
 */
export interface PartitionWrites {
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
  /** Rows that are dead and wait for VACUUM. */
  readonly dead: number;
  /** Rows changed since the last ANALYZE. */
  readonly sinceAnalyze: number;
  /** When it was last analysed, by hand or by autovacuum, in ISO form; of an inner one the latest. Null where it never was. */
  readonly lastAnalyzed: string | null;
  /**
   * After this moment something was written: it was analysed then, and changes were counted since. Of an inner one the latest. Null says nothing.
   */
  readonly writtenAfter: string | null;
}

/** A member of a partition tree with what is known of it. */
export interface InspectedPartition extends Partition {
  /**
   * How many rows it is thought to hold: the larger of what ANALYZE and the server's counts say, 0 where the heap has no page, -1
   * where neither knows. Of an inner one the sum of those that are known.
   */
  readonly rows: number;
  readonly bytes: PartitionBytes;
  readonly writes: PartitionWrites;
  /** Indexes of its own, or of all below it. */
  readonly indexCount: number;
  /** By name, those that no query uses: a CONCURRENTLY failed, or a part is missing. Of itself alone. */
  readonly invalidIndexes: readonly string[];
  readonly isDefault: boolean;
  /** How many leaves are below it; 1 for a leaf. */
  readonly leaves: number;
  /** How many of them have no estimate of their rows. */
  readonly leavesWithoutEstimate: number;
}

/** A partition tree as it is. */
export interface PartitionInspection {
  readonly root: InspectedPartition;
  /** Every member but the root, level by level, in each by name. */
  readonly partitions: readonly InspectedPartition[];
  /** The server's clock at the reading, in ISO form, in UTC. */
  readonly now: string;
  /** Since when the server counts; null since ever. */
  readonly countedSince: string | null;
}

interface RawStats {
  readonly rows: number;
  readonly tableBytes: number;
  readonly indexBytes: number;
  readonly toastBytes: number;
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
  readonly dead: number;
  readonly sinceAnalyze: number;
  readonly lastAnalyzed: string | null;
  readonly indexCount: number;
  readonly invalidIndexes: readonly string[] | null;
}

type RawMember = Partition & RawStats;

/** How partitions are inspected. */
export interface InspectOptions {
  /**
   * Whose files are measured. Opening one table takes a new connection 0.1 ms and more, and each has an index and more beside it:
   * `"changed"` measures what the server counted changes of, and takes from the catalog what VACUUM and ANALYZE noted of all else,
   * which is right unless a crash took the counts away. `"all"` measures all.
   * @default "changed"
   */
  readonly measure?: "changed" | "all";
}

/**
 * The partitions of a scheme's table with their sizes, estimated rows, writes and broken indexes, as one statement.
 *
 * It reads the catalog, the statistics and the lengths of files, and no row. What is measured is locked (ACCESS SHARE) for that moment
 * only, so that thousands of partitions fit a lock table of default size; behind an ACCESS EXCLUSIVE lock it waits for a
 * short time and throws `blocked`. Rows that a detach is about to take away are counted still.
 *
 * @example
 * import { apply, planInstall } from "underpin";
 * import { inspectPartitions } from "underpin/partitioning";
 * import { definition, schemes } from "underpin/schema/reporting";
 *
 * await apply(db, planInstall(definition));
 * const { root, partitions } = await inspectPartitions(db, schemes.auditLogs);
 * for (const { name, rows, bytes } of partitions) console.log(name, rows, bytes.total);
 * root.rows; // 0
 */
export async function inspectPartitions(
  db: DatabaseLike,
  scheme: Scheme,
  { measure = "changed" }: InspectOptions = {},
): Promise<PartitionInspection> {
  const tree = await readTreeWith<RawStats, { since: readonly { readonly at: string | null }[] }>(
    toExecutor(db),
    scheme,
    { columns: COLUMNS, joins: joins(measure === "all"), beside: { since: SINCE } },
  );
  const sums = summed([tree.root, ...tree.partitions]);
  const inspected = (member: RawMember): InspectedPartition => {
    const { oid, schema, name, parent, level, bound, isLeaf, detachPending } = member;
    return {
      ...{ schema, name, oid, parent, level, bound, isLeaf, detachPending },
      ...(sums.get(oid) ?? ownSum(member)),
      invalidIndexes: member.invalidIndexes ?? [],
      isDefault: bound?.strategy === "default",
    };
  };
  return {
    root: inspected(tree.root),
    partitions: tree.partitions.map(inspected),
    now: tree.now,
    countedSince: tree.beside.since[0]?.at ?? null,
  };
}

const ISO = (moment: string) => `pg_catalog.to_char(${moment}, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

// A partitioned table has no heap. The functions of the statistics are asked themselves: the view pg_stat_all_tables groups all indexes of the database first.
const COLUMNS = `,
    case when size.heap = 0 then 0
      else greatest(c.reltuples, nullif(pg_catalog.pg_stat_get_live_tuples(c.oid), 0)) end as rows,
    size.heap as "tableBytes", coalesce(own.bytes, 0) as "indexBytes", coalesce(long.bytes, 0) as "toastBytes",
    pg_catalog.pg_stat_get_tuples_inserted(c.oid) as inserted,
    pg_catalog.pg_stat_get_tuples_updated(c.oid) as updated,
    pg_catalog.pg_stat_get_tuples_deleted(c.oid) as deleted,
    pg_catalog.pg_stat_get_dead_tuples(c.oid) as dead,
    pg_catalog.pg_stat_get_mod_since_analyze(c.oid) as "sinceAnalyze",
    ${ISO("greatest(pg_catalog.pg_stat_get_last_analyze_time(c.oid), pg_catalog.pg_stat_get_last_autoanalyze_time(c.oid))")} as "lastAnalyzed",
    coalesce(own.count, 0) as "indexCount", own.invalid as "invalidIndexes"`;

const PAGE = "pg_catalog.current_setting('block_size')::int8";

/** The bytes of a relation: measured, or what VACUUM and ANALYZE noted, where the condition does not hold. */
const bytesOf = (relation: string, measured: string) =>
  `case when ${measured} then coalesce(pg_catalog.pg_relation_size(${relation}.oid), 0) else ${relation}.relpages * ${PAGE} end`;

function joins(all: boolean): string {
  const changed = (oid: string) =>
    all ? "true" : `pg_catalog.pg_stat_get_mod_since_analyze(${oid}) > 0`;
  // Nobody analyses long values: only VACUUM notes their pages.
  const longer = all ? "true" : "pg_catalog.pg_stat_get_ins_since_vacuum(lt.oid) > 0";
  return `left join (
    select x.indrelid, pg_catalog.count(*) as count, pg_catalog.sum(${bytesOf("i", changed("x.indrelid"))}) as bytes,
      pg_catalog.array_agg(i.relname order by i.relname) filter (where not (x.indisvalid and x.indisready)) as invalid
    from tree as m join pg_catalog.pg_index as x on x.indrelid = m.oid
    join pg_catalog.pg_class as i on i.oid = x.indexrelid
    group by x.indrelid
  ) as own on own.indrelid = t.oid
  left join (
    select lt.oid, ${bytesOf("lt", longer)} + ${bytesOf("li", longer)} as bytes
    from tree as m join pg_catalog.pg_class as lc on lc.oid = m.oid
    join pg_catalog.pg_class as lt on lt.oid = lc.reltoastrelid
    join pg_catalog.pg_index as lx on lx.indrelid = lt.oid join pg_catalog.pg_class as li on li.oid = lx.indexrelid
  ) as long on long.oid = c.reltoastrelid
  cross join lateral (
    select case when c.relkind = 'p' then 0 else ${bytesOf("c", changed("c.oid"))} end as heap
  ) as size`;
}

const SINCE = `select ${ISO("pg_catalog.pg_stat_get_db_stat_reset_time(d.oid)")} as at
  from pg_catalog.pg_database as d where d.datname = pg_catalog.current_database()`;

type Sum = Pick<
  InspectedPartition,
  "rows" | "bytes" | "writes" | "indexCount" | "leaves" | "leavesWithoutEstimate"
>;

/** What each member and all below it come to. */
function summed(members: readonly RawMember[]): ReadonlyMap<number, Sum> {
  const sums = new Map(members.map((member) => [member.oid, ownSum(member)]));
  // The deepest first: when a member is added to its parent, it has all of its own.
  for (const { oid, parent } of [...members].sort((a, b) => b.level - a.level)) {
    const own = sums.get(oid);
    const above = parent === null ? undefined : sums.get(parent);
    if (parent !== null && own !== undefined && above !== undefined)
      sums.set(parent, added(above, own));
  }
  return sums;
}

function ownSum(member: RawMember): Sum {
  const { tableBytes, indexBytes, toastBytes, lastAnalyzed, sinceAnalyze } = member;
  const { inserted, updated, deleted, dead, rows, isLeaf } = member;
  return {
    rows,
    bytes: {
      table: tableBytes,
      indexes: indexBytes,
      toast: toastBytes,
      total: tableBytes + indexBytes + toastBytes,
    },
    writes: {
      ...{ inserted, updated, deleted, dead, sinceAnalyze, lastAnalyzed },
      writtenAfter: sinceAnalyze > 0 ? lastAnalyzed : null,
    },
    indexCount: isLeaf ? member.indexCount : 0,
    leaves: isLeaf ? 1 : 0,
    leavesWithoutEstimate: isLeaf && rows === -1 ? 1 : 0,
  };
}

function added(above: Sum, below: Sum): Sum {
  const latest = (a: string | null, b: string | null) =>
    a === null || (b !== null && b > a) ? b : a;
  const leaves = above.leaves + below.leaves;
  const leavesWithoutEstimate = above.leavesWithoutEstimate + below.leavesWithoutEstimate;
  return {
    rows:
      leaves > 0 && leaves === leavesWithoutEstimate
        ? -1
        : Math.max(above.rows, 0) + Math.max(below.rows, 0),
    bytes: {
      table: above.bytes.table + below.bytes.table,
      indexes: above.bytes.indexes + below.bytes.indexes,
      toast: above.bytes.toast + below.bytes.toast,
      total: above.bytes.total + below.bytes.total,
    },
    writes: {
      inserted: above.writes.inserted + below.writes.inserted,
      updated: above.writes.updated + below.writes.updated,
      deleted: above.writes.deleted + below.writes.deleted,
      dead: above.writes.dead + below.writes.dead,
      sinceAnalyze: above.writes.sinceAnalyze + below.writes.sinceAnalyze,
      lastAnalyzed: latest(above.writes.lastAnalyzed, below.writes.lastAnalyzed),
      writtenAfter: latest(above.writes.writtenAfter, below.writes.writtenAfter),
    },
    indexCount: above.indexCount + below.indexCount,
    leaves,
    leavesWithoutEstimate,
  };
}
