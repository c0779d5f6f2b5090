import type { Validation } from "../validation/validation-of.ts";
import { validationsOf, type Validations } from "../validation/validations-of.ts";
import * as tables from "./definition.ts";

/** The schemas of the tables of observations that a host has bound for itself: `observationsValidations(observations({ … }))`. */
export function observationsValidations<T extends object>(bound: T): Validations<T> {
  return validationsOf(bound);
}

const schemas = observationsValidations(tables);

/** Of rows of `companies`. */
export const companies: Validation<typeof tables.companies> = schemas.companies;

/** Of rows of `gasifierObservations`. */
export const gasifierObservations: Validation<typeof tables.gasifierObservations> =
  schemas.gasifierObservations;

/** Of rows of `observationLocator`. */
export const observationLocator: Validation<typeof tables.observationLocator> =
  schemas.observationLocator;

/** Of rows of `petriObservations`. */
export const petriObservations: Validation<typeof tables.petriObservations> =
  schemas.petriObservations;

/** Of rows of `petriObservationsBySubmission`. */
export const petriObservationsBySubmission: Validation<
  typeof tables.petriObservationsBySubmission
> = schemas.petriObservationsBySubmission;

/** Of rows of `pilotPrograms`. */
export const pilotPrograms: Validation<typeof tables.pilotPrograms> = schemas.pilotPrograms;

/** Of rows of `provisionRequests`. */
export const provisionRequests: Validation<typeof tables.provisionRequests> =
  schemas.provisionRequests;

/** Of rows of `sites`. */
export const sites: Validation<typeof tables.sites> = schemas.sites;

/** Of rows of `submissions`. */
export const submissions: Validation<typeof tables.submissions> = schemas.submissions;

/** Of rows of `users`. */
export const users: Validation<typeof tables.users> = schemas.users;
