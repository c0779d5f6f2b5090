/** A foreign key of a partition. */
export interface ForeignKey {
  readonly name: string;
  readonly schema: string;
  /** The referenced table. */
  readonly table: string;
}

/** The foreign keys of a table as JSON, without those that another of its own stands for (18: to partitioned tables). */
export function foreignKeysSql(oid: string): string {
  return `coalesce((
    select pg_catalog.json_agg(pg_catalog.json_build_object('name', k.conname, 'schema', rn.nspname, 'table', rc.relname) order by k.conname)
    from pg_catalog.pg_constraint as k
    join pg_catalog.pg_class as rc on rc.oid = k.confrelid join pg_catalog.pg_namespace as rn on rn.oid = rc.relnamespace
    where k.conrelid = ${oid} and k.contype = 'f'
      and not exists (select from pg_catalog.pg_constraint as up where up.oid = k.conparentid and up.conrelid = k.conrelid)
  ), '[]'::json)`;
}

/** How many indexes a table has: what is dropped is locked with them. */
export function indexCountSql(oid: string): string {
  return `(select pg_catalog.count(*)::int from pg_catalog.pg_index as x where x.indrelid = ${oid})`;
}
