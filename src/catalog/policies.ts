import { commentOn, reader, word } from "./reader.ts";

/** A row-level security policy. */
export interface PolicyFact {
  readonly schema: string;
  readonly table: string;
  readonly name: string;
  readonly permissive: boolean;
  readonly command: "all" | "select" | "insert" | "update" | "delete";
  /** Role names; `public` is everybody, since no role can have that name. */
  readonly roles: readonly string[];
  readonly using: string | null;
  readonly check: string | null;
  readonly comment: string | null;
}

const COMMAND = { "*": "all", r: "select", a: "insert", w: "update", d: "delete" } as const;

/** The policies of tables and partitioned tables. */
export const policies = reader<
  Omit<PolicyFact, "command"> & { readonly command: string },
  PolicyFact
>(
  `select s.name as schema, c.relname as table, p.polname as name, p.polpermissive as permissive,
     p.polcmd as command,
     array(select case when r = 0 then 'public' else pg_catalog.pg_get_userbyid(r) end
           from pg_catalog.unnest(p.polroles) as r order by 1) as roles,
     pg_catalog.pg_get_expr(p.polqual, p.polrelid) as using,
     pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) as check, ${commentOn("p.oid", "pg_policy")} as comment
   from pg_catalog.pg_class as c
   join scope as s on s.oid = c.relnamespace
   join pg_catalog.pg_policy as p on p.polrelid = c.oid
   order by s.name, c.relname, p.polname`,
  (row) => ({ ...row, command: word(COMMAND, row.command, "pg_policy.polcmd") }),
);
