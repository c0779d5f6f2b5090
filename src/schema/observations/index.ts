// The domain --------------------------------------------------------------------------------------
export { observations, type ObservationsOptions } from "./observations.ts";
export {
  access,
  companies,
  dailyMetrics,
  definition,
  gasifierObservations,
  managementSchema,
  mvDailyMetrics,
  observationLocator,
  observationsSchema,
  partitionStats,
  petriObservations,
  petriObservationsBySubmission,
  pilotPrograms,
  provisionRequests,
  schemes,
  sites,
  submissions,
  users,
} from "./definition.ts";

// Its words ---------------------------------------------------------------------------------------
export {
  COMPANY_STATUSES,
  GROWTH_STAGES,
  OBSERVATION_KINDS,
  PLACEMENT_HEIGHTS,
  PLACEMENTS,
  PROGRAM_STATUSES,
  ROLES,
  SITE_KINDS,
  SUBMISSION_STATUSES,
} from "./words.ts";
