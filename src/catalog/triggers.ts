import type { RelationName } from "../plan/step.ts";
import { commentOn, reader, word } from "./reader.ts";

/** When a trigger or rule fires: `origin` is the normal state. */
export type FiringState = "origin" | "disabled" | "replica" | "always";

/** A trigger that somebody made; those that PostgreSQL makes for foreign keys are with their constraint. */
export interface TriggerFact {
  readonly schema: string;
  /** The table, partitioned table or view. */
  readonly table: string;
  readonly name: string;
  readonly enabled: FiringState;
  readonly timing: "before" | "after" | "insteadOf";
  readonly level: "row" | "statement";
  readonly events: readonly ("insert" | "update" | "delete" | "truncate")[];
  readonly function: RelationName;
  /** As `pg_get_triggerdef` prints it. */
  readonly definition: string;
  /** The trigger of the partitioned table that this one belongs to. */
  readonly parent: {
    readonly schema: string;
    readonly table: string;
    readonly name: string;
  } | null;
  readonly comment: string | null;
}

type RawTrigger = Omit<TriggerFact, "enabled" | "timing" | "level" | "events"> & {
  readonly enabled: string;
  /** All of `pg_trigger.tgtype`. */
  readonly level: number;
};

/** `pg_trigger.tgenabled` and `pg_rewrite.ev_enabled`. */
export const FIRING = { O: "origin", D: "disabled", R: "replica", A: "always" } as const;

/** The bits of `pg_trigger.tgtype`. */
const EVENTS = [
  ["insert", 4],
  ["delete", 8],
  ["update", 16],
  ["truncate", 32],
] as const;

/** Triggers of tables, partitioned tables and views. */
export const triggers = reader<RawTrigger, TriggerFact>(
  `select s.name as schema, c.relname as table, t.tgname as name, t.tgenabled as enabled,
     t.tgtype as level, pg_catalog.json_build_object('schema', fs.nspname, 'name', f.proname) as function,
     pg_catalog.pg_get_triggerdef(t.oid) as definition,
     case when up.oid is not null then
       pg_catalog.json_build_object('schema', n.schema, 'table', n.name, 'name', up.tgname) end as parent,
     ${commentOn("t.oid", "pg_trigger")} as comment
   from pg_catalog.pg_class as c
   join scope as s on s.oid = c.relnamespace
   join pg_catalog.pg_trigger as t on t.tgrelid = c.oid and not t.tgisinternal
   join pg_catalog.pg_proc as f on f.oid = t.tgfoid
   join pg_catalog.pg_namespace as fs on fs.oid = f.pronamespace
   left join pg_catalog.pg_trigger as up on up.oid = t.tgparentid
   left join named as n on n.oid = up.tgrelid
   where c.relkind in ('r', 'p', 'v')
   order by s.name, c.relname, t.tgname`,
  (row) => ({
    ...row,
    enabled: word(FIRING, row.enabled, "pg_trigger.tgenabled"),
    timing: (row.level & 64) !== 0 ? "insteadOf" : (row.level & 2) !== 0 ? "before" : "after",
    level: (row.level & 1) !== 0 ? "row" : "statement",
    events: EVENTS.filter(([, bit]) => (row.level & bit) !== 0).map(([event]) => event),
  }),
);
