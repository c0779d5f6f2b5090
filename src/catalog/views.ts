import type { RelationName } from "../plan/step.ts";
import { commentOn, extensionOf, reader, word } from "./reader.ts";

/** A view or materialized view. Its columns, indexes and dependencies are with those of their kind. */
export interface ViewFact extends RelationName {
  readonly oid: number;
  readonly kind: "view" | "materializedView";
  readonly owner: string;
  /** The query, as `pg_get_viewdef` prints it. */
  readonly definition: string;
  /** `security_invoker=true`, `security_barrier=true`, `check_option=local`, storage parameters, … */
  readonly options: readonly string[];
  /** False for a materialized view WITH NO DATA, which cannot be read. */
  readonly populated: boolean;
  readonly tablespace: string | null;
  readonly accessMethod: string | null;
  readonly rowEstimate: number | null;
  readonly bytes: number;
  readonly comment: string | null;
  readonly extension: string | null;
}

type RawView = Omit<ViewFact, "kind"> & { readonly kind: string };

const KIND = { v: "view", m: "materializedView" } as const;

/** Views and materialized views. */
export const views = reader<RawView, ViewFact>(
  `select s.name as schema, c.relname as name, c.oid::int8 as oid, c.relkind as kind,
     pg_catalog.pg_get_userbyid(c.relowner) as owner, pg_catalog.pg_get_viewdef(c.oid) as definition,
     coalesce(c.reloptions, '{}') as options, c.relispopulated as populated,
     ts.spcname as tablespace, am.amname as "accessMethod",
     case when c.relkind = 'm' then nullif(c.reltuples, -1) end as "rowEstimate",
     case when c.relkind = 'm' then coalesce(pg_catalog.pg_table_size(c.oid), 0) else 0 end as bytes,
     ${commentOn("c.oid", "pg_class")} as comment, ${extensionOf("c.oid", "pg_class")} as extension
   from pg_catalog.pg_class as c
   join scope as s on s.oid = c.relnamespace
   left join pg_catalog.pg_tablespace as ts on ts.oid = c.reltablespace
   left join pg_catalog.pg_am as am on am.oid = c.relam
   where c.relkind in ('v', 'm')
   order by s.name, c.relname`,
  (row) => ({ ...row, kind: word(KIND, row.kind, "pg_class.relkind") }),
);
