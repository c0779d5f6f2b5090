import { commentOn, reader, word } from "./reader.ts";
import { FIRING, type FiringState } from "./triggers.ts";

/** A rewrite rule that somebody made; the one that makes a view a view is with the view. */
export interface RuleFact {
  readonly schema: string;
  /** The table or view. */
  readonly table: string;
  readonly name: string;
  readonly enabled: FiringState;
  readonly definition: string;
  readonly comment: string | null;
}

/** Rewrite rules of tables and views. */
export const rules = reader<Omit<RuleFact, "enabled"> & { readonly enabled: string }, RuleFact>(
  `select s.name as schema, c.relname as table, r.rulename as name, r.ev_enabled as enabled,
     pg_catalog.pg_get_ruledef(r.oid) as definition, ${commentOn("r.oid", "pg_rewrite")} as comment
   from pg_catalog.pg_class as c
   join scope as s on s.oid = c.relnamespace
   join pg_catalog.pg_rewrite as r on r.ev_class = c.oid and r.ev_type <> '1'
   order by s.name, c.relname, r.rulename`,
  (row) => ({ ...row, enabled: word(FIRING, row.enabled, "pg_rewrite.ev_enabled") }),
);
