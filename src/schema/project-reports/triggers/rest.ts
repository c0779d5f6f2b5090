import type { AccessData } from "../../../definition/access.ts";
import { isAnyPersona, isPersona, softUserId } from "../access.ts";
import { namer } from "../names.ts";
import { legalTransitions } from "../transitions.ts";
import { authorSql, fixedSql, forbidSql, violateSql, workflowSql } from "./workflow.ts";

/** `updated_at`, whatever the statement says. */
export const touch = `BEGIN
  NEW.updated_at := now();
  RETURN NEW;
END`;

/** What an AI said stays what it said: persons judge it, and only the service writes it. */
export function guardInsight(access: AccessData): string {
  const said = [
    "insight_type",
    "category",
    "priority",
    "title",
    "content",
    "confidence_score",
    "impact_score",
    "supporting_data",
    "recommended_actions",
    "ai_model",
  ];
  const row = (of: string) => `ROW(${said.map((column) => `${of}.${column}`).join(", ")})`;
  return `DECLARE
  me uuid := ${softUserId(access)};
BEGIN
  ${fixedSql("ai_insights", ["project_id", "id", "report_id", "created_at"])}
  ${workflowSql({ table: "ai_insights", column: "validation_status", transitions: legalTransitions.validationStatus })}
  IF TG_OP = 'INSERT' THEN
    RETURN NEW;
  END IF;
  ${forbidSql(
    `${row("NEW")} IS DISTINCT FROM ${row("OLD")} AND ${isPersona(access, ["manager", "member", "viewer"])}`,
    "only the service writes what the AI says: validate it, reject it, or give feedback",
    "ai_insights_authorship",
  )}
  IF NEW.validation_status IS DISTINCT FROM OLD.validation_status THEN
    IF NEW.validation_status IN ('validated', 'rejected') THEN
      NEW.validated_by := coalesce(me, NEW.validated_by);
      NEW.validated_at := now();
    ELSE
      NEW.validated_by := NULL;
      NEW.validated_at := NULL;
    END IF;
  END IF;
  RETURN NEW;
END`;
}

/** A session that ended stays ended, and of a report. */
export function guardSession(access: AccessData, table: string, author: string): string {
  return `BEGIN
  ${fixedSql(table, ["project_id", "id", "report_id", "started_at"])}
  ${authorSql(table, author, isAnyPersona(access))}
  ${violateSql("TG_OP = 'UPDATE' AND NEW.is_active AND NOT OLD.is_active", "a session that ended is not opened again: begin another", `${table}_is_over`)}
  IF NOT NEW.is_active AND NEW.ended_at IS NULL THEN
    NEW.ended_at := greatest(now(), NEW.started_at);
  ELSIF NEW.ended_at IS NOT NULL THEN
    NEW.is_active := false;
  END IF;
  RETURN NEW;
END`;
}

/** The way of an export job. Persons ask for it and call it off; the service does the rest. */
export function guardExportJob(access: AccessData): string {
  return `BEGIN
  ${fixedSql("export_jobs", ["project_id", "id", "report_id", "export_format", "created_at"])}
  ${workflowSql({ table: "export_jobs", column: "status", transitions: legalTransitions.exportJobStatus })}
  IF TG_OP = 'INSERT' THEN
    RETURN NEW;
  END IF;
  ${forbidSql(
    `to_jsonb(NEW) - ARRAY['status', 'updated_at'] IS DISTINCT FROM to_jsonb(OLD) - ARRAY['status', 'updated_at'] AND ${isPersona(access, ["manager", "member", "viewer"])}`,
    "an export job is the service's once it is asked for: it can only be called off",
    "export_jobs_authorship",
  )}
  IF NEW.status IS DISTINCT FROM OLD.status THEN
    ${forbidSql(
      `NEW.status <> 'cancelled' AND ${isPersona(access, ["manager", "member", "viewer"])}`,
      "an export job is the service's once it is asked for: it can only be called off",
      "export_jobs_authorship",
    )}
    CASE NEW.status::text
      WHEN 'processing' THEN
        NEW.started_at := now();
        NEW.attempts := OLD.attempts + 1;
      WHEN 'completed' THEN
        NEW.completed_at := now();
        NEW.progress_percent := 100;
      WHEN 'queued' THEN
        NEW.started_at := NULL;
        NEW.error_message := NULL;
        NEW.progress_percent := 0;
      ELSE NULL;
    END CASE;
  END IF;
  RETURN NEW;
END`;
}

