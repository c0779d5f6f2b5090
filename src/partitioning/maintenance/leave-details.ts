import type { Queryable } from "../../executor/executor.ts";
import { ident, qualified } from "../../sql/quote.ts";
import { readJson } from "../../catalog/read-json.ts";
import { foreignKeysSql, type ForeignKey } from "./foreign-keys.ts";
import { nameOf, type Member } from "./read-state.ts";

/** What is asked of a partition only when it is about to leave. */
export interface LeaveDetails {
  readonly oid: number;
  readonly foreignKeys: readonly ForeignKey[];
  readonly indexes: number;
  /** It, or what is below it, has pages: measured. */
  readonly holds: boolean;
  /** Its CHECK constraints; what DETACH … CONCURRENTLY leaves behind is none of them. */
  readonly checks: readonly string[];
  /** Its bound, as `ATTACH PARTITION` takes it. */
  readonly bound: string;
  /** Tables with a foreign key to the partitioned one. */
  readonly referencing: readonly { readonly schema: string; readonly name: string }[];
  /** A table whose rows refer to rows of this partition: it cannot leave. */
  readonly referencedBy: string | null;
}

interface Incoming {
  readonly schema: string;
  readonly name: string;
  readonly columns: readonly string[];
  readonly referenced: readonly string[];
}

/** Reads what the steps of leaving need to know of some partitions. */
export async function readLeaveDetails(
  db: Queryable,
  root: Member,
  leaving: readonly Member[],
): Promise<ReadonlyMap<number, LeaveDetails>> {
  if (leaving.length === 0) return new Map();
  const oids = leaving.map(({ oid }) => Number(oid)).join(", ");
  const { details = [], incoming = [] } = await readJson(
    db,
    {
      details: `select c.oid::bigint as oid, pg_catalog.pg_get_expr(c.relpartbound, c.oid) as bound,
        ${foreignKeysSql("c.oid")} as "foreignKeys",
        (select pg_catalog.count(*) from pg_catalog.pg_index as x where x.indrelid = c.oid)::int as indexes,
        (with recursive below (oid) as (select c.oid union all select i.inhrelid from below as b join pg_catalog.pg_inherits as i on i.inhparent = b.oid)
         select coalesce(pg_catalog.bool_or(pg_catalog.pg_relation_size(b.oid) > 0), false) from below as b) as holds,
        coalesce((select pg_catalog.json_agg(k.conname) from pg_catalog.pg_constraint as k
          where k.conrelid = c.oid and k.contype = 'c'), '[]'::json) as checks
        from pg_catalog.pg_class as c where c.oid in (${oids})`,
      incoming: `select n.nspname as schema, c.relname as name,
        (select pg_catalog.json_agg(a.attname order by u.n) from pg_catalog.unnest(k.conkey) with ordinality as u (num, n)
         join pg_catalog.pg_attribute as a on a.attrelid = k.conrelid and a.attnum = u.num) as columns,
        (select pg_catalog.json_agg(a.attname order by u.n) from pg_catalog.unnest(k.confkey) with ordinality as u (num, n)
         join pg_catalog.pg_attribute as a on a.attrelid = k.confrelid and a.attnum = u.num) as referenced
        from pg_catalog.pg_constraint as k
        join pg_catalog.pg_class as c on c.oid = k.conrelid
        join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
        where k.contype = 'f' and k.confrelid = ${Number(root.oid)} and k.conparentid = 0`,
    },
    { schemas: [root.schema] },
  );
  const keys = incoming as readonly Incoming[];
  const found = new Map<number, LeaveDetails>();
  for (const row of details as readonly Omit<LeaveDetails, "referencedBy" | "referencing">[]) {
    const member = leaving.find(({ oid }) => oid === row.oid);
    if (member === undefined) continue;
    const referencedBy = await firstReference(db, member, keys);
    const referencing = keys.map(({ schema, name }) => ({ schema, name }));
    found.set(row.oid, { ...row, referencing, referencedBy });
  }
  return found;
}

async function firstReference(
  db: Queryable,
  member: Member,
  incoming: readonly Incoming[],
): Promise<string | null> {
  for (const { schema, name, columns, referenced } of incoming) {
    const on = columns.map(
      (column, at) => `r.${ident(column)} = l.${ident(referenced[at] ?? column)}`,
    );
    const rows = await db.query(
      `SELECT 1 AS one FROM ${nameOf(member)} AS l JOIN ${qualified(schema, name)} AS r ON ${on.join(" AND ")} LIMIT 1`,
    );
    if (rows.length > 0) return qualified(schema, name);
  }
  return null;
}
