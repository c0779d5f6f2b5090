import { getTableConfig } from "drizzle-orm/pg-core";
import type { Scheme } from "../../definition/scheme.ts";
import type { Queryable } from "../../executor/executor.ts";
import type { RelationName } from "../../plan/step.ts";
import { literal } from "../../sql/quote.ts";
import { markOf } from "../maintenance/mark.ts";
import { MISSING_INDEXES, type MissingIndex } from "../missing-indexes.ts";
import { RESHAPE_CHECK } from "../reshape-of.ts";
import { readTreeWith, type Partition, type PartitionTree } from "../read-tree.ts";
import type { PartitionState } from "../state-findings.ts";

/** A member of a tree with all that may be wrong with it. */
export type ValidatedMember = Partition &
  Omit<PartitionState, "parent"> & {
    /** Of a member that is partitioned further; null for a leaf. */
    readonly key: { readonly strategy: string; readonly columns: readonly string[] } | null;
    readonly options: readonly string[];
    readonly unlogged: boolean;
    /** Checks of its own, which the root does not have. */
    readonly ownChecks: readonly string[];
    /** Constraints that hold for its new rows only. */
    readonly unproven: readonly string[];
    /** What it takes on disk at the last VACUUM or ANALYZE, in pages, or 1 where the server counted rows since. */
    readonly pages: number;
  };

/** A foreign key of a parent that one of its partitions lacks. */
export interface LackingKey extends RelationName {
  readonly constraint: string;
}

/** A table that looks like a partition of the scheme and is none. */
export interface Stray extends RelationName {
  readonly partitioned: boolean;
  /** Pages of it and all below it, or 1 where the server counted rows. */
  readonly pages: number;
  /** What is below it was replaced, or is about to replace. */
  readonly replaced: boolean;
}

/** What is validated, from one statement. */
export interface ValidationReading {
  readonly tree: PartitionTree;
  readonly root: ValidatedMember;
  readonly partitions: readonly ValidatedMember[];
  readonly missingIndexes: readonly MissingIndex[];
  readonly lackingKeys: readonly LackingKey[];
  readonly strays: readonly Stray[];
  /** Whether rows of the table are under row security, as it is declared. */
  readonly closed: boolean;
}

/** Reads all that partitions are compared by. It locks and reads none of them. */
export async function readValidation(db: Queryable, scheme: Scheme): Promise<ValidationReading> {
  const { beside, root, partitions, now, versionNum } = await readTreeWith<
    Omit<ValidatedMember, keyof Partition>,
    {
      readonly missingIndexes: readonly MissingIndex[];
      readonly lackingKeys: readonly LackingKey[];
      readonly strays: readonly Stray[];
    }
  >(db, scheme, {
    columns: COLUMNS,
    joins: JOINS,
    beside: { missingIndexes: MISSING_INDEXES, lackingKeys: LACKING_KEYS, strays: strays(scheme) },
  });
  const { enableRLS, policies } = getTableConfig(scheme.table);
  const closed = enableRLS || policies.length > 0;
  return { ...beside, root, partitions, closed, tree: { root, partitions, now, versionNum } };
}

const STATE = `case tg.tgenabled when 'O' then 'origin' when 'D' then 'disabled' when 'R' then 'replica' else 'always' end`;

/** The pages of a relation, or 1 where rows came since they were noted. */
const pagesOf = (relation: string) =>
  `greatest(${relation}.relpages, least(pg_catalog.pg_stat_get_live_tuples(${relation}.oid), 1))`;

const COLUMNS = `,
    pg_catalog.pg_get_userbyid(c.relowner) as owner, c.relrowsecurity as "rowSecurity", c.relforcerowsecurity as "forceRowSecurity",
    coalesce(granted.list, '[]'::json) as grants, coalesce(policy.list, '[]'::json) as policies,
    coalesce(fires.list, '[]'::json) as triggers, coalesce(broken.list, '[]'::json) as "invalidIndexes",
    coalesce(part.list, null::json) as key, coalesce(c.reloptions, '{}') as options, c.relpersistence = 'u' as unlogged,
    coalesce(kept.own, '[]'::json) as "ownChecks", coalesce(kept.unproven, '[]'::json) as unproven, ${pagesOf("c")} as pages`;

