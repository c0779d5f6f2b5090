import type { DatabaseObject, ObjectKind } from "../objects/object.ts";
import type { Step } from "../plan/step.ts";
import { literal } from "../sql/quote.ts";

/**
 * Looks, before anything is dropped, for what the host has made of the definition: views over its tables, foreign keys to them, triggers,
 * policies, functions and columns that use its functions, types and row types. DROP without CASCADE would find them too, after the rows are gone.
 */
export function dependentsStep(name: string, objects: readonly DatabaseObject[]): Step {
  const list = (kinds: readonly ObjectKind[]) =>
    objects
      .filter(({ kind }) => kinds.includes(kind))
      .map(({ id }) =>
        literal(id.replace(/^(?:table|view|materialized view|sequence|type|function) /, "")),
      )
      .join(", ");
  const oids = (look: string, kinds: readonly ObjectKind[]) =>
    `SELECT pg_catalog.to_${look}(n.name)::oid AS oid FROM pg_catalog.unnest(ARRAY[${list(kinds)}]::text[]) AS n (name)`;
  return {
    kind: "check",
    id: "dependents",
    title: `Nothing of the host needs what ${name} is made of`,
    sql: `WITH RECURSIVE declared AS (
  ${oids("regclass", ["table", "view", "materializedView", "sequence"])}
), relation AS (
  SELECT oid FROM declared WHERE oid IS NOT NULL
  UNION SELECT i.inhrelid FROM relation AS r
    JOIN pg_catalog.pg_inherits AS i ON i.inhparent = r.oid
    JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid AND c.relispartition
), routine AS (
  ${oids("regprocedure", ["function"])}
), type AS (
  SELECT pg_catalog.unnest(ARRAY[t.oid, t.typarray]) AS oid FROM pg_catalog.pg_type AS t
  WHERE t.oid IN (SELECT oid FROM (${oids("regtype", ["type"])}) AS d UNION ALL
    SELECT c.reltype FROM pg_catalog.pg_class AS c JOIN relation AS r ON r.oid = c.oid)
), used AS (
  SELECT d.classid, d.objid, d.objsubid,
    coalesce(rewrite.ev_class, con.conrelid, trigger.tgrelid, policy.polrelid, def.adrelid,
      index.indrelid, CASE WHEN d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass THEN d.objid END) AS relation,
    CASE WHEN d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass THEN d.objid END AS routine,
    CASE WHEN d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass THEN d.objid END AS type
  FROM pg_catalog.pg_depend AS d
  LEFT JOIN pg_catalog.pg_rewrite AS rewrite ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND rewrite.oid = d.objid
  LEFT JOIN pg_catalog.pg_constraint AS con ON d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND con.oid = d.objid
  LEFT JOIN pg_catalog.pg_trigger AS trigger ON d.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass AND trigger.oid = d.objid
  LEFT JOIN pg_catalog.pg_policy AS policy ON d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass AND policy.oid = d.objid
  LEFT JOIN pg_catalog.pg_attrdef AS def ON d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND def.oid = d.objid
  LEFT JOIN pg_catalog.pg_index AS index ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND index.indexrelid = d.objid
  WHERE d.deptype = 'n' AND (
    d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid IN (SELECT oid FROM relation)
    OR d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.refobjid IN (SELECT oid FROM routine)
    OR d.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass AND d.refobjid IN (SELECT oid FROM type))
)
SELECT DISTINCT pg_catalog.pg_describe_object(classid, objid, objsubid) AS needs_it FROM used
WHERE relation IS NOT NULL AND relation NOT IN (SELECT oid FROM relation)
  OR routine IS NOT NULL AND routine NOT IN (SELECT oid FROM routine WHERE oid IS NOT NULL)
  OR type IS NOT NULL AND type NOT IN (SELECT oid FROM type WHERE oid IS NOT NULL)
LIMIT 20`,
    expect: "noRows",
    transaction: "commitAfter",
    undo: { kind: "nothing" },
  };
}
