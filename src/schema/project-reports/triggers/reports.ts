import type { AccessData } from "../../../definition/access.ts";
import { literal } from "../../../sql/quote.ts";
import { isAnyPersona, isPersona, softUserId } from "../access.ts";
import { namer } from "../names.ts";
import { legalTransitions } from "../transitions.ts";
import { authorSql, fixedSql, forbidSql, violateSql, workflowSql } from "./workflow.ts";

/** What of a report is its content: a change of it is an edit, and it is final once the report is approved. */
const CONTENT = [
  "title",
  "executive_summary",
  "report_month",
  "version",
  "template_id",
  "sections",
  "metrics",
  "visualizations",
  "ai_generated_insights",
  "ai_confidence_scores",
  "monte_carlo_analysis",
] as const;

/** What `audit_log` holds at most: it is rewritten with every edit. The whole history is in `pmr_change_events`. */
const AUDIT_LOG_ENTRIES = 100;

const contentList = CONTENT.map((column) => literal(column)).join(", ");

/**
 * Before a report is written: the workflow, the final content, who may approve, the counter of edits, the dates, the audit log.
 *
 * The counter takes OLD as the row is once its lock is had, so that two editors at once count two.
 */
export function guardReport(access: AccessData): string {
  return `DECLARE
  me uuid := ${softUserId(access)};
  edited text[] := '{}';
  entry jsonb;
BEGIN
  ${fixedSql("pmr_reports", ["project_id", "id", "created_at"])}
  ${authorSql("pmr_reports", "created_by", isAnyPersona(access))}
  ${workflowSql({ table: "pmr_reports", column: "status", transitions: legalTransitions.pmrStatus })}
  IF TG_OP = 'INSERT' THEN
    NEW.total_edits := 0;
    NEW.audit_log := jsonb_build_array(jsonb_build_object('at', now(), 'by', me, 'action', 'created'));
    RETURN NEW;
  END IF;
  edited := ARRAY(
    SELECT n.key FROM jsonb_each(to_jsonb(NEW)) AS n
    WHERE n.key IN (${contentList}) AND n.value IS DISTINCT FROM to_jsonb(OLD) -> n.key
    ORDER BY n.key);
  NEW.total_edits := OLD.total_edits;
  NEW.audit_log := OLD.audit_log;
  IF cardinality(edited) > 0 THEN
    ${violateSql(
      "OLD.status IN ('approved', 'distributed', 'archived')",
      "the content of a report is final once it is approved: return it to review, or make a new version",
      "pmr_reports_content_is_final",
    )}
    NEW.total_edits := OLD.total_edits + 1;
    NEW.last_edited_by := coalesce(me, NEW.last_edited_by);
    NEW.last_edited_at := now();
    entry := jsonb_build_object('at', now(), 'by', me, 'action', 'edited', 'fields', to_jsonb(edited));
  END IF;
  IF NEW.status IS DISTINCT FROM OLD.status THEN
    ${forbidSql(
      `(NEW.status IN ('approved', 'distributed', 'archived') OR OLD.status = 'approved') AND ${isPersona(access, ["member", "viewer"])}`,
      "only a manager approves, distributes, archives or reopens a report",
      "pmr_reports_approval",
    )}
    CASE NEW.status::text
      WHEN 'review' THEN
        NEW.submitted_by := coalesce(me, NEW.submitted_by);
        NEW.submitted_at := now();
        NEW.approved_by := NULL;
        NEW.approved_at := NULL;
      WHEN 'approved' THEN
        NEW.approved_by := coalesce(me, NEW.approved_by);
        NEW.approved_at := now();
      WHEN 'distributed' THEN NEW.distributed_at := coalesce(NEW.distributed_at, now());
      WHEN 'archived' THEN NEW.archived_at := now();
      ELSE NULL;
    END CASE;
    entry := coalesce(entry, jsonb_build_object('at', now(), 'by', me, 'action', 'status'))
      || jsonb_build_object('from', OLD.status, 'to', NEW.status);
  END IF;
  IF entry IS NOT NULL THEN
    NEW.audit_log := CASE WHEN jsonb_array_length(OLD.audit_log) >= ${AUDIT_LOG_ENTRIES} THEN OLD.audit_log - 0 ELSE OLD.audit_log END || entry;
  END IF;
  RETURN NEW;
END`;
}

/**
 * After a report is changed: one event for each field, and for each section that came, went or changed; and the counter of the
 * editor's open sessions.
 *
 * It runs with the rights of the editor, whose rule lets in events under the own name only.
 */
export function recordReport(access: AccessData, schema: string): string {
  const { changeEvents, editSessions, type } = namer(schema);
  return `DECLARE
  me uuid := ${softUserId(access)};
  old_report jsonb := to_jsonb(OLD);
  new_report jsonb := to_jsonb(NEW);
BEGIN
  IF NEW.total_edits = OLD.total_edits AND NEW.status = OLD.status THEN
    RETURN NULL;
  END IF;
  INSERT INTO ${changeEvents} (project_id, report_id, collaboration_session_id, user_id, event_type, field, section_id, old_value, new_value)
  SELECT NEW.project_id, NEW.id, NEW.collaboration_session_id, me, e.event::${type("change_event_type")}, e.field, e.section_id, e.old_value, e.new_value
  FROM (
    SELECT 'content_updated'::text AS event, n.key AS field, NULL::text AS section_id, old_report -> n.key AS old_value, n.value AS new_value
    FROM jsonb_each(new_report) AS n
    WHERE n.key IN (${contentList}) AND n.key <> 'sections' AND n.value IS DISTINCT FROM old_report -> n.key
    UNION ALL
    SELECT CASE WHEN o.section IS NULL THEN 'section_added' WHEN n.section IS NULL THEN 'section_removed' ELSE 'section_updated' END,
      'sections', coalesce(n.section ->> 'id', o.section ->> 'id'), o.section, n.section
    FROM jsonb_array_elements(OLD.sections) AS o (section)
    FULL JOIN jsonb_array_elements(NEW.sections) AS n (section) ON n.section ->> 'id' = o.section ->> 'id'
    WHERE n.section IS DISTINCT FROM o.section
    UNION ALL
    SELECT 'status_changed', 'status', NULL, old_report -> 'status', new_report -> 'status'
    WHERE NEW.status <> OLD.status
  ) AS e;
  IF NEW.total_edits > OLD.total_edits THEN
    UPDATE ${editSessions} AS s
    SET edit_count = s.edit_count + 1, last_activity_at = greatest(s.last_activity_at, now())
    WHERE s.project_id = NEW.project_id AND s.report_id = NEW.id AND s.user_id = me AND s.is_active;
  END IF;
  RETURN NULL;
END`;
}