// Of triggers only those that differ from the root's are carried, and those of the root: there may be ten for each of thousands.
const JOINS = `left join lateral (
    select pg_catalog.json_agg(pg_catalog.json_build_object('grantee', g.grantee, 'privileges', g.privileges)) as list
    from (
      select case a.grantee when 0 then 'public' else pg_catalog.pg_get_userbyid(a.grantee) end as grantee,
        pg_catalog.array_agg(a.privilege_type order by a.privilege_type) as privileges
      from pg_catalog.aclexplode(c.relacl) as a where a.grantee <> c.relowner group by a.grantee) as g
  ) as granted on c.relacl is not null
  left join (
    select p.polrelid, pg_catalog.json_agg(p.polname order by p.polname) as list
    from tree as m join pg_catalog.pg_policy as p on p.polrelid = m.oid where m.level > 0 group by p.polrelid
  ) as policy on policy.polrelid = t.oid
  left join (
    select tg.tgrelid, pg_catalog.json_agg(pg_catalog.json_build_object('name', tg.tgname, 'enabled', ${STATE})) as list
    from (select top.oid from tree as top where top.level = 0) as root
    join pg_catalog.pg_trigger as up on up.tgrelid = root.oid and not up.tgisinternal
    join pg_catalog.pg_trigger as tg on tg.tgname = up.tgname and not tg.tgisinternal and tg.tgtype & 1 = 1
      and (tg.tgrelid = root.oid or tg.tgenabled <> up.tgenabled and tg.tgrelid in (select m.oid from tree as m))
    group by tg.tgrelid
  ) as fires on fires.tgrelid = t.oid
  left join (
    select x.indrelid, pg_catalog.json_agg(i.relname order by i.relname) as list
    from tree as m join pg_catalog.pg_index as x on x.indrelid = m.oid and not (x.indisvalid and x.indisready)
    join pg_catalog.pg_class as i on i.oid = x.indexrelid and i.relkind = 'i' group by x.indrelid
  ) as broken on broken.indrelid = t.oid
  left join (
    select p.partrelid, pg_catalog.json_build_object(
      'strategy', case p.partstrat when 'l' then 'list' when 'r' then 'range' else 'hash' end,
      'columns', array(select coalesce(a.attname, '(an expression)') from pg_catalog.unnest(p.partattrs) with ordinality as k(number, rank)
        left join pg_catalog.pg_attribute as a on a.attrelid = p.partrelid and a.attnum = k.number and k.number <> 0 order by k.rank)) as list
    from tree as m join pg_catalog.pg_partitioned_table as p on p.partrelid = m.oid
  ) as part on part.partrelid = t.oid
  left join (
    select k.conrelid,
      pg_catalog.json_agg(k.conname order by k.conname) filter (where k.contype = 'c' and k.coninhcount = 0) as own,
      pg_catalog.json_agg(k.conname order by k.conname) filter (where not k.convalidated and k.contype in ('c', 'f', 'n')) as unproven
    from tree as m join pg_catalog.pg_constraint as k on k.conrelid = m.oid
    where m.level > 0 and (k.contype = 'c' and k.coninhcount = 0 or not k.convalidated) group by k.conrelid
  ) as kept on kept.conrelid = t.oid`;

// Each key of a parent once, by its index: the constraints of thousands of partitions are a hundred thousand rows.
const LACKING_KEYS = `select n.nspname as schema, c.relname as name, k.conname as constraint
  from (select distinct m.parent from tree as m where m.parent is not null) as p
  cross join lateral (select f.oid, f.conname,
      array(select x.conrelid from pg_catalog.pg_constraint as x where x.conparentid = f.oid) as kept
    from pg_catalog.pg_constraint as f where f.conrelid = p.parent and f.contype = 'f'
      and not exists (select from pg_catalog.pg_constraint as up where up.oid = f.conparentid and up.conrelid = f.conrelid)
      and f.confrelid not in (select own.oid from tree as own) offset 0) as k
  join tree as t on t.parent = p.parent and not t.pending and t.oid <> all (k.kept)
  join pg_catalog.pg_class as c on c.oid = t.oid join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
  order by t.level, n.nspname, c.relname, k.conname`;

/** Tables with the columns of the root and a name that begins as those of its partitions, without what maintenance has marked to leave. */
function strays(scheme: Scheme): string {
  const columnsOf = (table: string) =>
    `array(select row(a.attname, a.atttypid, a.atttypmod)::text from pg_catalog.pg_attribute as a
      where a.attrelid = ${table} and a.attnum > 0 and not a.attisdropped order by a.attname)`;
  return `select n.nspname as schema, c.relname as name, c.relkind = 'p' as partitioned, (
      with recursive below (oid) as (
        select c.oid union all select i.inhrelid from below as b join pg_catalog.pg_inherits as i on i.inhparent = b.oid)
      select coalesce(pg_catalog.sum(${pagesOf("bc")}), 0) from below as b join pg_catalog.pg_class as bc on bc.oid = b.oid
      where bc.relkind <> 'p') as pages,
      exists (select from pg_catalog.pg_inherits as i join pg_catalog.pg_constraint as k on k.conrelid = i.inhrelid
        where i.inhparent = c.oid and k.contype = 'c' and k.conname = ${literal(RESHAPE_CHECK)}) as replaced
    from tree as root
    join pg_catalog.pg_class as rc on rc.oid = root.oid
    join pg_catalog.pg_class as c on c.relnamespace = rc.relnamespace and c.oid <> rc.oid
    join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
    where root.level = 0 and c.relkind in ('r', 'p') and not c.relispartition
      and pg_catalog.starts_with(c.relname::text, ${literal(`${scheme.prefix}_`)})
      and ${columnsOf("c.oid")} = ${columnsOf("rc.oid")}
      and not exists (select from pg_catalog.pg_inherits as i where i.inhrelid = c.oid)
      and not pg_catalog.starts_with(coalesce(pg_catalog.obj_description(c.oid, 'pg_class'), ''), ${literal(markOf(scheme))})
    order by n.nspname, c.relname`;
}
