import { namedPath } from "../../../catalog/path.ts";
import { ident, literal, qualified } from "../../../sql/quote.ts";
import { managed, PROGRESS, type Management, type Observed } from "./management.ts";

/** `monitor_migration()`: how far each copy is. */
export function monitorMigration(management: Management) {
  const { schema, observed } = management;
  const sources = observed
    .map(({ name, source }) => `(${literal(name)}, ${literal(source)})`)
    .join(", ");
  return managed(management, {
    name: "monitor_migration",
    returns:
      "table (table_name text, program_id text, rows_copied bigint, source_rows bigint, percent numeric, rows_per_second numeric, finished_at timestamptz)",
    volatility: "stable",
    language: "sql",
    comment: "How far each copy is; source_rows is an estimate, and that of all programs.",
    body: `SELECT p.table_name, nullif(p.program_id, ''), p.rows_copied, nullif(greatest(c.reltuples, 0), 0)::bigint,
  CASE WHEN p.finished_at IS NOT NULL THEN 100
    ELSE least(100, pg_catalog.round(100 * p.rows_copied / nullif(greatest(c.reltuples, 0), 0)::numeric, 1)) END,
  pg_catalog.round(p.rows_copied / nullif(extract(epoch FROM p.updated_at - p.started_at), 0), 1),
  p.finished_at
FROM ${qualified(schema, PROGRESS)} AS p
JOIN (VALUES ${sources}) AS s(name, source) ON s.name = p.table_name
LEFT JOIN pg_catalog.pg_class AS c ON c.oid = pg_catalog.to_regclass(s.source)
ORDER BY p.table_name, p.program_id`,
    dependsOn: [namedPath("table", schema, PROGRESS)],
  });
}

/** `post_migration_validation()`: whether both sides hold the same, by program. */
export function postMigrationValidation(management: Management) {
  const { schema, observed } = management;
  const requireAll = qualified(schema, "require_all_rows");
  return managed(management, {
    name: "post_migration_validation",
    returns:
      "table (table_name text, program_id text, source_rows bigint, target_rows bigint, status text)",
    comment:
      "Compares the old tables with the partitioned ones by program: counts, and a sum of hashes over every column.",
    body: `BEGIN
${observed.map((table) => comparison(table, requireAll)).join("")}END`,
  });
}

/** Both sides in one statement, and so in one snapshot. */
function comparison({ name, table, source, columns }: Observed, requireAll: string): string {
  const values = columns.map((column) => `o.${ident(column)}`).join(", ");
  const side = (relation: string) =>
    `SELECT o.program_id, pg_catalog.count(*) AS n, pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.jsonb_build_array(${values})::text, 0)) AS h FROM ${relation} AS o GROUP BY 1`;
  const compare = `SELECT ${literal(name)}, coalesce(s.program_id, t.program_id), coalesce(s.n, 0), coalesce(t.n, 0),
    CASE WHEN s.n IS DISTINCT FROM t.n THEN 'rows differ' WHEN s.h IS DISTINCT FROM t.h THEN 'contents differ' ELSE 'ok' END
  FROM (${side(source)}) AS s FULL JOIN (${side(table)}) AS t USING (program_id) ORDER BY 2`;
  return `  IF pg_catalog.to_regclass(${literal(source)}) IS NOT NULL THEN
    PERFORM ${requireAll}(${literal(source)}::regclass);
    PERFORM ${requireAll}(${literal(table)}::regclass);
    RETURN QUERY EXECUTE ${literal(compare)};
  END IF;
`;
}
