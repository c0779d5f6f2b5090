import { plainReader } from "./reader.ts";

/** An installed extension. */
export interface ExtensionFact {
  readonly name: string;
  readonly version: string;
  readonly schema: string;
  readonly owner: string;
  readonly relocatable: boolean;
  readonly comment: string | null;
}

/** All extensions of the database. */
export const extensions = plainReader<ExtensionFact>(
  `select e.extname as name, e.extversion as version, n.nspname as schema,
     pg_catalog.pg_get_userbyid(e.extowner) as owner, e.extrelocatable as relocatable, d.description as comment
   from pg_catalog.pg_extension as e
   join pg_catalog.pg_namespace as n on n.oid = e.extnamespace
   left join pg_catalog.pg_description as d
     on d.objoid = e.oid and d.classoid = 'pg_catalog.pg_extension'::pg_catalog.regclass
   order by e.extname`,
);
