import type { Step } from "../../plan/step.ts";
import { literal, qualified } from "../../sql/quote.ts";
import type { Twins } from "./twins.ts";

/** What uses a table and is carried over all the same. */
export interface Carried {
  /** Views, by their paths. */
  readonly views: readonly string[];
  /** Policies of other tables, as `path name`. */
  readonly policies: readonly string[];
  /** Foreign keys of other tables, as `path name`. */
  readonly keys: readonly string[];
  /** Whether the primary key changes, so that a query cannot group by it alone any more. */
  readonly primaryKeyChanges: boolean;
}

const NOTHING: Carried = { views: [], policies: [], keys: [], primaryKeyChanges: false };

/** What the facts do not hold, or what came later: whoever uses the table by its number would go on with the first one. */
export function isUsedByNobody({ schema, table }: Twins, carried: Carried = NOTHING): Step {
  const root = `${literal(qualified(schema, table.name))}::regclass`;
  const among = (names: readonly string[]) =>
    `ANY (ARRAY[${names.map((name) => literal(name)).join(", ")}]::text[])`;
  const path = (oid: string) =>
    `(SELECT pg_catalog.format('"%s"."%s"', pg_catalog.replace(n.nspname, '"', '""'), pg_catalog.replace(c.relname, '"', '""')) FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = ${oid})`;
  const but = [
    ...(carried.views.length === 0
      ? []
      : [
          `\n  AND NOT (d.refclassid <> 'pg_catalog.pg_constraint'::regclass AND d.classid = 'pg_catalog.pg_rewrite'::regclass AND EXISTS (SELECT FROM pg_catalog.pg_rewrite AS w WHERE w.oid = d.objid AND ${path("w.ev_class")} = ${among(carried.views)}))`,
        ]),
    ...(carried.policies.length === 0
      ? []
      : [
          `\n  AND NOT (d.classid = 'pg_catalog.pg_policy'::regclass AND EXISTS (SELECT FROM pg_catalog.pg_policy AS p WHERE p.oid = d.objid AND ${path("p.polrelid")} || ' ' || p.polname = ${among(carried.policies)}))`,
        ]),
    ...(carried.keys.length === 0
      ? []
      : [
          `\n  AND NOT (d.classid = 'pg_catalog.pg_constraint'::regclass AND EXISTS (SELECT FROM pg_catalog.pg_constraint AS k WHERE k.oid = d.objid AND ${path("k.conrelid")} || ' ' || k.conname = ${among(carried.keys)}))`,
        ]),
  ];
  const byKey = carried.primaryKeyChanges
    ? `\n    OR d.refclassid = 'pg_catalog.pg_constraint'::regclass AND d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.refobjid IN (SELECT k.oid FROM pg_catalog.pg_constraint AS k WHERE k.conrelid = r.oid AND k.contype = 'p')`
    : "";
  return {
    kind: "check",
    id: "is-used-by-nobody",
    title: `Nothing hangs on ${table.name} that could not be carried over`,
    sql: `SELECT DISTINCT pg_catalog.pg_describe_object(d.classid, d.objid, 0) AS "object", 'uses the table${carried.primaryKeyChanges ? " or groups by its primary key" : ""}: drop it, and create it again afterwards' AS reason
FROM pg_catalog.pg_depend AS d
JOIN pg_catalog.pg_class AS r ON r.oid = ${root}
JOIN pg_catalog.pg_type AS y ON y.oid = r.reltype
WHERE (d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = r.oid
    OR d.refclassid = 'pg_catalog.pg_type'::regclass AND d.refobjid IN (y.oid, y.typarray)${byKey})
  AND NOT (d.classid = 'pg_catalog.pg_type'::regclass AND d.objid IN (y.oid, y.typarray))
  AND NOT (d.classid = 'pg_catalog.pg_class'::regclass AND EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.oid = d.objid
    AND (c.oid = r.oid OR c.relkind IN ('I', 'i', 'S', 't') OR c.relispartition)))
  AND NOT (d.classid = 'pg_catalog.pg_constraint'::regclass AND EXISTS (SELECT FROM pg_catalog.pg_constraint AS k WHERE k.oid = d.objid
    AND k.conrelid = r.oid AND (k.contype <> 'f' OR k.confrelid <> r.oid)))
  AND NOT (d.classid = 'pg_catalog.pg_trigger'::regclass AND EXISTS (SELECT FROM pg_catalog.pg_trigger AS t WHERE t.oid = d.objid AND (t.tgrelid = r.oid OR t.tgisinternal)))
  AND NOT (d.classid = 'pg_catalog.pg_policy'::regclass AND EXISTS (SELECT FROM pg_catalog.pg_policy AS p WHERE p.oid = d.objid AND p.polrelid = r.oid))
  AND NOT (d.classid = 'pg_catalog.pg_attrdef'::regclass AND EXISTS (SELECT FROM pg_catalog.pg_attrdef AS a WHERE a.oid = d.objid AND a.adrelid = r.oid))${but.join("")}`,
    expect: "noRows",
    transaction: "commitAfter",
    undo: { kind: "nothing" },
  };
}
