import { getTableConfig } from "drizzle-orm/pg-core";
import type { Scheme } from "../../definition/scheme.ts";
import type { Queryable } from "../../executor/executor.ts";
import { literal, qualified } from "../../sql/quote.ts";
import { MISSING_INDEXES, type MissingIndex } from "../missing-indexes.ts";
import { readTreeWith, type Partition } from "../read-tree.ts";
import { cadencesOf, calendarSql, rangeLevelOf, type Calendar } from "./calendar.ts";
import { leftoversSql, type DrainLeftover } from "./drain-leftovers.ts";
import { foreignKeysSql, indexCountSql, type ForeignKey } from "./foreign-keys.ts";
import { markOf } from "./mark.ts";

/** A member of the tree with what maintenance asks of it. */
export interface Member extends Partition {
  /** It has pages, as far as is known without opening thousands of them. An emptied table keeps its pages until it is vacuumed. Null where it is partitioned further. */
  readonly holds: boolean | null;
  /** Rows at the last ANALYZE; -1 before the first. */
  readonly analyzedRows: number;
  /** Rows that changed since, as far as the server counts. */
  readonly changedRows: number;
  /** Since when it is about to leave; null where it is not. */
  readonly markedAt: string | null;
  /** It enables and forces row security. */
  readonly closed: boolean;
  /** Who but its owner has a privilege on it by its own name; `""` is everybody. */
  readonly grantees: readonly string[];
}

/** A table that was a partition and was detached by maintenance. */
export interface Detached {
  readonly schema: string;
  readonly name: string;
  readonly markedAt: string;
  readonly foreignKeys: readonly ForeignKey[];
  readonly indexes: number;
  /** All tables below it, lowest first, where it is partitioned itself. */
  readonly below: readonly {
    readonly schema: string;
    readonly name: string;
    readonly indexes: number;
  }[];
  /** Its grace period is over. */
  readonly due: boolean;
}

/** All that the maintenance of one scheme is planned from, read in one statement. */
export interface MaintenanceState {
  readonly scheme: Scheme;
  readonly root: Member;
  readonly partitions: readonly Member[];
  /** One for each cadence of the scheme, its own first. None where no dimension is a range of time. */
  readonly calendars: readonly Calendar[];
  readonly detached: readonly Detached[];
  readonly missingIndexes: readonly MissingIndex[];
  /** Members that are partitioned by something else than their scheme says, and by what. */
  readonly cutOtherwise: readonly { readonly oid: number; readonly key: string }[];
  /** What an interrupted drain left. */
  readonly leftovers: readonly DrainLeftover[];
  /** Indexes of the root, and so of each partition. */
  readonly indexes: number;
  readonly versionNum: number;
  /** The moment that is taken for now, in ISO form. */
  readonly now: string;
}

/** What the reading depends on. */
export interface StateOptions {
  readonly now?: Date | string;
  readonly graceDays: number;
  readonly dropEmptyAfter?: string;
}

/** Reads what the maintenance of a scheme is planned from: the catalog and the sizes of files, never rows. */
export async function readState(
  db: Queryable,
  scheme: Scheme,
  { now, graceDays, dropEmptyAfter }: StateOptions,
): Promise<MaintenanceState> {
  const moment =
    now === undefined
      ? "pg_catalog.now()"
      : `${literal(typeof now === "string" ? now : now.toISOString())}::timestamptz`;
  const range = rangeLevelOf(scheme);
  const { beside, root, partitions, versionNum } = await readTreeWith<
    Omit<Member, keyof Partition>,
    Readonly<Record<string, readonly unknown[]>>
  >(db, scheme, {
    columns: COLUMNS,
    joins: `left join pg_catalog.pg_description as mark on mark.objoid = c.oid and mark.objsubid = 0
    and mark.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass and mark.description like ${literal(`${likeText(markOf(scheme))}%`)}`,
    beside: {
      detached: detachedSql(scheme, moment, graceDays),
      missingIndexes: MISSING_INDEXES,
      cutOtherwise: cutOtherwiseSql(scheme),
      leftovers: leftoversSql(scheme),
      moment: `select pg_catalog.to_char(${moment} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as now,
        (select pg_catalog.count(*) from tree as t join pg_catalog.pg_index as i on i.indrelid = t.oid where t.level = 0) as indexes`,
      ...(range === undefined || isNumeric(scheme)
        ? {}
        : {
            calendars: cadencesOf(scheme)
              .map((cadence) =>
                calendarSql(scheme, range.dimension, cadence, moment, dropEmptyAfter),
              )
              .join(" union all "),
          }),
    },
  });
  const [clock] = (beside["moment"] ?? []) as readonly {
    readonly now: string;
    readonly indexes: number;
  }[];
  return {
    scheme,
    root,
    partitions,
    calendars: (beside["calendars"] ?? []) as readonly Calendar[],
    detached: (beside["detached"] ?? []) as readonly Detached[],
    missingIndexes: (beside["missingIndexes"] ?? []) as readonly MissingIndex[],
    cutOtherwise: (beside["cutOtherwise"] ?? []) as MaintenanceState["cutOtherwise"],
    leftovers: (beside["leftovers"] ?? []) as readonly DrainLeftover[],
    versionNum,
    indexes: clock?.indexes ?? 0,
    now: clock?.now ?? "",
  };
}

