import type { Sql } from "postgres";

/** How much a reader found. */
export interface Found {
  readonly tables: number;
  readonly columns: number;
  readonly constraints: number;
  readonly indexes: number;
  readonly grants: number;
}

/**
 * Reads what `readFacts` reads, the way that comes to mind first: a list of tables, and some queries for each.
 *
 * It asks no more than it needs, by oid, over one connection, with statements that are prepared once.
 */
export async function readPerTable(sql: Sql, schema: string): Promise<Found> {
  const tables = await sql<{ oid: number }[]>`
    select c.oid, c.relname, c.relkind, pg_get_userbyid(c.relowner), c.relpersistence, c.relrowsecurity,
      c.relforcerowsecurity, c.relreplident, c.reloptions, c.reltuples, pg_table_size(c.oid),
      obj_description(c.oid, 'pg_class')
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = ${schema} and c.relkind in ('r', 'p')`;
  const found = { tables: tables.length, columns: 0, constraints: 0, indexes: 0, grants: 0 };
  for (const { oid } of tables) {
    const columns = await sql`
      select a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid),
        a.attidentity, a.attgenerated, a.attcollation, a.attstorage, a.attcompression, a.attstattarget,
        col_description(a.attrelid, a.attnum)
      from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
      where a.attrelid = ${oid} and a.attnum > 0 and not a.attisdropped`;
    const constraints = await sql`
      select conname, contype, pg_get_constraintdef(oid), convalidated, condeferrable, condeferred, conkey,
        confrelid::regclass, confkey, conindid::regclass, coninhcount, conislocal
      from pg_constraint where conrelid = ${oid}`;
    const indexes = await sql`
      select i.indexrelid::regclass, pg_get_indexdef(i.indexrelid), i.indisvalid, i.indisready, i.indislive,
        i.indisunique, i.indisprimary, pg_get_expr(i.indpred, i.indrelid), i.indclass, i.indcollation,
        pg_relation_size(i.indexrelid)
      from pg_index i where i.indrelid = ${oid}`;
    const grants = await sql`
      select x.grantee::regrole, x.grantor::regrole, x.privilege_type, x.is_grantable
      from pg_class c, aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) x where c.oid = ${oid}`;
    await sql`select tgname, tgenabled, pg_get_triggerdef(oid) from pg_trigger where tgrelid = ${oid} and not tgisinternal`;
    await sql`select polname, polcmd, polroles, pg_get_expr(polqual, polrelid) from pg_policy where polrelid = ${oid}`;
    await sql`
      select s.seqrelid::regclass, s.seqincrement, s.seqmax from pg_depend d join pg_sequence s on s.seqrelid = d.objid
      where d.refobjid = ${oid} and d.deptype in ('a', 'i')`;
    await sql`select inhparent::regclass, inhdetachpending from pg_inherits where inhrelid = ${oid}`;
    found.columns += columns.length;
    found.constraints += constraints.length;
    found.indexes += indexes.length;
    found.grants += new Set(grants.map(({ grantee, grantor }) => `${grantee} ${grantor}`)).size;
  }
  return found;
}
