import type { RelationName } from "../plan/step.ts";
import { commentOn, plainReader } from "./reader.ts";

/** A table of a publication. */
export interface PublishedTable extends RelationName {
  /** Null: all. */
  readonly columns: readonly string[] | null;
  readonly where: string | null;
}

/** A publication of the database, whatever schemas its tables lie in. */
export interface PublicationFact {
  readonly name: string;
  readonly owner: string;
  readonly allTables: boolean;
  readonly insert: boolean;
  readonly update: boolean;
  readonly delete: boolean;
  readonly truncate: boolean;
  /** Changes of partitions are published as those of the root. */
  readonly viaRoot: boolean;
  /** `n` none, `s` stored; null before 18, which publishes none. */
  readonly generatedColumns: string | null;
  readonly tables: readonly PublishedTable[];
  /** The schemas of TABLES IN SCHEMA. */
  readonly schemas: readonly string[];
  readonly comment: string | null;
}

/**
 * All publications of the database.
 *
 * `pubgencols` came with 18: where it is missing, the name means the column of `older`.
 */
export const publications = plainReader<PublicationFact>(
  `select p.pubname as name, pg_catalog.pg_get_userbyid(p.pubowner) as owner,
     p.puballtables as "allTables", p.pubinsert as insert, p.pubupdate as update,
     p.pubdelete as delete, p.pubtruncate as truncate, p.pubviaroot as "viaRoot",
     p.pubgencols as "generatedColumns",
     coalesce((select pg_catalog.json_agg(pg_catalog.json_build_object('schema', n.schema, 'name', n.name,
          'columns', case when r.prattrs is not null then
            array(select a.attname from pg_catalog.unnest(r.prattrs) as k
              join pg_catalog.pg_attribute as a on a.attrelid = r.prrelid and a.attnum = k order by 1) end,
          'where', pg_catalog.pg_get_expr(r.prqual, r.prrelid)) order by n.schema, n.name)
       from pg_catalog.pg_publication_rel as r join named as n on n.oid = r.prrelid
       where r.prpubid = p.oid), '[]') as tables,
     array(select ns.nspname from pg_catalog.pg_publication_namespace as r
       join pg_catalog.pg_namespace as ns on ns.oid = r.pnnspid where r.pnpubid = p.oid order by 1) as schemas,
     ${commentOn("p.oid", "pg_publication")} as comment
   from (select null::"char" as pubgencols) as older cross join lateral (
     select oid, pubname, pubowner, puballtables, pubinsert, pubupdate, pubdelete, pubtruncate,
       pubviaroot, pubgencols
     from pg_catalog.pg_publication) as p
   order by p.pubname`,
);
