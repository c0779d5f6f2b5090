import type { DatabaseObject } from "../../objects/object.ts";
import { pgFunction } from "../../objects/pg-function.ts";
import { pgTrigger } from "../../objects/pg-trigger.ts";
import type { AccessData } from "../../definition/access.ts";
import { literal, qualified } from "../../sql/quote.ts";
import type { ProgressCardParts } from "./parts.ts";

/** Of whom, by whom, when and in what an evaluation is: its key. */
const IDENTITY = ["cycle_id", "student_id", "parameter_id", "stakeholder", "evaluator_id"] as const;

/** What an evaluation must be beside what its own columns say, and the weights of its sides. */
export function scoringObjects(
  schema: string,
  { tables, access }: ProgressCardParts,
): readonly DatabaseObject[] {
  const prepare = prepareEvaluation(schema);
  const keep = keepEvaluation(schema, access);
  const row = (of: "OLD" | "NEW") => `(${IDENTITY.map((column) => `${of}.${column}`).join(", ")})`;
  const weights = checkWeights(schema);
  return [
    prepare,
    keep,
    weights,
    pgTrigger({
      table: tables.hpcEvaluations,
      name: "keep_identity",
      timing: "before",
      events: ["update"],
      when: `${row("OLD")} IS DISTINCT FROM ${row("NEW")}`,
      execute: keep,
    }),
    pgTrigger({
      table: tables.hpcEvaluations,
      name: "prepare_evaluation",
      timing: "before",
      events: ["insert", "update"],
      execute: prepare,
    }),
    pgTrigger({
      table: tables.hpcParameterAssignments,
      name: "weights_sum_to_one",
      timing: "after",
      events: ["insert", "update", "delete"],
      execute: weights,
      deferred: true,
    }),
  ];
}

/**
 * Brings the rubric's scale into the row, and holds the stakeholder to who the evaluator is.
 *
 * It runs as who writes: an evaluator whose profile they may not see is as good as none, so that nobody speaks for another and learns nothing of
 * who else is there. A teacher may enter what a small child says.
 */
function prepareEvaluation(schema: string) {
  return pgFunction({
    schema,
    name: "hpc_prepare_evaluation",
    returns: "trigger",
    language: "plpgsql",
    volatility: "volatile",
    comment:
      "Takes the scale from the rubric and compares the stakeholder with the evaluator's role.",
    body: `DECLARE
  rubric record;
  evaluator record;
BEGIN
  SELECT r.scale_min, r.scale_max INTO rubric FROM ${qualified(schema, "hpc_rubrics")} AS r
  WHERE r.institution_id = NEW.institution_id AND r.id = NEW.rubric_id;
  IF NOT FOUND THEN
    RAISE foreign_key_violation USING MESSAGE = 'the rubric of the evaluation is not there',
      CONSTRAINT = 'hpc_evaluations_rubric_fk', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME;
  END IF;
  NEW.scale_min := rubric.scale_min;
  NEW.scale_max := rubric.scale_max;
  NEW.submitted_at := CASE WHEN NEW.status = 'submitted' THEN coalesce(NEW.submitted_at, pg_catalog.now()) END;
  IF TG_OP = 'UPDATE' THEN
    IF NEW.evaluator_id = OLD.evaluator_id AND NEW.student_id = OLD.student_id AND NEW.stakeholder = OLD.stakeholder THEN
      RETURN NEW;
    END IF;
  END IF;
  SELECT p.role, p.parent_of INTO evaluator FROM ${qualified(schema, "user_profiles")} AS p
  WHERE p.institution_id = NEW.institution_id AND p.id = NEW.evaluator_id;
  IF NOT FOUND THEN
    RAISE foreign_key_violation USING MESSAGE = 'the evaluator is not there',
      CONSTRAINT = 'hpc_evaluations_evaluator_fk', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME;
  END IF;
  IF NOT (CASE NEW.stakeholder
    WHEN 'teacher' THEN evaluator.role IN ('teacher', 'admin')
    WHEN 'parent' THEN evaluator.role = 'parent' AND NEW.student_id = ANY (evaluator.parent_of)
    ELSE evaluator.role = 'student'
  END) THEN
    RAISE check_violation USING
      MESSAGE = pg_catalog.format('a %s cannot evaluate this student as %s', evaluator.role, NEW.stakeholder),
      CONSTRAINT = 'hpc_evaluations_stakeholder_role', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
      HINT = 'Teachers evaluate as teacher, parents as parent of their children, students as self or peer.';
  END IF;
  RETURN NEW;
END`,
  });
}

/**
 * Holds an evaluation to whom it is of.
 *
 * The rule of UPDATE asks who evaluates, and that of SELECT, which asks for the student, is applied to the new row only where the statement reads a
 * column: `UPDATE … SET student_id = …` without WHERE would make it the evaluation of a student whom its author may not evaluate (15 and 18).
 */
function keepEvaluation(schema: string, { roles }: AccessData) {
  const personas = [...new Set(Object.values(roles))].map(literal).join(", ");
  return pgFunction({
    schema,
    name: "hpc_keep_evaluation",
    returns: "trigger",
    language: "plpgsql",
    volatility: "volatile",
    comment: "Refuses personas to make an evaluation that of another student, side or cycle.",
    body: `BEGIN
  IF current_user::text = ANY (ARRAY[${personas}]) THEN
    RAISE insufficient_privilege USING
      MESSAGE = ${literal(`${IDENTITY.join(", ")} of an evaluation never change`)},
      CONSTRAINT = 'hpc_evaluations_identity', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
      HINT = 'Write another evaluation.';
  END IF;
  RETURN NEW;
END`,
  });
}

/**
 * The weights of one parameter, in one cycle and stage, over its stakeholders, are one together: looked at when the transaction ends, so that several rows may
 * change. No weights at all are right too.
 *
 * Two transactions that each leave a right sum must wait for each other, or both could be right alone and wrong together: the row of the parameter is locked
 * first, and under READ COMMITTED the sum then sees what the other has committed. Under REPEATABLE READ it would not: there take SERIALIZABLE.
 */
function checkWeights(schema: string) {
  return pgFunction({
    schema,
    name: "hpc_check_weights",
    returns: "trigger",
    language: "plpgsql",
    volatility: "volatile",
    comment: "Refuses weights that are not one together.",
    body: `DECLARE
  side record;
  total numeric;
BEGIN
  FOR turn IN 1..2 LOOP
    IF turn = 1 AND TG_OP <> 'INSERT' THEN side := OLD;
    ELSIF turn = 2 AND TG_OP <> 'DELETE' THEN side := NEW;
    ELSE CONTINUE;
    END IF;
    PERFORM 1 FROM ${qualified(schema, "hpc_parameters")} AS p
    WHERE p.institution_id = side.institution_id AND p.id = side.parameter_id
    FOR NO KEY UPDATE;
    SELECT pg_catalog.sum(a.weight) INTO total FROM ${qualified(schema, "hpc_parameter_assignments")} AS a
    WHERE a.institution_id = side.institution_id AND a.cycle_id = side.cycle_id
      AND a.stage = side.stage AND a.parameter_id = side.parameter_id;
    IF total <> 1 THEN
      RAISE check_violation USING
        MESSAGE = pg_catalog.format('the weights of a parameter are %s together and not 1', total),
        DETAIL = pg_catalog.format('cycle %s, stage %s, parameter %s', side.cycle_id, side.stage, side.parameter_id),
        CONSTRAINT = 'hpc_parameter_assignments_weights_sum', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
        HINT = 'Change all weights of the parameter in one transaction.';
    END IF;
  END LOOP;
  RETURN NULL;
END`,
  });
}
