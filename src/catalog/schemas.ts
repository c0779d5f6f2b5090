import { commentOn, plainReader } from "./reader.ts";

/** A schema. */
export interface SchemaFact {
  readonly name: string;
  readonly owner: string;
  readonly comment: string | null;
}

/** The schemas that are looked at. */
export const schemas = plainReader<SchemaFact>(
  `select s.name, pg_catalog.pg_get_userbyid(n.nspowner) as owner, ${commentOn("n.oid", "pg_namespace")} as comment
   from scope as s
   join pg_catalog.pg_namespace as n on n.oid = s.oid
   order by s.name`,
);
