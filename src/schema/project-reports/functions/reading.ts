import type { AccessData } from "../../../definition/access.ts";
import type { DatabaseObject } from "../../../objects/object.ts";
import { pgFunction, type FunctionOptions } from "../../../objects/pg-function.ts";
import { ident } from "../../../sql/quote.ts";
import { namer } from "../names.ts";

type Reading = Pick<FunctionOptions, "name" | "arguments" | "returns" | "body" | "comment">;

/**
 * The functions that read. They run with the rights of the caller, so that policies hold: for a report that the caller may not see the
 * answer is the same as for one that is not there.
 */
export function readingFunctions(access: AccessData, schema: string): readonly DatabaseObject[] {
  const { type, ...names } = namer(schema);
  const callers = [...new Set(Object.values(access.roles)), access.migratorRole];
  const make = (reading: Reading) =>
    pgFunction({
      schema,
      language: "sql",
      volatility: "stable",
      parallel: "safe",
      executeTo: callers,
      dependsOn: callers.map((role) => `role ${ident(role)}`),
      ...reading,
    });
  const forReport = [{ name: "for_report", type: "uuid" }];
  return [
    make({
      name: "get_latest_pmr_report",
      arguments: [{ name: "for_project", type: "uuid" }],
      returns: `setof ${names.reports}`,
      comment: "The report of the latest month of a project, in its latest version.",
      body: `SELECT r.* FROM ${names.reports} AS r
WHERE r.project_id = for_project
ORDER BY r.report_month DESC, r.version DESC
LIMIT 1`,
    }),
    make({
      name: "calculate_pmr_completeness",
      arguments: forReport,
      returns: "numeric",
      comment:
        "How much of a report is there, from 0 to 100: summary 20, sections 40 (against those of its template), metrics 15, visualizations 10, a validated insight 15. NULL where there is no such report.",
      body: completeness(names),
    }),
    make({
      name: "get_active_collaborators",
      arguments: forReport,
      returns: `table (user_id uuid, role ${type("participant_role")}, session_type ${type("session_type")}, session_count integer, edit_count integer, started_at timestamptz, last_activity_at timestamptz)`,
      comment: "Who is at work on a report, whoever was active last first.",
      body: `SELECT e.user_id, (array_agg(e.role ORDER BY e.last_activity_at DESC))[1],
  (array_agg(e.session_type ORDER BY e.last_activity_at DESC))[1],
  count(*)::integer, sum(e.edit_count)::integer, min(e.started_at), max(e.last_activity_at)
FROM ${names.editSessions} AS e
WHERE e.report_id = for_report AND e.is_active
GROUP BY e.user_id
ORDER BY max(e.last_activity_at) DESC, e.user_id`,
    }),
    make({
      name: "get_unresolved_comments",
      arguments: forReport,
      returns:
        "table (comment_id uuid, parent_comment_id uuid, depth integer, section_id text, user_id uuid, content text, answer_count integer, created_at timestamptz)",
      comment: "The open comments of a report, section by section, the oldest first.",
      body: `SELECT c.id, c.parent_comment_id, c.depth::integer, c.section_id, c.user_id, c.content,
  (SELECT count(*) FROM ${names.comments} AS a
   WHERE a.project_id = c.project_id AND a.report_id = c.report_id AND a.parent_comment_id = c.id)::integer,
  c.created_at
FROM ${names.comments} AS c
WHERE c.report_id = for_report AND NOT c.is_resolved
ORDER BY c.section_id, c.created_at, c.id`,
    }),
    make({
      name: "get_ai_insights_summary",
      arguments: forReport,
      returns: `table (category ${type("ai_insight_category")}, insight_count integer, average_confidence numeric, average_impact numeric, urgent_count integer, validated_count integer, open_count integer)`,
      comment: "The insights of a report by category.",
      body: `SELECT i.category, count(*)::integer, round(avg(i.confidence_score), 3),
  round(avg(i.impact_score), 3),
  (count(*) FILTER (WHERE i.priority IN ('high', 'critical')))::integer,
  (count(*) FILTER (WHERE i.validation_status = 'validated'))::integer,
  (count(*) FILTER (WHERE i.validation_status IN ('pending', 'needs_review')))::integer
FROM ${names.insights} AS i
WHERE i.report_id = for_report
GROUP BY i.category
ORDER BY i.category`,
    }),
    make({
      name: "get_export_job_statistics",
      arguments: [{ name: "last_days", type: "integer", default: "30" }],
      returns: `table (export_format ${type("export_format")}, total_jobs integer, completed_jobs integer, failed_jobs integer, open_jobs integer, success_rate numeric, average_seconds numeric, total_bytes bigint)`,
      comment: "The export jobs of the last days by format.",
      body: `SELECT j.export_format, count(*)::integer,
  (count(*) FILTER (WHERE j.status = 'completed'))::integer,
  (count(*) FILTER (WHERE j.status = 'failed'))::integer,
  (count(*) FILTER (WHERE j.status IN ('queued', 'processing')))::integer,
  round((count(*) FILTER (WHERE j.status = 'completed'))::numeric
    / nullif(count(*) FILTER (WHERE j.status IN ('completed', 'failed')), 0), 3),
  round(avg(EXTRACT(epoch FROM j.completed_at - j.started_at)) FILTER (WHERE j.status = 'completed'), 1),
  coalesce(sum(j.file_size_bytes), 0)::bigint
FROM ${names.exportJobs} AS j
WHERE j.created_at > now() - make_interval(days => last_days)
GROUP BY j.export_format
ORDER BY j.export_format`,
    }),
  ];
}

function completeness({
  reports,
  templates,
  insights,
}: Omit<ReturnType<typeof namer>, "type">): string {
  return `SELECT round(
  CASE WHEN btrim(coalesce(r.executive_summary, '')) = '' THEN 0 ELSE 20 END
  + 40 * least(1, s.filled / greatest(1, s.present, s.expected))
  + CASE WHEN r.metrics = '{}'::jsonb THEN 0 ELSE 15 END
  + CASE WHEN r.visualizations = '[]'::jsonb THEN 0 ELSE 10 END
  + CASE WHEN EXISTS (
      SELECT FROM ${insights} AS i
      WHERE i.project_id = r.project_id AND i.report_id = r.id AND i.validation_status = 'validated'
    ) THEN 15 ELSE 0 END, 2)
FROM ${reports} AS r
LEFT JOIN ${templates} AS t ON t.id = r.template_id
CROSS JOIN LATERAL (
  SELECT (count(*) FILTER (WHERE btrim(coalesce(n.section ->> 'content', '')) <> ''))::numeric AS filled,
    count(*)::numeric AS present,
    coalesce(jsonb_array_length(t.sections), 0)::numeric AS expected
  FROM jsonb_array_elements(r.sections) AS n (section)
) AS s
WHERE r.id = for_report`;
}
