import type { DatabaseObject } from "../../objects/object.ts";
import { pgComment } from "../../objects/pg-comment.ts";
import type { ProgressCardParts } from "./parts.ts";

/** What people read in psql. */
export function commentObjects(
  schema: string,
  { tables: t }: ProgressCardParts,
): readonly DatabaseObject[] {
  const on = (table: (typeof t)[keyof typeof t], text: string) => pgComment({ table, text });
  return [
    on(t.institutions, "Schools. Registered by the operator; the tenant of everything else."),
    on(t.userProfiles, "People of an institution: students, teachers, parents, administrators."),
    on(t.academicTerms, "Terms of an institution; at most one is current."),
    on(t.courses, "Courses of a term."),
    on(t.courseTeachers, "Who teaches a course. Makes its students the teacher's assigned ones."),
    on(t.courseStudents, "Who attends a course."),
    on(t.auditLogs, "The log of the institution. Rows are added and never changed."),
    on(t.hpcParameters, "What progress cards evaluate."),
    on(t.hpcRubrics, "Performance levels and scale of a parameter at a stage, in versions."),
    on(
      t.hpcParameterAssignments,
      "How much each stakeholder's view of a parameter weighs in a cycle and stage. The weights of one parameter are one together when a transaction ends.",
    ),
    on(t.hpcEvaluationCycles, "Periods of evaluation within a term."),
    on(t.hpcEvaluations, "What one evaluator says of one student and parameter in a cycle."),
    on(t.hpcReports, "Compiled reports of a student and cycle, in versions."),
    on(t.hpcApprovalWorkflows, "The way of a report to the family: one row for each report."),
    on(t.hpcAnalytics, "Figures of a cycle, of one student or of the whole institution."),
    on(t.hpcAchievements, "What students achieved."),
    on(t.hpcReflections, "What students think of their own learning."),
    on(
      t.hpcEvidenceFiles,
      "What is known of files in a private bucket. A changed file is a new row.",
    ),
    pgComment({
      table: t.userProfiles,
      column: t.userProfiles.parentOf,
      text: "Of a parent: the ids of children, students of the same institution.",
    }),
    pgComment({
      table: t.userProfiles,
      column: t.userProfiles.grade,
      text: "-3 to -1 for the years before grade 1.",
    }),
    pgComment({
      table: t.hpcEvaluations,
      column: t.hpcEvaluations.scaleMin,
      text: "Of the rubric, by trigger.",
    }),
    pgComment({
      table: t.hpcEvaluations,
      column: t.hpcEvaluations.scaleMax,
      text: "Of the rubric, by trigger.",
    }),
    pgComment({
      table: t.hpcEvaluations,
      column: t.hpcEvaluations.normalizedScore,
      text: "Where the score lies on its scale, from 0 to 100.",
    }),
    pgComment({
      table: t.hpcRubrics,
      column: t.hpcRubrics.levels,
      text: "Array of { name, descriptor, from }: what a score from a value on is called.",
    }),
    pgComment({
      table: t.hpcAnalytics,
      column: t.hpcAnalytics.studentId,
      text: "NULL for a figure of the institution, which only administrators see.",
    }),
    pgComment({
      table: t.auditLogs,
      column: t.auditLogs.hpcContext,
      text: "Written by triggers only: role, student, cycle, report, stakeholder, status before and after, reason.",
    }),
    pgComment({
      table: t.hpcEvidenceFiles,
      column: t.hpcEvidenceFiles.objectPath,
      text: "<institution>/<student>/…, for the rules of the object store.",
    }),
    pgComment({
      schema,
      table: "hpc_weighted_scores",
      on: "view",
      text: "Submitted evaluations by the weights of their stakeholders. Where a stakeholder is missing, the others weigh more.",
    }),
  ];
}
