import { commentOn, plainReader } from "./reader.ts";

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
     pg_catalog.pg_get_userbyid(e.extowner) as owner, e.extrelocatable as relocatable, ${commentOn("e.oid", "pg_extension")} as comment
   from pg_catalog.pg_extension as e
   join pg_catalog.pg_namespace as n on n.oid = e.extnamespace
   order by e.extname`,
);
