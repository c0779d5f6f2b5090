import type { CheckStep, RelationName } from "../plan/step.ts";
import { literal, qualified } from "../sql/quote.ts";

/**
 * Refuses to go on while something else than these columns would go with them, or stands in their way: views, policies,
 * foreign keys of others, generated columns, functions with an SQL body, and what is over other columns too. DROP COLUMN would
 * take constraints and indexes over several columns along without a word.
 */
export function nothingUsesStep(table: RelationName, columns: readonly string[]): CheckStep {
  const names = columns.map((column) => literal(column)).join(", ");
  const path = literal(qualified(table.schema, table.name));
  const gone = `SELECT a.attnum FROM pg_catalog.pg_attribute a WHERE a.attrelid = ${path}::regclass AND a.attname IN (${names})`;
  return {
    kind: "check",
    id: "nothing-uses-them",
    title: `Nothing else uses ${columns.join(", ")}`,
    sql: `SELECT DISTINCT pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid) AS used_by
FROM pg_catalog.pg_depend d
LEFT JOIN pg_catalog.pg_constraint k ON d.classid = 'pg_catalog.pg_constraint'::regclass AND k.oid = d.objid
LEFT JOIN pg_catalog.pg_index i ON d.classid = 'pg_catalog.pg_class'::regclass AND i.indexrelid = d.objid
LEFT JOIN pg_catalog.pg_attrdef f ON d.classid = 'pg_catalog.pg_attrdef'::regclass AND f.oid = d.objid
WHERE d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = ${path}::regclass AND d.refobjsubid IN (${gone})
  AND CASE
    WHEN k.contype = 'p' THEN true
    WHEN k.conrelid = d.refobjid THEN k.conkey && ARRAY(SELECT a.attnum FROM pg_catalog.pg_attribute a
      WHERE a.attrelid = d.refobjid AND a.attnum > 0 AND a.attname NOT IN (${names}))
    WHEN i.indexrelid IS NOT NULL THEN EXISTS (
      SELECT FROM pg_catalog.unnest(i.indkey::int2[]) AS c (number) WHERE c.number <> 0 AND c.number NOT IN (${gone}))
    WHEN f.oid IS NOT NULL THEN f.adnum NOT IN (${gone})
    ELSE d.deptype = 'n' END`,
    expect: "noRows",
    transaction: "inside",
    undo: { kind: "nothing" },
  };
}
