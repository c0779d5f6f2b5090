import type { ToldChecks, Validation } from "../validation/validation-of.ts";
import { validationsOf, type Validations } from "../validation/validations-of.ts";
import * as tables from "./definition.ts";
import { transitionOf, type Transition } from "../validation/transition-of.ts";
import { legalTransitions } from "./legal-transitions.ts";

/** A level of a rubric: what it is called, what it means, and the score from which on it is reached. */
function isLevel(level: unknown): boolean {
  const { name, descriptor, from } = (level ?? {}) as Readonly<Record<string, unknown>>;
  return typeof name === "string" && typeof descriptor === "string" && typeof from === "number";
}

/** Written as a path expression in SQL, which is for PostgreSQL to read. */
const rubrics: ToldChecks = {
  hpc_rubrics_levels_form: {
    columns: ["levels"],
    holds: ({ levels }) =>
      levels === null ||
      (Array.isArray(levels) && levels.length >= 1 && levels.length <= 12 && levels.every(isLevel)),
  },
};

/** The schemas of the tables of progress cards that a host has bound for itself: `progressCardValidations(progressCard({ … }))`. */
export function progressCardValidations<T extends object>(bound: T): Validations<T> {
  return validationsOf(bound, { hpcRubrics: rubrics });
}

const schemas = progressCardValidations(tables);

/** Of rows of `academicTerms`. */
export const academicTerms: Validation<typeof tables.academicTerms> = schemas.academicTerms;

/** Of rows of `auditLogs`. */
export const auditLogs: Validation<typeof tables.auditLogs> = schemas.auditLogs;

/** Of rows of `courseStudents`. */
export const courseStudents: Validation<typeof tables.courseStudents> = schemas.courseStudents;

/** Of rows of `courseTeachers`. */
export const courseTeachers: Validation<typeof tables.courseTeachers> = schemas.courseTeachers;

/** Of rows of `courses`. */
export const courses: Validation<typeof tables.courses> = schemas.courses;

/** Of rows of `hpcAchievements`. */
export const hpcAchievements: Validation<typeof tables.hpcAchievements> = schemas.hpcAchievements;

/** Of rows of `hpcAnalytics`. */
export const hpcAnalytics: Validation<typeof tables.hpcAnalytics> = schemas.hpcAnalytics;

/** Of rows of `hpcApprovalWorkflows`. */
export const hpcApprovalWorkflows: Validation<typeof tables.hpcApprovalWorkflows> =
  schemas.hpcApprovalWorkflows;

/** Of rows of `hpcEvaluationCycles`. */
export const hpcEvaluationCycles: Validation<typeof tables.hpcEvaluationCycles> =
  schemas.hpcEvaluationCycles;

/** Of rows of `hpcEvaluations`. */
export const hpcEvaluations: Validation<typeof tables.hpcEvaluations> = schemas.hpcEvaluations;

/** Of rows of `hpcEvidenceFiles`. */
export const hpcEvidenceFiles: Validation<typeof tables.hpcEvidenceFiles> =
  schemas.hpcEvidenceFiles;

/** Of rows of `hpcParameterAssignments`. */
export const hpcParameterAssignments: Validation<typeof tables.hpcParameterAssignments> =
  schemas.hpcParameterAssignments;

/** Of rows of `hpcParameters`. */
export const hpcParameters: Validation<typeof tables.hpcParameters> = schemas.hpcParameters;

/** Of rows of `hpcReflections`. */
export const hpcReflections: Validation<typeof tables.hpcReflections> = schemas.hpcReflections;

/** Of rows of `hpcReports`. */
export const hpcReports: Validation<typeof tables.hpcReports> = schemas.hpcReports;

/** Of rows of `hpcRubrics`. */
export const hpcRubrics: Validation<typeof tables.hpcRubrics> = schemas.hpcRubrics;

/** Of rows of `institutions`. */
export const institutions: Validation<typeof tables.institutions> = schemas.institutions;

/** Of rows of `userProfiles`. */
export const userProfiles: Validation<typeof tables.userProfiles> = schemas.userProfiles;

/** From which status the approval of a report may go to which. */
export const approvalTransition: Transition<typeof legalTransitions> =
  transitionOf(legalTransitions);
