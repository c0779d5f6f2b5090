import { readJson } from "../catalog/read-json.ts";
import type { Scheme } from "../definition/scheme.ts";
import { UnderpinError } from "../errors.ts";
import type { Queryable } from "../executor/executor.ts";
import type { RelationName } from "../plan/step.ts";
import { literal, qualified } from "../sql/quote.ts";
import { parseBound, type Bound } from "./bound.ts";
import { namesOf } from "./provision-names.ts";

/** A member of a partition tree. */
export interface Partition extends RelationName {
  readonly oid: number;
  /** Null for the root. */
  readonly parent: number | null;
  /** 0 for the root. */
  readonly level: number;
  /** Null for the root, and where a detach is pending on 15 to 18 the bound that it had. */
  readonly bound: Bound | null;
  /** It holds rows itself: it is not partitioned further. */
  readonly isLeaf: boolean;
  /** A DETACH CONCURRENTLY began and did not end: its rows are in no query of the root. */
  readonly detachPending: boolean;
}

/** The partitions of one table as they are, by one statement. */
export interface PartitionTree {
  readonly root: Partition;
  /** Every member but the root, level by level. */
  readonly partitions: readonly Partition[];
  /** The server's clock at the reading, in ISO form, in UTC. */
  readonly now: string;
  /** `150020`. */
  readonly versionNum: number;
}

/** A tree of which more was read in the same statement. */
export interface PartitionTreeWith<Member, Beside> extends PartitionTree {
  readonly root: Partition & Member;
  readonly partitions: readonly (Partition & Member)[];
  /** The rows of each query that was read beside the tree. */
  readonly beside: Beside;
}

/** What is read besides. */
export interface MoreToRead {
  /** Columns of `c`, the member's `pg_class`, and of what {@link joins} adds. They begin with a comma. */
  readonly columns?: string;
  readonly joins?: string;
  /** Whole queries. `tree` (oid, parent, level, pending) is there for each of them. */
  readonly beside?: Readonly<Record<string, string>>;
}

/**
 * Reads the tree of a scheme's table from the catalog.
 *
 * It opens and locks none of the partitions: `pg_partition_tree` keeps ACCESS SHARE on all of them, which with some thousand of them
 * fills the lock table (15 and 18), and `pg_get_expr` opens what it is told of, which takes seconds on a new connection. A bound holds
 * no column, so that it is printed without.
 */
export async function readTree(db: Queryable, scheme: Scheme): Promise<PartitionTree> {
  return readTreeWith(db, scheme, {});
}

/** As {@link readTree}, with more columns of each member and more queries, in one statement: one snapshot. */
export async function readTreeWith<
  Member extends object = object,
  Beside extends Readonly<Record<string, readonly unknown[]>> = Readonly<
    Record<string, readonly unknown[]>
  >,
>(
  db: Queryable,
  scheme: Scheme,
  { columns = "", joins = "", beside = {} }: MoreToRead,
): Promise<PartitionTreeWith<Member, Beside>> {
  const { schema, table } = namesOf(scheme);
  const name = qualified(schema, table);
  const {
    tree = [],
    server = [],
    ...rest
  } = await readJson(
    db,
    { tree: treeSql(columns, joins), server: SERVER, ...beside },
    { schemas: [schema], once: treeCte(name) },
  );
  type Raw = Omit<Partition, "bound"> & { readonly bound: string | null } & Member;
  const [root, ...partitions] = (tree as readonly Raw[]).map((row): Partition & Member => ({
    ...row,
    bound: row.bound === null ? null : parseBound(row.bound),
  }));
  const [clock] = server as readonly { readonly now: string; readonly versionNum: number }[];
  if (root === undefined || clock === undefined) throw notPartitioned(name);
  return { root, partitions, ...clock, beside: rest as unknown as Beside };
}

function treeCte(name: string): string {
  return `tree (oid, parent, level, pending) as materialized (
    select c.oid, null::oid, 0, false from pg_catalog.pg_class as c
    where c.oid = pg_catalog.to_regclass(${literal(name)}) and c.relkind = 'p'
    union all
    select i.inhrelid, i.inhparent, t.level + 1, i.inhdetachpending
    from tree as t join pg_catalog.pg_inherits as i on i.inhparent = t.oid
  )`;
}

function treeSql(columns: string, joins: string): string {
  return `select t.oid::bigint as oid, t.parent::bigint as parent, t.level, n.nspname as schema, c.relname as name,
    case when t.level > 0 then pg_catalog.pg_get_expr(c.relpartbound, 0) end as bound,
    c.relkind <> 'p' as "isLeaf", t.pending as "detachPending" ${columns}
  from tree as t
  join pg_catalog.pg_class as c on c.oid = t.oid
  join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
  ${joins}
  order by t.level, n.nspname, c.relname`;
}

const SERVER = `select pg_catalog.to_char(pg_catalog.now(), 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as now,
  pg_catalog.current_setting('server_version_num')::int as "versionNum"`;

/** The partitions of one member, in the order of the tree. */
export function childrenOf(tree: PartitionTree): ReadonlyMap<number, readonly Partition[]> {
  const children = new Map<number, Partition[]>();
  for (const partition of tree.partitions) {
    if (partition.parent === null) continue;
    const siblings = children.get(partition.parent);
    if (siblings === undefined) children.set(partition.parent, [partition]);
    else siblings.push(partition);
  }
  return children;
}

/** A partition with those above it, outermost first, without the root: what its rows have in common. */
export function pathOf(tree: PartitionTree, partition: Partition): readonly Partition[] {
  const byOid = byOidOf(tree);
  const path: Partition[] = [];
  let at: Partition | undefined = partition;
  while (at !== undefined) {
    path.unshift(at);
    at = at.parent === null ? undefined : byOid.get(at.parent);
  }
  return path;
}

const indexes = new WeakMap<PartitionTree, ReadonlyMap<number, Partition>>();

/** The partitions by oid, made once for each tree: thousands of paths may be asked for. */
function byOidOf(tree: PartitionTree): ReadonlyMap<number, Partition> {
  const known = indexes.get(tree);
  if (known !== undefined) return known;
  const byOid = new Map(tree.partitions.map((each) => [each.oid, each]));
  indexes.set(tree, byOid);
  return byOid;
}

function notPartitioned(name: string): UnderpinError {
  return new UnderpinError({
    code: "invalidInput",
    message: `${name} is not there, or is no partitioned table`,
    hint: "Install its definition: apply(db, planInstall(definition)). A plain table with rows is made a partitioned one by convertToPartitioned.",
  });
}
