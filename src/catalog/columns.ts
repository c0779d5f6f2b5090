import { commentOn, reader, word } from "./reader.ts";

/** A column of a table, view or materialized view. */
export interface ColumnFact {
  readonly schema: string;
  readonly table: string;
  readonly name: string;
  /** `pg_attribute.attnum`, which counts dropped columns too. */
  readonly number: number;
  /** Its rank among the columns that are there, from 1. */
  readonly position: number;
  /** As `format_type` prints it, schema-qualified unless it is built in. */
  readonly type: string;
  readonly notNull: boolean;
  /** The expression, where it is not a generated column. */
  readonly default: string | null;
  readonly generated: { readonly kind: "stored" | "virtual"; readonly expression: string } | null;
  readonly identity: "always" | "byDefault" | null;
  /** Schema-qualified; null where it is that of the type. */
  readonly collation: string | null;
  readonly storage: "plain" | "external" | "main" | "extended";
  /** Null where it is the default. */
  readonly compression: "pglz" | "lz4" | null;
  /** Null where it is the default. */
  readonly statisticsTarget: number | null;
  /** Attribute options as `name=value`, as `n_distinct=5`. */
  readonly options: readonly string[];
  /** Declared on this table itself, not only inherited. */
  readonly local: boolean;
  readonly inheritCount: number;
  readonly comment: string | null;
}

type RawColumn = Omit<ColumnFact, "generated" | "identity" | "storage" | "compression"> & {
  readonly generated: string;
  readonly identity: string;
  readonly storage: string;
  readonly compression: string;
};

const GENERATED = { s: "stored", v: "virtual" } as const;
const IDENTITY = { a: "always", d: "byDefault" } as const;
const STORAGE = { p: "plain", e: "external", m: "main", x: "extended" } as const;
const COMPRESSION = { p: "pglz", l: "lz4" } as const;

/**
 * The live columns of tables, views and materialized views.
 *
 * The default statistics target is NULL since 17 and -1 before; virtual generated columns came with 18.
 */
export const columns = reader<RawColumn, ColumnFact>(
  `select s.name as schema, c.relname as table, a.attname as name, a.attnum as number,
     pg_catalog.row_number() over (partition by a.attrelid order by a.attnum) as position,
     pg_catalog.format_type(a.atttypid, a.atttypmod) as type, a.attnotnull as "notNull",
     pg_catalog.pg_get_expr(def.adbin, def.adrelid) as default, a.attgenerated as generated,
     a.attidentity as identity,
     case when a.attcollation <> t.typcollation
       then pg_catalog.format('%I.%I', colns.nspname, col.collname) end as collation,
     a.attstorage as storage, a.attcompression as compression,
     nullif(a.attstattarget, -1) as "statisticsTarget", coalesce(a.attoptions, '{}') as options,
     a.attislocal as local, a.attinhcount as "inheritCount", ${commentOn("c.oid", "pg_class", "a.attnum")} as comment
   from pg_catalog.pg_class as c
   join scope as s on s.oid = c.relnamespace
   join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
   join pg_catalog.pg_type as t on t.oid = a.atttypid
   left join pg_catalog.pg_attrdef as def on def.adrelid = a.attrelid and def.adnum = a.attnum
   left join pg_catalog.pg_collation as col on col.oid = a.attcollation
   left join pg_catalog.pg_namespace as colns on colns.oid = col.collnamespace
   where c.relkind in ('r', 'p', 'v', 'm')
   order by s.name, c.relname, a.attnum`,
  (row) => ({
    ...row,
    default: row.generated === "" ? row.default : null,
    generated:
      row.generated === ""
        ? null
        : {
            kind: word(GENERATED, row.generated, "pg_attribute.attgenerated"),
            expression: row.default ?? "",
          },
    identity: row.identity === "" ? null : word(IDENTITY, row.identity, "pg_attribute.attidentity"),
    storage: word(STORAGE, row.storage, "pg_attribute.attstorage"),
    compression:
      row.compression === ""
        ? null
        : word(COMPRESSION, row.compression, "pg_attribute.attcompression"),
  }),
);