/** The way of a report to a recipient, with the moment of each step. */
export function guardDistribution(access: AccessData): string {
  return `BEGIN
  ${fixedSql("pmr_distribution_log", ["project_id", "id", "report_id", "method", "recipient", "created_at"])}
  ${authorSql("pmr_distribution_log", "distributed_by", isAnyPersona(access))}
  ${workflowSql({ table: "pmr_distribution_log", column: "status", transitions: legalTransitions.distributionStatus })}
  IF TG_OP = 'UPDATE' AND NEW.status IS DISTINCT FROM OLD.status THEN
    CASE NEW.status::text
      WHEN 'sent' THEN NEW.sent_at := coalesce(NEW.sent_at, now());
      WHEN 'delivered' THEN NEW.delivered_at := coalesce(NEW.delivered_at, now());
      WHEN 'opened' THEN NEW.opened_at := coalesce(NEW.opened_at, now());
      WHEN 'pending' THEN NEW.error_message := NULL;
      ELSE NULL;
    END CASE;
  END IF;
  RETURN NEW;
END`;
}

/**
 * The place of a comment in its thread.
 *
 * A circle cannot be: the comment that is answered must be there before the answer, and neither is ever moved. A foreign key alone would
 * let two rows of one INSERT answer each other, since it looks at the end of the statement.
 */
export function guardComment(access: AccessData, schema: string): string {
  const { comments } = namer(schema);
  return `DECLARE
  me uuid := ${softUserId(access)};
  depth_above smallint;
BEGIN
  ${fixedSql("pmr_comments", ["project_id", "id", "report_id", "parent_comment_id", "depth", "created_at"])}
  ${authorSql("pmr_comments", "user_id", isAnyPersona(access))}
  IF TG_OP = 'INSERT' THEN
    NEW.depth := 0;
    IF NEW.parent_comment_id IS NOT NULL THEN
      SELECT c.depth INTO depth_above FROM ${comments} AS c
      WHERE c.project_id = NEW.project_id AND c.report_id = NEW.report_id AND c.id = NEW.parent_comment_id;
      IF NOT FOUND THEN
        RAISE foreign_key_violation USING
          MESSAGE = 'the comment that is answered is not there, or is about another report',
          CONSTRAINT = 'pmr_comments_parent_fkey', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME;
      END IF;
      NEW.depth := depth_above + 1;
    END IF;
  ELSIF NEW.content IS DISTINCT FROM OLD.content THEN
    ${forbidSql(
      `NEW.user_id IS DISTINCT FROM me AND ${isPersona(access, ["manager", "member", "viewer"])}`,
      "only its author changes what a comment says",
      "pmr_comments_authorship",
    )}
    NEW.edited_at := now();
  END IF;
  IF NEW.is_resolved AND NEW.resolved_at IS NULL THEN
    NEW.resolved_at := now();
    NEW.resolved_by := coalesce(me, NEW.resolved_by);
  ELSIF NOT NEW.is_resolved THEN
    NEW.resolved_at := NULL;
    NEW.resolved_by := NULL;
  END IF;
  RETURN NEW;
END`;
}

/** Who made a template is who made it; the default ones are nobody's. */
export const guardTemplate = `BEGIN
  ${fixedSql("pmr_templates", ["id", "created_at"])}
  ${violateSql(
    // NULL is what the foreign key makes of it when the account goes.
    "TG_OP = 'UPDATE' AND NEW.created_by IS NOT NULL AND NEW.created_by IS DISTINCT FROM OLD.created_by",
    "a template is not handed over",
    "pmr_templates_creator",
  )}
  RETURN NEW;
END`;
