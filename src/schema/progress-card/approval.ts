import type { DatabaseObject } from "../../objects/object.ts";
import { pgFunction } from "../../objects/pg-function.ts";
import { pgTrigger } from "../../objects/pg-trigger.ts";
import { literal, qualified } from "../../sql/quote.ts";
import { actingUser } from "./acting-user.ts";
import { legalTransitions, reviewerStatuses } from "./legal-transitions.ts";
import type { ProgressCardParts } from "./parts.ts";

/** The way of a report to the family, and that it stays as the family has read it. */
export function approvalObjects(
  schema: string,
  parts: ProgressCardParts,
): readonly DatabaseObject[] {
  const check = checkApproval(schema, actingUser(parts.access));
  const keep = keepPublished(schema);
  const { hpcApprovalWorkflows, hpcReports } = parts.tables;
  return [
    check,
    keep,
    pgTrigger({
      table: hpcApprovalWorkflows,
      name: "legal_transition",
      timing: "before",
      events: ["insert", "update"],
      execute: check,
    }),
    pgTrigger({
      table: hpcReports,
      name: "keep_published",
      timing: "before",
      events: ["update"],
      execute: keep,
    }),
  ];
}

/**
 * Enforces the transitions, step by step, and that reviewing is the administrators'.
 *
 * A policy sees the row before or the row after, never both: only a trigger can compare them.
 */
function checkApproval(schema: string, actor: string) {
  const list = (values: readonly string[]) =>
    values.map((value) => literal(value).trim()).join(", ");
  const legal = Object.entries(legalTransitions).flatMap(([from, to]) =>
    to.map((each) => `${from} ${each}`),
  );
  const refuse = (
    condition: string,
    message: string,
    constraint: string,
    hint: string,
  ) => `RAISE ${condition} USING
      MESSAGE = ${message},
      CONSTRAINT = ${literal(constraint).trim()}, SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
      HINT = ${literal(hint).trim()};`;
  const step = refuse(
    "check_violation",
    "pg_catalog.format('step %s does not follow step %s', NEW.current_step, OLD.current_step)",
    "hpc_approval_workflows_step_order",
    "A review goes on one step at a time, while the report is under review.",
  );
  return pgFunction({
    schema,
    name: "hpc_check_approval",
    returns: "trigger",
    language: "plpgsql",
    volatility: "volatile",
    comment: "Refuses a transition that is not legal or not the actor's.",
    body: `DECLARE
  actor uuid := ${actor};
  advances boolean := false;
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.status <> 'draft' OR NEW.current_step <> 1 THEN
    ${refuse(
      "check_violation",
      "pg_catalog.format('an approval begins as draft at step 1, not as %s at step %s', NEW.status, NEW.current_step)",
      "hpc_approval_workflows_legal_transition",
      "Insert it as draft, then update its status.",
    )}
    END IF;
    RETURN NEW;
  END IF;
  IF NEW.status = OLD.status THEN
    advances := NEW.current_step <> OLD.current_step;
    IF advances AND NOT (OLD.status = 'under_review' AND NEW.current_step = OLD.current_step + 1) THEN
    ${step}
    END IF;
  ELSE
    IF NOT pg_catalog.concat(OLD.status, ' ', NEW.status) IN (${list(legal)}) THEN
    ${refuse(
      "check_violation",
      "pg_catalog.format('an approval does not go from %s to %s', OLD.status, NEW.status)",
      "hpc_approval_workflows_legal_transition",
      "See legalTransitions.",
    )}
    END IF;
    IF NEW.status IN ('draft', 'submitted') THEN
      NEW.current_step := 1;
    ELSIF NEW.current_step <> OLD.current_step THEN
    ${step}
    END IF;
    CASE NEW.status
      WHEN 'submitted' THEN NEW.submitted_at := pg_catalog.now(); NEW.decided_at := NULL;
      WHEN 'approved', 'rejected', 'revision_requested' THEN NEW.decided_at := pg_catalog.now();
      WHEN 'published' THEN NEW.published_at := pg_catalog.now();
      ELSE NULL;
    END CASE;
  END IF;
  IF actor IS NOT NULL AND (advances OR (NEW.status <> OLD.status AND NEW.status IN (${list(reviewerStatuses)})))
     AND NOT EXISTS (
       SELECT FROM ${qualified(schema, "user_profiles")} AS p
       WHERE p.institution_id = NEW.institution_id AND p.id = actor AND p.role = 'admin'
     ) THEN
    ${refuse(
      "insufficient_privilege",
      "'only an administrator reviews'",
      "hpc_approval_workflows_reviewer",
      "Submit the report, and let an administrator review it.",
    )}
  END IF;
  RETURN NEW;
END`,
  });
}

function keepPublished(schema: string) {
  return pgFunction({
    schema,
    name: "hpc_keep_published",
    returns: "trigger",
    language: "plpgsql",
    volatility: "volatile",
    comment: "Refuses to change a report that was published.",
    body: `BEGIN
  IF EXISTS (
    SELECT FROM ${qualified(schema, "hpc_approval_workflows")} AS w
    WHERE w.institution_id = OLD.institution_id AND w.student_id = OLD.student_id
      AND w.report_id = OLD.id AND w.status = 'published'
  ) THEN
    RAISE check_violation USING MESSAGE = 'the report was published',
      CONSTRAINT = 'hpc_reports_published', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
      HINT = 'Write a new version of it.';
  END IF;
  RETURN NEW;
END`,
  });
}
