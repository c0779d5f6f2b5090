import type { Validation } from "../validation/validation-of.ts";
import { validationsOf, type Validations } from "../validation/validations-of.ts";
import * as tables from "./definition.ts";

/** The schemas of the tables of reporting that a host has bound for itself: `reportingValidations(reporting({ … }))`. */
export function reportingValidations<T extends object>(bound: T): Validations<T> {
  return validationsOf(bound);
}

const schemas = reportingValidations(tables);

/** Of rows of `auditLogs`. */
export const auditLogs: Validation<typeof tables.auditLogs> = schemas.auditLogs;

/** Of rows of `executionLogs`. */
export const executionLogs: Validation<typeof tables.executionLogs> = schemas.executionLogs;

/** Of rows of `organizations`. */
export const organizations: Validation<typeof tables.organizations> = schemas.organizations;

/** Of rows of `reportExecutions`. */
export const reportExecutions: Validation<typeof tables.reportExecutions> =
  schemas.reportExecutions;

/** Of rows of `reportShares`. */
export const reportShares: Validation<typeof tables.reportShares> = schemas.reportShares;

/** Of rows of `reports`. */
export const reports: Validation<typeof tables.reports> = schemas.reports;

/** Of rows of `templateFields`. */
export const templateFields: Validation<typeof tables.templateFields> = schemas.templateFields;

/** Of rows of `templates`. */
export const templates: Validation<typeof tables.templates> = schemas.templates;

/** Of rows of `userCredentials`. */
export const userCredentials: Validation<typeof tables.userCredentials> = schemas.userCredentials;

/** Of rows of `userSessions`. */
export const userSessions: Validation<typeof tables.userSessions> = schemas.userSessions;

/** Of rows of `users`. */
export const users: Validation<typeof tables.users> = schemas.users;
