// Long because: every foreign key is here, from both of its ends.
import { relations } from "drizzle-orm";
import * as tables from "./definition.ts";
import type { ProgressCardTables } from "./parts.ts";

/**
 * The relations of the tables of progress cards that a host has bound for itself: `progressCardRelations(progressCard({ … }))`.
 *
 * Each foreign key is there from both of its ends, named for its column, all of its columns in the join: what is found is of the same
 * institution. Row security holds for what is joined too: a row that the reader may not see is null, whatever the type says.
 * Who made a row and who changed it last are asked from the row alone.
 */
export function progressCardRelations(t: ProgressCardTables) {
  return {
    institutionsRelations: relations(t.institutions, ({ many }) => ({
      userProfiles: many(t.userProfiles),
      academicTerms: many(t.academicTerms),
      courses: many(t.courses),
      hpcParameters: many(t.hpcParameters),
      hpcRubrics: many(t.hpcRubrics),
      hpcEvaluationCycles: many(t.hpcEvaluationCycles),
      hpcParameterAssignments: many(t.hpcParameterAssignments),
      hpcEvaluations: many(t.hpcEvaluations),
      hpcAchievements: many(t.hpcAchievements),
      hpcReflections: many(t.hpcReflections),
      hpcEvidenceFiles: many(t.hpcEvidenceFiles),
      hpcReports: many(t.hpcReports),
      hpcApprovalWorkflows: many(t.hpcApprovalWorkflows),
      hpcAnalytics: many(t.hpcAnalytics),
      auditLogs: many(t.auditLogs),
    })),
    userProfilesRelations: relations(t.userProfiles, ({ one, many }) => ({
      institution: one(t.institutions, {
        fields: [t.userProfiles.institutionId],
        references: [t.institutions.id],
      }),
      courseTeachers: many(t.courseTeachers),
      courseStudents: many(t.courseStudents),
      hpcEvaluationsByStudent: many(t.hpcEvaluations, {
        relationName: "hpc_evaluations_student_fk",
      }),
      hpcEvaluationsByEvaluator: many(t.hpcEvaluations, {
        relationName: "hpc_evaluations_evaluator_fk",
      }),
      hpcAchievements: many(t.hpcAchievements, { relationName: "hpc_achievements_student_fk" }),
      hpcReflections: many(t.hpcReflections, { relationName: "hpc_reflections_student_fk" }),
      hpcEvidenceFiles: many(t.hpcEvidenceFiles, { relationName: "hpc_evidence_files_student_fk" }),
      hpcReports: many(t.hpcReports, { relationName: "hpc_reports_student_fk" }),
      hpcApprovalWorkflows: many(t.hpcApprovalWorkflows, {
        relationName: "hpc_approval_workflows_reviewer_fk",
      }),
      hpcAnalytics: many(t.hpcAnalytics, { relationName: "hpc_analytics_student_fk" }),
    })),
    academicTermsRelations: relations(t.academicTerms, ({ one, many }) => ({
      institution: one(t.institutions, {
        fields: [t.academicTerms.institutionId],
        references: [t.institutions.id],
      }),
      courses: many(t.courses),
      hpcEvaluationCycles: many(t.hpcEvaluationCycles),
    })),
    coursesRelations: relations(t.courses, ({ one, many }) => ({
      institution: one(t.institutions, {
        fields: [t.courses.institutionId],
        references: [t.institutions.id],
      }),
      term: one(t.academicTerms, {
        fields: [t.courses.institutionId, t.courses.termId],
        references: [t.academicTerms.institutionId, t.academicTerms.id],
      }),
      courseTeachers: many(t.courseTeachers),
      courseStudents: many(t.courseStudents),
    })),
    courseTeachersRelations: relations(t.courseTeachers, ({ one }) => ({
      course: one(t.courses, {
        fields: [t.courseTeachers.institutionId, t.courseTeachers.courseId],
        references: [t.courses.institutionId, t.courses.id],
      }),
      teacher: one(t.userProfiles, {
        fields: [t.courseTeachers.institutionId, t.courseTeachers.teacherId],
        references: [t.userProfiles.institutionId, t.userProfiles.id],
      }),
    })),
    courseStudentsRelations: relations(t.courseStudents, ({ one }) => ({
      course: one(t.courses, {
        fields: [t.courseStudents.institutionId, t.courseStudents.courseId],
        references: [t.courses.institutionId, t.courses.id],
      }),
      student: one(t.userProfiles, {
        fields: [t.courseStudents.institutionId, t.courseStudents.studentId],
        references: [t.userProfiles.institutionId, t.userProfiles.id],
      }),
    })),
    hpcParametersRelations: relations(t.hpcParameters, ({ one, many }) => ({
      institution: one(t.institutions, {
        fields: [t.hpcParameters.institutionId],
        references: [t.institutions.id],
      }),
      createdByProfile: one(t.userProfiles, {
        relationName: "hpc_parameters_created_by_fk",
        fields: [t.hpcParameters.institutionId, t.hpcParameters.createdBy],
        references: [t.userProfiles.institutionId, t.userProfiles.id],
      }),
      updatedByProfile: one(t.userProfiles, {
        relationName: "hpc_parameters_updated_by_fk",
        fields: [t.hpcParameters.institutionId, t.hpcParameters.updatedBy],
        references: [t.userProfiles.institutionId, t.userProfiles.id],
      }),
      hpcRubrics: many(t.hpcRubrics),
      hpcParameterAssignments: many(t.hpcParameterAssignments),
      hpcAnalytics: many(t.hpcAnalytics),
    })),
    hpcRubricsRelations: relations(t.hpcRubrics, ({ one, many }) => ({
      institution: one(t.institutions, {
        fields: [t.hpcRubrics.institutionId],
        references: [t.institutions.id],
      }),
      createdByProfile: one(t.userProfiles, {
        relationName: "hpc_rubrics_created_by_fk",
        fields: [t.hpcRubrics.institutionId, t.hpcRubrics.createdBy],
        references: [t.userProfiles.institutionId, t.userProfiles.id],
      }),
      updatedByProfile: one(t.userProfiles, {
        relationName: "hpc_rubrics_updated_by_fk",
        fields: [t.hpcRubrics.institutionId, t.hpcRubrics.updatedBy],
        references: [t.userProfiles.institutionId, t.userProfiles.id],
      }),
      parameter: one(t.hpcParameters, {
        fields: [t.hpcRubrics.institutionId, t.hpcRubrics.parameterId],
        references: [t.hpcParameters.institutionId, t.hpcParameters.id],
      }),
      hpcEvaluations: many(t.hpcEvaluations),
    })),
    hpcEvaluationCyclesRelations: relations(t.hpcEvaluationCycles, ({ one, many }) => ({
      institution: one(t.institutions, {
        fields: [t.hpcEvaluationCycles.institutionId],
        references: [t.institutions.id],
      }),
      createdByProfile: one(t.userProfiles, {
        relationName: "hpc_evaluation_cycles_created_by_fk",
        fields: [t.hpcEvaluationCycles.institutionId, t.hpcEvaluationCycles.createdBy],
        references: [t.userProfiles.institutionId, t.userProfiles.id],
      }),
      updatedByProfile: one(t.userProfiles, {
        relationName: "hpc_evaluation_cycles_updated_by_fk",
        fields: [t.hpcEvaluationCycles.institutionId, t.hpcEvaluationCycles.updatedBy],
        references: [t.userProfiles.institutionId, t.userProfiles.id],
      }),
      term: one(t.academicTerms, {
        fields: [t.hpcEvaluationCycles.institutionId, t.hpcEvaluationCycles.termId],
        references: [t.academicTerms.institutionId, t.academicTerms.id],
      }),
      hpcParameterAssignments: many(t.hpcParameterAssignments),
      hpcEvaluations: many(t.hpcEvaluations),
      hpcAchievements: many(t.hpcAchievements),
      hpcReflections: many(t.hpcReflections),
      hpcReports: many(t.hpcReports),
      hpcAnalytics: many(t.hpcAnalytics),
    })),
    hpcParameterAssignmentsRelations: relations(t.hpcParameterAssignments, ({ one }) => ({
      institution: one(t.institutions, {
        fields: [t.hpcParameterAssignments.institutionId],
        references: [t.institutions.id],
      }),
      createdByProfile: one(t.userProfiles, {
        relationName: "hpc_parameter_assignments_created_by_fk",
        fields: [t.hpcParameterAssignments.institutionId, t.hpcParameterAssignments.createdBy],
        references: [t.userProfiles.institutionId, t.userProfiles.id],
      }),
      updatedByProfile: one(t.userProfiles, {
        relationName: "hpc_parameter_assignments_updated_by_fk",
        fields: [t.hpcParameterAssignments.institutionId, t.hpcParameterAssignments.updatedBy],
        references: [t.userProfiles.institutionId, t.userProfiles.id],
      }),
      cycle: one(t.hpcEvaluationCycles, {
        fields: [t.hpcParameterAssignments.institutionId, t.hpcParameterAssignments.cycleId],
        references: [t.hpcEvaluationCycles.institutionId, t.hpcEvaluationCycles.id],
      }),
      parameter: one(t.hpcParameters, {
        fields: [t.hpcParameterAssignments.institutionId, t.hpcParameterAssignments.parameterId],
        references: [t.hpcParameters.institutionId, t.hpcParameters.id],
      }),
    })),
    hpcEvaluationsRelations: relations(t.hpcEvaluations, ({ one, many }) => ({
      institution: one(t.institutions, {
        fields: [t.hpcEvaluations.institutionId],
        references: [t.institutions.id],
      }),
      createdByProfile: one(t.userProfiles, {
        relationName: "hpc_evaluations_created_by_fk",
        fields: [t.hpcEvaluations.institutionId, t.hpcEvaluations.createdBy],
        references: [t.userProfiles.institutionId, t.userProfiles.id],
      }),
      updatedByProfile: one(t.userProfiles, {
        relationName: "hpc_evaluations_updated_by_fk",
        fields: [t.hpcEvaluations.institutionId, t.hpcEvaluations.updatedBy],
        references: [t.userProfiles.institutionId, t.userProfiles.id],
      }),
      cycle: one(t.hpcEvaluationCycles, {
        fields: [t.hpcEvaluations.institutionId, t.hpcEvaluations.cycleId],
        references: [t.hpcEvaluationCycles.institutionId, t.hpcEvaluationCycles.id],
      }),
      student: one(t.userProfiles, {
        relationName: "hpc_evaluations_student_fk",
        fields: [t.hpcEvaluations.institutionId, t.hpcEvaluations.studentId],
        references: [t.userProfiles.institutionId, t.userProfiles.id],
      }),
      evaluator: one(t.userProfiles, {
        relationName: "hpc_evaluations_evaluator_fk",
        fields: [t.hpcEvaluations.institutionId, t.hpcEvaluations.evaluatorId],
        references: [t.userProfiles.institutionId, t.userProfiles.id],
      }),
      rubric: one(t.hpcRubrics, {
        fields: [
          t.hpcEvaluations.institutionId,
          t.hpcEvaluations.parameterId,
          t.hpcEvaluations.rubricId,
          t.hpcEvaluations.scaleMin,
          t.hpcEvaluations.scaleMax,
        ],
        references: [
          t.hpcRubrics.institutionId,
          t.hpcRubrics.parameterId,
          t.hpcRubrics.id,
          t.hpcRubrics.scaleMin,
          t.hpcRubrics.scaleMax,
        ],
      }),
      hpcEvidenceFiles: many(t.hpcEvidenceFiles),
    })),
    hpcAchievementsRelations: relations(t.hpcAchievements, ({ one, many }) => ({
      institution: one(t.institutions, {
        fields: [t.hpcAchievements.institutionId],
        references: [t.institutions.id],
      }),
      createdByProfile: one(t.userProfiles, {
        relationName: "hpc_achievements_created_by_fk",
        fields: [t.hpcAchievements.institutionId, t.hpcAchievements.createdBy],
        references: [t.userProfiles.institutionId, t.userProfiles.id],
      }),
      updatedByProfile: one(t.userProfiles, {
        relationName: "hpc_achievements_updated_by_fk",
        fields: [t.hpcAchievements.institutionId, t.hpcAchievements.updatedBy],
        references: [t.userProfiles.institutionId, t.userProfiles.id],
      }),
      student: one(t.userProfiles, {
        relationName: "hpc_achievements_student_fk",
        fields: [t.hpcAchievements.institutionId, t.hpcAchievements.studentId],
        references: [t.userProfiles.institutionId, t.userProfiles.id],
      }),
      cycle: one(t.hpcEvaluationCycles, {
        fields: [t.hpcAchievements.institutionId, t.hpcAchievements.cycleId],
        references: [t.hpcEvaluationCycles.institutionId, t.hpcEvaluationCycles.id],
      }),
      hpcEvidenceFiles: many(t.hpcEvidenceFiles),
    })),
    hpcReflectionsRelations: relations(t.hpcReflections, ({ one, many }) => ({
      institution: one(t.institutions, {
        fields: [t.hpcReflections.institutionId],
        references: [t.institutions.id],
      }),
      createdByProfile: one(t.userProfiles, {
        relationName: "hpc_reflections_created_by_fk",
        fields: [t.hpcReflections.institutionId, t.hpcReflections.createdBy],
        references: [t.userProfiles.institutionId, t.userProfiles.id],
      }),
      updatedByProfile: one(t.userProfiles, {
        relationName: "hpc_reflections_updated_by_fk",
        fields: [t.hpcReflections.institutionId, t.hpcReflections.updatedBy],
        references: [t.userProfiles.institutionId, t.userProfiles.id],
      }),
      student: one(t.userProfiles, {
        relationName: "hpc_reflections_student_fk",
        fields: [t.hpcReflections.institutionId, t.hpcReflections.studentId],
        references: [t.userProfiles.institutionId, t.userProfiles.id],
      }),
      cycle: one(t.hpcEvaluationCycles, {
        fields: [t.hpcReflections.institutionId, t.hpcReflections.cycleId],
        references: [t.hpcEvaluationCycles.institutionId, t.hpcEvaluationCycles.id],
      }),
      hpcEvidenceFiles: many(t.hpcEvidenceFiles),
    })),
    hpcEvidenceFilesRelations: relations(t.hpcEvidenceFiles, ({ one }) => ({
      institution: one(t.institutions, {
        fields: [t.hpcEvidenceFiles.institutionId],
        references: [t.institutions.id],
      }),
      createdByProfile: one(t.userProfiles, {
        relationName: "hpc_evidence_files_created_by_fk",
        fields: [t.hpcEvidenceFiles.institutionId, t.hpcEvidenceFiles.createdBy],
        references: [t.userProfiles.institutionId, t.userProfiles.id],
      }),
      updatedByProfile: one(t.userProfiles, {
        relationName: "hpc_evidence_files_updated_by_fk",
        fields: [t.hpcEvidenceFiles.institutionId, t.hpcEvidenceFiles.updatedBy],
        references: [t.userProfiles.institutionId, t.userProfiles.id],
      }),
      student: one(t.userProfiles, {
        relationName: "hpc_evidence_files_student_fk",
        fields: [t.hpcEvidenceFiles.institutionId, t.hpcEvidenceFiles.studentId],
        references: [t.userProfiles.institutionId, t.userProfiles.id],
      }),
      evaluation: one(t.hpcEvaluations, {
        fields: [
          t.hpcEvidenceFiles.institutionId,
          t.hpcEvidenceFiles.studentId,
          t.hpcEvidenceFiles.evaluationId,
        ],
        references: [
          t.hpcEvaluations.institutionId,
          t.hpcEvaluations.studentId,
          t.hpcEvaluations.id,
        ],
      }),
      achievement: one(t.hpcAchievements, {
        fields: [
          t.hpcEvidenceFiles.institutionId,
          t.hpcEvidenceFiles.studentId,
          t.hpcEvidenceFiles.achievementId,
        ],
        references: [
          t.hpcAchievements.institutionId,
          t.hpcAchievements.studentId,
          t.hpcAchievements.id,
        ],
      }),
      reflection: one(t.hpcReflections, {
        fields: [
          t.hpcEvidenceFiles.institutionId,
          t.hpcEvidenceFiles.studentId,
          t.hpcEvidenceFiles.reflectionId,
        ],
        references: [
          t.hpcReflections.institutionId,
          t.hpcReflections.studentId,
          t.hpcReflections.id,
        ],
      }),
    })),
    hpcReportsRelations: relations(t.hpcReports, ({ one, many }) => ({
      institution: one(t.institutions, {
        fields: [t.hpcReports.institutionId],
        references: [t.institutions.id],
      }),
      createdByProfile: one(t.userProfiles, {
        relationName: "hpc_reports_created_by_fk",
        fields: [t.hpcReports.institutionId, t.hpcReports.createdBy],
        references: [t.userProfiles.institutionId, t.userProfiles.id],
      }),
      updatedByProfile: one(t.userProfiles, {
        relationName: "hpc_reports_updated_by_fk",
        fields: [t.hpcReports.institutionId, t.hpcReports.updatedBy],
        references: [t.userProfiles.institutionId, t.userProfiles.id],
      }),
      student: one(t.userProfiles, {
        relationName: "hpc_reports_student_fk",
        fields: [t.hpcReports.institutionId, t.hpcReports.studentId],
        references: [t.userProfiles.institutionId, t.userProfiles.id],
      }),
      cycle: one(t.hpcEvaluationCycles, {
        fields: [t.hpcReports.institutionId, t.hpcReports.cycleId],
        references: [t.hpcEvaluationCycles.institutionId, t.hpcEvaluationCycles.id],
      }),
      hpcApprovalWorkflows: many(t.hpcApprovalWorkflows),
    })),
    hpcApprovalWorkflowsRelations: relations(t.hpcApprovalWorkflows, ({ one }) => ({
      institution: one(t.institutions, {
        fields: [t.hpcApprovalWorkflows.institutionId],
        references: [t.institutions.id],
      }),
      createdByProfile: one(t.userProfiles, {
        relationName: "hpc_approval_workflows_created_by_fk",
        fields: [t.hpcApprovalWorkflows.institutionId, t.hpcApprovalWorkflows.createdBy],
        references: [t.userProfiles.institutionId, t.userProfiles.id],
      }),
      updatedByProfile: one(t.userProfiles, {
        relationName: "hpc_approval_workflows_updated_by_fk",
        fields: [t.hpcApprovalWorkflows.institutionId, t.hpcApprovalWorkflows.updatedBy],
        references: [t.userProfiles.institutionId, t.userProfiles.id],
      }),
      report: one(t.hpcReports, {
        fields: [
          t.hpcApprovalWorkflows.institutionId,
          t.hpcApprovalWorkflows.studentId,
          t.hpcApprovalWorkflows.reportId,
        ],
        references: [t.hpcReports.institutionId, t.hpcReports.studentId, t.hpcReports.id],
      }),
      reviewer: one(t.userProfiles, {
        relationName: "hpc_approval_workflows_reviewer_fk",
        fields: [t.hpcApprovalWorkflows.institutionId, t.hpcApprovalWorkflows.reviewerId],
        references: [t.userProfiles.institutionId, t.userProfiles.id],
      }),
    })),
    hpcAnalyticsRelations: relations(t.hpcAnalytics, ({ one }) => ({
      institution: one(t.institutions, {
        fields: [t.hpcAnalytics.institutionId],
        references: [t.institutions.id],
      }),
      createdByProfile: one(t.userProfiles, {
        relationName: "hpc_analytics_created_by_fk",
        fields: [t.hpcAnalytics.institutionId, t.hpcAnalytics.createdBy],
        references: [t.userProfiles.institutionId, t.userProfiles.id],
      }),
      updatedByProfile: one(t.userProfiles, {
        relationName: "hpc_analytics_updated_by_fk",
        fields: [t.hpcAnalytics.institutionId, t.hpcAnalytics.updatedBy],
        references: [t.userProfiles.institutionId, t.userProfiles.id],
      }),
      cycle: one(t.hpcEvaluationCycles, {
        fields: [t.hpcAnalytics.institutionId, t.hpcAnalytics.cycleId],
        references: [t.hpcEvaluationCycles.institutionId, t.hpcEvaluationCycles.id],
      }),
      student: one(t.userProfiles, {
        relationName: "hpc_analytics_student_fk",
        fields: [t.hpcAnalytics.institutionId, t.hpcAnalytics.studentId],
        references: [t.userProfiles.institutionId, t.userProfiles.id],
      }),
      parameter: one(t.hpcParameters, {
        fields: [t.hpcAnalytics.institutionId, t.hpcAnalytics.parameterId],
        references: [t.hpcParameters.institutionId, t.hpcParameters.id],
      }),
    })),
    auditLogsRelations: relations(t.auditLogs, ({ one }) => ({
      institution: one(t.institutions, {
        fields: [t.auditLogs.institutionId],
        references: [t.institutions.id],
      }),
    })),
  };
}

/** The relations of the ready tables: `drizzle(client, { schema: { ...tables, ...relations } })`. */
export const {
  academicTermsRelations,
  auditLogsRelations,
  courseStudentsRelations,
  courseTeachersRelations,
  coursesRelations,
  hpcAchievementsRelations,
  hpcAnalyticsRelations,
  hpcApprovalWorkflowsRelations,
  hpcEvaluationCyclesRelations,
  hpcEvaluationsRelations,
  hpcEvidenceFilesRelations,
  hpcParameterAssignmentsRelations,
  hpcParametersRelations,
  hpcReflectionsRelations,
  hpcReportsRelations,
  hpcRubricsRelations,
  institutionsRelations,
  userProfilesRelations,
} = progressCardRelations(tables);
