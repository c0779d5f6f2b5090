import type { Validation } from "../validation/validation-of.ts";
import { validationsOf, type Validations } from "../validation/validations-of.ts";
import * as tables from "./definition.ts";
import { pmrReportChecks, pmrTemplateChecks } from "./told-checks.ts";
import { transitionOf, type Transition } from "../validation/transition-of.ts";
import { legalTransitions } from "./transitions.ts";

/** The schemas of the tables of project reports that a host has bound for itself: `projectReportsValidations(projectReports({ … }))`. */
export function projectReportsValidations<T extends object>(bound: T): Validations<T> {
  return validationsOf(bound, { pmrTemplates: pmrTemplateChecks, pmrReports: pmrReportChecks });
}

const schemas = projectReportsValidations(tables);

/** Of rows of `aiInsights`. */
export const aiInsights: Validation<typeof tables.aiInsights> = schemas.aiInsights;

/** Of rows of `collaborationSessions`. */
export const collaborationSessions: Validation<typeof tables.collaborationSessions> =
  schemas.collaborationSessions;

/** Of rows of `editSessions`. */
export const editSessions: Validation<typeof tables.editSessions> = schemas.editSessions;

/** Of rows of `exportJobs`. */
export const exportJobs: Validation<typeof tables.exportJobs> = schemas.exportJobs;

/** Of rows of `monteCarloSimulations`. */
export const monteCarloSimulations: Validation<typeof tables.monteCarloSimulations> =
  schemas.monteCarloSimulations;

/** Of rows of `pmrChangeEvents`. */
export const pmrChangeEvents: Validation<typeof tables.pmrChangeEvents> = schemas.pmrChangeEvents;

/** Of rows of `pmrCollaboration`. */
export const pmrCollaboration: Validation<typeof tables.pmrCollaboration> =
  schemas.pmrCollaboration;

/** Of rows of `pmrComments`. */
export const pmrComments: Validation<typeof tables.pmrComments> = schemas.pmrComments;

/** Of rows of `pmrDistributionLog`. */
export const pmrDistributionLog: Validation<typeof tables.pmrDistributionLog> =
  schemas.pmrDistributionLog;

/** Of rows of `pmrReports`. */
export const pmrReports: Validation<typeof tables.pmrReports> = schemas.pmrReports;

/** Of rows of `pmrTemplates`. */
export const pmrTemplates: Validation<typeof tables.pmrTemplates> = schemas.pmrTemplates;

/** Of rows of `projectMembers`. */
export const projectMembers: Validation<typeof tables.projectMembers> = schemas.projectMembers;

/** Of rows of `projects`. */
export const projects: Validation<typeof tables.projects> = schemas.projects;

/** Of rows of `users`. */
export const users: Validation<typeof tables.users> = schemas.users;

/** From which status a report may go to which. */
export const reportTransition: Transition<typeof legalTransitions.pmrStatus> = transitionOf(
  legalTransitions.pmrStatus,
);

/** From which status the validation of an insight may go to which. */
export const insightTransition: Transition<typeof legalTransitions.validationStatus> = transitionOf(
  legalTransitions.validationStatus,
);

/** From which status an export job may go to which. */
export const exportJobTransition: Transition<typeof legalTransitions.exportJobStatus> =
  transitionOf(legalTransitions.exportJobStatus);

/** From which status a distribution may go to which. */
export const distributionTransition: Transition<typeof legalTransitions.distributionStatus> =
  transitionOf(legalTransitions.distributionStatus);
