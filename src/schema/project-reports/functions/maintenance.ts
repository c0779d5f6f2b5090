import type { AccessData } from "../../../definition/access.ts";
import type { DatabaseObject } from "../../../objects/object.ts";
import { pgFunction, type FunctionOptions } from "../../../objects/pg-function.ts";
import { ident, literal, qualified } from "../../../sql/quote.ts";
import { namer } from "../names.ts";

/**
 * The functions that tidy up. Nothing is deleted: what is old is ended and dated, and leaves the views of what is active.
 *
 * They run with the rights of the caller: `system` tidies the project of its context, the migrator all projects.
 */
export function maintenanceFunctions(
  access: AccessData,
  schema: string,
): readonly DatabaseObject[] {
  const { reports, editSessions, collaborationSessions } = namer(schema);
  const callers = [access.roles.system ?? access.migratorRole, access.migratorRole];
  const make = (
    maintenance: Pick<FunctionOptions, "name" | "arguments" | "returns" | "body" | "comment">,
  ) =>
    pgFunction({
      schema,
      language: "plpgsql",
      volatility: "volatile",
      executeTo: callers,
      dependsOn: callers.map((role) => `role ${ident(role)}`),
      ...maintenance,
    });
  // A negative age would reach rows of today, and NULL none, silently.
  const refuseAge = (age: string) => `IF ${age} IS NULL OR ${age} < 0 THEN
    RAISE invalid_parameter_value USING MESSAGE = ${literal(`${age} must be zero or more`).trim()};
  END IF;`;
  const call = (name: string) => `${qualified(schema, name)}()`;
  return [
    make({
      name: "cleanup_old_edit_sessions",
      arguments: [{ name: "older_than_days", type: "integer", default: "30" }],
      returns: "integer",
      comment:
        "Ends and archives the edit sessions without activity for so many days, and says how many.",
      body: `DECLARE
  affected integer;
BEGIN
  ${refuseAge("older_than_days")}
  UPDATE ${editSessions} AS s
  SET is_active = false, ended_at = coalesce(s.ended_at, greatest(s.started_at, s.last_activity_at)), archived_at = now()
  WHERE s.archived_at IS NULL
    AND s.last_activity_at < now() - make_interval(days => older_than_days);
  GET DIAGNOSTICS affected = ROW_COUNT;
  RETURN affected;
END`,
    }),
    make({
      name: "cleanup_old_collaboration_sessions",
      arguments: [{ name: "older_than_hours", type: "integer", default: "24" }],
      returns: "integer",
      comment:
        "Ends and archives the collaborative sessions without activity for so many hours, lets their reports go, and says how many.",
      body: `DECLARE
  affected integer;
BEGIN
  ${refuseAge("older_than_hours")}
  WITH ended AS (
    UPDATE ${collaborationSessions} AS s
    SET is_active = false, ended_at = coalesce(s.ended_at, greatest(s.started_at, s.last_activity_at)), archived_at = now()
    WHERE s.archived_at IS NULL
      AND s.last_activity_at < now() - make_interval(hours => older_than_hours)
    RETURNING s.project_id, s.report_id, s.id
  ), let_go AS (
    UPDATE ${reports} AS r SET collaboration_session_id = NULL
    FROM ended AS e
    WHERE r.project_id = e.project_id AND r.id = e.report_id AND r.collaboration_session_id = e.id
  )
  SELECT count(*) INTO affected FROM ended;
  RETURN affected;
END`,
    }),
    make({
      name: "archive_old_pmr_reports",
      arguments: [{ name: "older_than_months", type: "integer", default: "12" }],
      returns: "integer",
      comment: "Archives the reports that were distributed so many months ago, and says how many.",
      body: `DECLARE
  affected integer;
BEGIN
  ${refuseAge("older_than_months")}
  UPDATE ${reports} AS r SET status = 'archived'
  WHERE r.status = 'distributed'
    AND r.distributed_at < now() - make_interval(months => older_than_months);
  GET DIAGNOSTICS affected = ROW_COUNT;
  RETURN affected;
END`,
    }),
    make({
      name: "pmr_maintenance_job",
      returns: "table (task text, affected integer)",
      comment:
        "Edit sessions over 30 days, collaborative sessions over 24 hours, distributed reports over 12 months: for a scheduler.",
      body: `BEGIN
  RETURN QUERY VALUES
    ('cleanup_old_edit_sessions'::text, ${call("cleanup_old_edit_sessions")}),
    ('cleanup_old_collaboration_sessions'::text, ${call("cleanup_old_collaboration_sessions")}),
    ('archive_old_pmr_reports'::text, ${call("archive_old_pmr_reports")});
END`,
    }),
  ];
}
