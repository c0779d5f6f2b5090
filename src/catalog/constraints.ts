import type { RelationName } from "../plan/step.ts";
import { commentOn, reader, word } from "./reader.ts";

/** What a foreign key does when the row that it points at goes away or changes. */
export type ReferentialAction = "noAction" | "restrict" | "cascade" | "setNull" | "setDefault";

/** Where a foreign key points. */
export interface Reference extends RelationName {
  readonly columns: readonly string[];
  readonly onUpdate: ReferentialAction;
  readonly onDelete: ReferentialAction;
  /** The columns that ON DELETE SET NULL or SET DEFAULT sets, where they are not all. */
  readonly setColumns: readonly string[];
  readonly match: "simple" | "full" | "partial";
}

/** A constraint of a table. */
export interface ConstraintFact {
  readonly schema: string;
  readonly table: string;
  readonly name: string;
  readonly kind:
    | "primaryKey"
    | "unique"
    | "foreignKey"
    | "check"
    /** A row of its own since PostgreSQL 18. */
    | "notNull"
    | "exclusion"
    /** A constraint trigger. */
    | "trigger";
  /** As `pg_get_constraintdef` prints it. */
  readonly definition: string;
  readonly columns: readonly string[];
  /** Of a check. */
  readonly expression: string | null;
  readonly validated: boolean;
  /** False only for what PostgreSQL 18 calls NOT ENFORCED. */
  readonly enforced: boolean;
  readonly deferrable: boolean;
  readonly initiallyDeferred: boolean;
  readonly noInherit: boolean;
  /** Declared on this table itself, not only inherited. */
  readonly local: boolean;
  readonly inheritCount: number;
  /** The constraint of the partitioned table that this one belongs to. */
  readonly parent: {
    readonly schema: string;
    readonly table: string;
    readonly name: string;
  } | null;
  readonly references: Reference | null;
  /** Its own index; of a foreign key the one that it relies on. */
  readonly index: RelationName | null;
  /** Of a foreign key: the states of its own triggers, which DISABLE TRIGGER ALL changes (normally `["O"]`). */
  readonly triggerStates: readonly string[];
  readonly comment: string | null;
}

type RawConstraint = Omit<ConstraintFact, "kind" | "references"> & {
  readonly kind: string;
  readonly references:
    | (Omit<Reference, "onUpdate" | "onDelete" | "match"> & {
        readonly onUpdate: string;
        readonly onDelete: string;
        readonly match: string;
      })
    | null;
};

const KIND = {
  p: "primaryKey",
  u: "unique",
  f: "foreignKey",
  c: "check",
  n: "notNull",
  x: "exclusion",
  t: "trigger",
} as const;

const ACTION = {
  a: "noAction",
  r: "restrict",
  c: "cascade",
  n: "setNull",
  d: "setDefault",
} as const;
const MATCH = { s: "simple", f: "full", p: "partial" } as const;

const columnNames = (relation: string, keys: string) =>
  `array(select (select a.attname from pg_catalog.pg_attribute as a
       where a.attrelid = ${relation} and a.attnum = k.number)
     from pg_catalog.unnest(${keys}) with ordinality as k(number, rank) order by k.rank)`;

/**
 * The constraints of tables and partitioned tables; those of domains are read with their types.
 *
 * `conenforced` came with 18: where it is missing, the name means the column of `older`.
 */
export const constraints = reader<RawConstraint, ConstraintFact>(
  `select s.name as schema, c.relname as table, x.conname as name, x.contype as kind,
     pg_catalog.pg_get_constraintdef(x.oid) as definition,
     ${columnNames("x.conrelid", "x.conkey")} as columns,
     case when x.contype = 'c' then pg_catalog.pg_get_expr(x.conbin, x.conrelid) end as expression,
     x.convalidated as validated, x.conenforced as enforced, x.condeferrable as deferrable,
     x.condeferred as "initiallyDeferred", x.connoinherit as "noInherit", x.conislocal as local,
     x.coninhcount as "inheritCount",
     (select pg_catalog.json_build_object('schema', n.schema, 'table', n.name, 'name', up.conname)
      from pg_catalog.pg_constraint as up join named as n on n.oid = up.conrelid
      where up.oid = x.conparentid and x.conparentid <> 0) as parent,
     case when x.contype = 'f' then
       (select pg_catalog.json_build_object('schema', n.schema, 'name', n.name,
          'columns', ${columnNames("x.confrelid", "x.confkey")},
          'onUpdate', x.confupdtype, 'onDelete', x.confdeltype, 'match', x.confmatchtype,
          'setColumns', ${columnNames("x.conrelid", "x.confdelsetcols")})
        from named as n where n.oid = x.confrelid) end as references,
     case when x.conindid <> 0 then
       (select pg_catalog.json_build_object('schema', n.schema, 'name', n.name)
        from named as n where n.oid = x.conindid) end as index,
     case when x.contype = 'f' then
       array(select distinct tg.tgenabled from pg_catalog.pg_trigger as tg
             where tg.tgconstraint = x.oid order by 1)
       else '{}' end as "triggerStates",
     ${commentOn("x.oid", "pg_constraint")} as comment
   from pg_catalog.pg_class as c
   join scope as s on s.oid = c.relnamespace
   join (
     select x.* from (select true as conenforced) as older cross join lateral (
       select oid, conname, contype, conrelid, conkey, conbin, convalidated, conenforced,
         condeferrable, condeferred, connoinherit, conislocal, coninhcount, conparentid, confrelid,
         confkey, confupdtype, confdeltype, confmatchtype, confdelsetcols, conindid
       from pg_catalog.pg_constraint) as x
   ) as x on x.conrelid = c.oid
   where c.relkind in ('r', 'p')
   order by s.name, c.relname, x.conname, x.oid`,
  (row) => ({
    ...row,
    kind: word(KIND, row.kind, "pg_constraint.contype"),
    references: row.references && {
      ...row.references,
      onUpdate: word(ACTION, row.references.onUpdate, "pg_constraint.confupdtype"),
      onDelete: word(ACTION, row.references.onDelete, "pg_constraint.confdeltype"),
      match: word(MATCH, row.references.match, "pg_constraint.confmatchtype"),
    },
  }),
);
