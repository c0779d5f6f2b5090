import { columns, type ColumnFact } from "../../catalog/columns.ts";
import { constraints, type ConstraintFact } from "../../catalog/constraints.ts";
import { partitions, type PartitionFact } from "../../catalog/partitions.ts";
import { readJson } from "../../catalog/read-json.ts";
import { types, type TypeFact } from "../../catalog/types.ts";
import type { Queryable } from "../../executor/executor.ts";

/** A unique index, with columns only where all its keys are columns and all rows are in it. */
export interface UniqueFact {
  readonly schema: string;
  readonly table: string;
  readonly name: string;
  readonly columns: readonly (string | null)[];
  readonly partial: boolean;
  readonly primary: boolean;
}

/** What a proof reads of the catalog, before it writes anything. */
export interface ProofCatalog {
  readonly columns: readonly ColumnFact[];
  readonly constraints: readonly ConstraintFact[];
  readonly partitions: readonly PartitionFact[];
  readonly types: readonly TypeFact[];
  readonly uniques: readonly UniqueFact[];
}

const UNIQUES = `select s.name as schema, c.relname as table, i.relname as name, x.indpred is not null as partial,
    x.indisprimary as primary,
    array(select a.attname from pg_catalog.unnest(x.indkey::int2[]) with ordinality as k(number, rank)
      left join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum = k.number and k.number <> 0
      where k.rank <= x.indnkeyatts order by k.rank) as columns
  from pg_catalog.pg_index as x
  join pg_catalog.pg_class as c on c.oid = x.indrelid and c.relkind in ('r', 'p')
  join scope as s on s.oid = c.relnamespace
  join pg_catalog.pg_class as i on i.oid = x.indexrelid
  where x.indisunique and not c.relispartition
  order by s.name, c.relname, i.relname`;

/** Reads columns, constraints, partitions, types and unique indexes of these schemas. */
export async function readProofCatalog(
  db: Queryable,
  schemas: readonly string[],
): Promise<ProofCatalog> {
  const rows = await readJson(
    db,
    {
      columns: columns.sql,
      constraints: constraints.sql,
      partitions: partitions.sql,
      types: types.sql,
      uniques: UNIQUES,
    },
    { schemas },
  );
  return {
    columns: (rows.columns ?? []).map(columns.decode),
    constraints: (rows.constraints ?? []).map(constraints.decode),
    partitions: (rows.partitions ?? []).map(partitions.decode),
    types: (rows.types ?? []).map(types.decode),
    uniques: (rows.uniques ?? []) as readonly UniqueFact[],
  };
}