/** Whether the partitions of a scheme hide their rows from everybody: those of a root with policies do. */
export function closesPartitions({ table }: Scheme): boolean {
  const { enableRLS, policies } = getTableConfig(table);
  return enableRLS || policies.length > 0;
}

/** Whether a scheme cuts numbers, which no clock moves. */
export function isNumeric(scheme: Scheme): boolean {
  const range = rangeLevelOf(scheme);
  return typeof range?.dimension.every === "number";
}

/** Opening a table to measure it takes 0.1 ms: of more partitions than this the server's counts are believed, but for default partitions. */
const MEASURED = 500;

const COLUMNS = `,
    case when c.relkind = 'r' then c.relpages > 0 or pg_catalog.pg_stat_get_mod_since_analyze(c.oid) > 0
      or case when (select pg_catalog.count(*) from tree) <= ${MEASURED} or c.oid in (select p.partdefid from pg_catalog.pg_partitioned_table as p)
        then pg_catalog.pg_relation_size(c.oid) > 0 else false end end as holds,
    c.reltuples as "analyzedRows", pg_catalog.pg_stat_get_mod_since_analyze(c.oid) as "changedRows",
    pg_catalog.substring(mark.description, ' since (\\S+)$') as "markedAt",
    c.relrowsecurity and c.relforcerowsecurity as closed,
    case when c.relacl is null then '[]'::json else (
      select coalesce(pg_catalog.json_agg(distinct coalesce(r.rolname, '')), '[]'::json)
      from pg_catalog.aclexplode(c.relacl) as a left join pg_catalog.pg_roles as r on r.oid = a.grantee
      where a.grantee <> c.relowner) end as grantees`;

const STRATEGY = { list: "l", range: "r", hash: "h" } as const;

function cutOtherwiseSql({ dimensions }: Scheme): string {
  const declared = dimensions.map(
    ({ strategy, column }, level) =>
      `(${level}, ${literal(STRATEGY[strategy])}, ${literal(column)}, 1)`,
  );
  return `select t.oid::bigint as oid, pg_catalog.pg_get_partkeydef(t.oid) as key
  from tree as t join pg_catalog.pg_partitioned_table as k on k.partrelid = t.oid
  left join pg_catalog.pg_attribute as a on a.attrelid = k.partrelid and a.attnum = k.partattrs[0]
  where not t.pending and (t.level, k.partstrat::text, coalesce(a.attname::text, ''), k.partnatts) not in (values ${declared.join(", ")})
  order by t.level, t.oid`;
}

function detachedSql(scheme: Scheme, moment: string, graceDays: number): string {
  const mark = markOf(scheme);
  return `select n.nspname as schema, c.relname as name, m.at as "markedAt",
    m.at::timestamptz + ${Number(graceDays)} * interval '1 day' <= ${moment} as due,
    ${foreignKeysSql("c.oid")} as "foreignKeys", ${indexCountSql("c.oid")} as indexes,
    coalesce((with recursive below (oid, level) as (
        select i.inhrelid, 1 from pg_catalog.pg_inherits as i where i.inhparent = c.oid
        union all select i.inhrelid, b.level + 1 from below as b join pg_catalog.pg_inherits as i on i.inhparent = b.oid)
      select pg_catalog.json_agg(pg_catalog.json_build_object('schema', bn.nspname, 'name', bc.relname, 'indexes', ${indexCountSql("bc.oid")}) order by b.level desc, bc.relname)
      from below as b join pg_catalog.pg_class as bc on bc.oid = b.oid join pg_catalog.pg_namespace as bn on bn.oid = bc.relnamespace
    ), '[]'::json) as below
  from pg_catalog.pg_description as d
  join pg_catalog.pg_class as c on c.oid = d.objoid and c.relkind in ('r', 'p') and not c.relispartition
  join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
  cross join lateral (select pg_catalog.substring(d.description, ' since (\\S+)$') as at) as m
  where d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objsubid = 0
    and d.description like ${literal(`${likeText(mark)}%`)} and m.at is not null
  order by m.at, n.nspname, c.relname`;
}

/** A text for LIKE that means itself. */
function likeText(text: string): string {
  return text.replaceAll(/[\\%_]/g, (each) => `\\${each}`);
}

/** The relation of a member, quoted. */
export function nameOf({
  schema,
  name,
}: {
  readonly schema: string;
  readonly name: string;
}): string {
  return qualified(schema, name);
}
