import { sql } from "drizzle-orm";
import {
  check,
  date,
  foreignKey,
  index,
  numeric,
  text,
  timestamp,
  unique,
  uuid,
  type PgSchema,
} from "drizzle-orm/pg-core";
import { anyOf, assigned, among, childrenOf, own, tenant } from "../../rls/row-class.ts";
import type { ProgressCardAccess } from "./access.ts";
import type { ProgressCardEnums } from "./enums.ts";
import type { InstitutionTables } from "./institution-tables.ts";
import type { ParameterTables } from "./parameter-tables.ts";
import { authorship, hpcKeys, ownRow, within } from "./shared-columns.ts";

/** Whose rows about a student may be read: the student's own, the assigned, the children's, all. */
export const aboutStudent = {
  student: own("studentId"),
  teacher: assigned("studentId"),
  parent: childrenOf("studentId"),
  admin: tenant,
} as const;

/**
 * Assessments by several sides, and what students achieved and thought.
 *
 * A generated column cannot look at another table, so a trigger brings the rubric's scale into the row, the foreign key holds it to the rubric's, and
 * `normalized_score` is generated from it: nobody can write another, and a scale in use cannot change beneath the scores.
 */
export function evaluationTables(
  namespace: PgSchema,
  enums: ProgressCardEnums,
  access: ProgressCardAccess,
  tables: InstitutionTables & ParameterTables,
) {
  const { hpcAchievementCategory, hpcEvaluationStatus, hpcStage, hpcStakeholder } = enums;
  const { hpcEvaluationCycles, hpcRubrics, userProfiles } = tables;

  const hpcEvaluations = namespace
    .table(
      "hpc_evaluations",
      {
        ...ownRow(),
        cycleId: uuid("cycle_id").notNull(),
        studentId: uuid("student_id").notNull(),
        stage: hpcStage("stage").notNull(),
        parameterId: uuid("parameter_id").notNull(),
        rubricId: uuid("rubric_id").notNull(),
        evaluatorId: uuid("evaluator_id").notNull(),
        stakeholder: hpcStakeholder("stakeholder").notNull(),
        score: numeric("score", { precision: 6, scale: 2 }),
        scaleMin: numeric("scale_min", { precision: 6, scale: 2 }).notNull().default("0"),
        scaleMax: numeric("scale_max", { precision: 6, scale: 2 }).notNull().default("0"),
        // Without the CASE a score far outside would overflow (22003) before its CHECK can refuse it.
        normalizedScore: numeric("normalized_score", { precision: 5, scale: 2 }).generatedAlwaysAs(
          sql`CASE WHEN score BETWEEN scale_min AND scale_max THEN round((score - scale_min) * 100 / NULLIF(scale_max - scale_min, 0), 2) END`,
        ),
        comments: text("comments"),
        status: hpcEvaluationStatus("status").notNull().default("draft"),
        submittedAt: timestamp("submitted_at", { withTimezone: true }),
        ...authorship(),
      },
      (t) => [
        ...hpcKeys("hpc_evaluations", t, tables),
        within("hpc_evaluations_cycle_fk", t, t.cycleId, hpcEvaluationCycles),
        within("hpc_evaluations_student_fk", t, t.studentId, userProfiles),
        within("hpc_evaluations_evaluator_fk", t, t.evaluatorId, userProfiles),
        foreignKey({
          name: "hpc_evaluations_rubric_fk",
          columns: [t.institutionId, t.parameterId, t.rubricId, t.scaleMin, t.scaleMax],
          foreignColumns: [
            hpcRubrics.institutionId,
            hpcRubrics.parameterId,
            hpcRubrics.id,
            hpcRubrics.scaleMin,
            hpcRubrics.scaleMax,
          ],
        }),
        // Also the index of every policy on this table, and what evidence points to.
        unique("hpc_evaluations_student_key").on(t.institutionId, t.studentId, t.id),
        unique("hpc_evaluations_once_key").on(
          t.institutionId,
          t.cycleId,
          t.studentId,
          t.parameterId,
          t.stakeholder,
          t.evaluatorId,
        ),
        index("hpc_evaluations_rubric_idx").on(
          t.institutionId,
          t.parameterId,
          t.rubricId,
          t.scaleMin,
          t.scaleMax,
        ),
        index("hpc_evaluations_evaluator_idx").on(t.institutionId, t.evaluatorId),
        check("hpc_evaluations_scale", sql`scale_max > scale_min AND scale_max <> 'NaN'`),
        check("hpc_evaluations_score_in_scale", sql`score BETWEEN scale_min AND scale_max`),
        check(
          "hpc_evaluations_self_is_the_student",
          sql`(stakeholder = 'self') = (evaluator_id = student_id)`,
        ),
        check(
          "hpc_evaluations_submitted_is_scored",
          sql`status = 'draft' OR (score IS NOT NULL AND submitted_at IS NOT NULL)`,
        ),
        ...access.rules(t, {
          select: aboutStudent,
          insert: {
            student: anyOf(own("studentId"), among("classmates", "studentId")),
            teacher: assigned("studentId"),
            parent: childrenOf("studentId"),
            admin: tenant,
          },
          // Nobody but an administrator changes what another has said.
          update: {
            student: own("evaluatorId"),
            teacher: own("evaluatorId"),
            parent: own("evaluatorId"),
            admin: tenant,
          },
          delete: { admin: tenant },
        }),
      ],
    )
    .enableRLS();

  const hpcAchievements = namespace
    .table(
      "hpc_achievements",
      {
        ...ownRow(),
        studentId: uuid("student_id").notNull(),
        cycleId: uuid("cycle_id"),
        category: hpcAchievementCategory("category").notNull(),
        title: text("title").notNull(),
        description: text("description"),
        achievedOn: date("achieved_on").notNull(),
        ...authorship(),
      },
      (t) => [
        ...hpcKeys("hpc_achievements", t, tables),
        within("hpc_achievements_student_fk", t, t.studentId, userProfiles),
        within("hpc_achievements_cycle_fk", t, t.cycleId, hpcEvaluationCycles),
        unique("hpc_achievements_student_key").on(t.institutionId, t.studentId, t.id),
        index("hpc_achievements_cycle_idx").on(t.institutionId, t.cycleId),
        check("hpc_achievements_title_filled", sql`btrim(title) <> ''`),
        ...access.rules(t, {
          select: aboutStudent,
          insert: { teacher: assigned("studentId"), admin: tenant },
          update: { teacher: assigned("studentId"), admin: tenant },
          delete: { admin: tenant },
        }),
      ],
    )
    .enableRLS();

  const hpcReflections = namespace
    .table(
      "hpc_reflections",
      {
        ...ownRow(),
        studentId: uuid("student_id").notNull(),
        cycleId: uuid("cycle_id").notNull(),
        prompt: text("prompt"),
        reflection: text("reflection").notNull(),
        goals: text("goals"),
        ...authorship(),
      },
      (t) => [
        ...hpcKeys("hpc_reflections", t, tables),
        within("hpc_reflections_student_fk", t, t.studentId, userProfiles),
        within("hpc_reflections_cycle_fk", t, t.cycleId, hpcEvaluationCycles),
        unique("hpc_reflections_student_key").on(t.institutionId, t.studentId, t.id),
        index("hpc_reflections_cycle_idx").on(t.institutionId, t.cycleId),
        check(
          "hpc_reflections_reflection_length",
          sql`char_length(reflection) BETWEEN 1 AND 10000`,
        ),
        ...access.rules(t, {
          select: aboutStudent,
          insert: { student: own("studentId"), admin: tenant },
          update: { student: own("studentId"), admin: tenant },
          delete: { student: own("studentId"), admin: tenant },
        }),
      ],
    )
    .enableRLS();

  return { hpcEvaluations, hpcAchievements, hpcReflections };
}

/** What {@link evaluationTables} makes. */
export type EvaluationTables = ReturnType<typeof evaluationTables>;
