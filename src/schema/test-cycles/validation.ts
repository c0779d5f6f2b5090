import type { Validation } from "../validation/validation-of.ts";
import { validationsOf, type Validations } from "../validation/validations-of.ts";
import * as tables from "./definition.ts";
import { transitionOf, type Transition } from "../validation/transition-of.ts";
import { TRANSITIONS } from "./transitions.ts";

/** The schemas of the tables of test cycles that a host has bound for itself: `testCyclesValidations(testCycles({ … }))`. */
export function testCyclesValidations<T extends object>(bound: T): Validations<T> {
  return validationsOf(bound);
}

const schemas = testCyclesValidations(tables);

/** Of rows of `auditLogs`. */
export const auditLogs: Validation<typeof tables.auditLogs> = schemas.auditLogs;

/** Of rows of `cycleReportPlanningAttributes`. */
export const cycleReportPlanningAttributes: Validation<
  typeof tables.cycleReportPlanningAttributes
> = schemas.cycleReportPlanningAttributes;

/** Of rows of `cycleReportScopingAttributes`. */
export const cycleReportScopingAttributes: Validation<typeof tables.cycleReportScopingAttributes> =
  schemas.cycleReportScopingAttributes;

/** Of rows of `cycleReports`. */
export const cycleReports: Validation<typeof tables.cycleReports> = schemas.cycleReports;

/** Of rows of `cycles`. */
export const cycles: Validation<typeof tables.cycles> = schemas.cycles;

/** Of rows of `dataProfiles`. */
export const dataProfiles: Validation<typeof tables.dataProfiles> = schemas.dataProfiles;

/** Of rows of `llmAuditLogs`. */
export const llmAuditLogs: Validation<typeof tables.llmAuditLogs> = schemas.llmAuditLogs;

/** Of rows of `lobs`. */
export const lobs: Validation<typeof tables.lobs> = schemas.lobs;

/** Of rows of `observations`. */
export const observations: Validation<typeof tables.observations> = schemas.observations;

/** Of rows of `permissions`. */
export const permissions: Validation<typeof tables.permissions> = schemas.permissions;

/** Of rows of `reports`. */
export const reports: Validation<typeof tables.reports> = schemas.reports;

/** Of rows of `requestsForInformation`. */
export const requestsForInformation: Validation<typeof tables.requestsForInformation> =
  schemas.requestsForInformation;

/** Of rows of `rolePermissions`. */
export const rolePermissions: Validation<typeof tables.rolePermissions> = schemas.rolePermissions;

/** Of rows of `roles`. */
export const roles: Validation<typeof tables.roles> = schemas.roles;

/** Of rows of `samples`. */
export const samples: Validation<typeof tables.samples> = schemas.samples;

/** Of rows of `testExecutions`. */
export const testExecutions: Validation<typeof tables.testExecutions> = schemas.testExecutions;

/** Of rows of `userPermissions`. */
export const userPermissions: Validation<typeof tables.userPermissions> = schemas.userPermissions;

/** Of rows of `userRoles`. */
export const userRoles: Validation<typeof tables.userRoles> = schemas.userRoles;

/** Of rows of `users`. */
export const users: Validation<typeof tables.users> = schemas.users;

/** Of rows of `workflowPhases`. */
export const workflowPhases: Validation<typeof tables.workflowPhases> = schemas.workflowPhases;

/** From which status a cycle may go to which. */
export const cycleTransition: Transition<typeof TRANSITIONS.test_cycles.next> = transitionOf(
  TRANSITIONS.test_cycles.next,
);

/** From which status a report of a cycle may go to which. */
export const cycleReportTransition: Transition<typeof TRANSITIONS.cycle_reports.next> =
  transitionOf(TRANSITIONS.cycle_reports.next);

/** From which status a phase may go to which. */
export const workflowPhaseTransition: Transition<typeof TRANSITIONS.workflow_phases.next> =
  transitionOf(TRANSITIONS.workflow_phases.next);

/** From which status a sample may go to which. */
export const sampleTransition: Transition<typeof TRANSITIONS.samples.next> = transitionOf(
  TRANSITIONS.samples.next,
);

/** From which status an observation may go to which. */
export const observationTransition: Transition<typeof TRANSITIONS.observations.next> = transitionOf(
  TRANSITIONS.observations.next,
);

/** From which status a request for information may go to which. */
export const requestTransition: Transition<typeof TRANSITIONS.requests_for_information.next> =
  transitionOf(TRANSITIONS.requests_for_information.next);
