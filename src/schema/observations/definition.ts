import { observations } from "./observations.ts";

const ready = observations();

/** The schema `observations`. drizzle-kit makes it only where it is exported. */
export const observationsSchema = ready.observationsSchema;

/** The schema `partition_mgmt`, where who looks after partitions works. */
export const managementSchema = ready.managementSchema;

/** The tenants. */
export const companies = ready.companies;

/** Who works in a company. */
export const users = ready.users;

/** Pilot programs, the first dimension of the observations. */
export const pilotPrograms = ready.pilotPrograms;

/** Where is observed, the second dimension. */
export const sites = ready.sites;

/** One visit of one person to one site. */
export const submissions = ready.submissions;

/** Petri dishes, one partition per program, site and month. */
export const petriObservations = ready.petriObservations;

/** Gasifiers, one partition per program, site and month. */
export const gasifierObservations = ready.gasifierObservations;

/** Petri dishes by submission, a copy that a trigger keeps. */
export const petriObservationsBySubmission = ready.petriObservationsBySubmission;

/** In which partition an observation is, by its id. */
export const observationLocator = ready.observationLocator;

/** Programs and sites whose partitions are still to be made. */
export const provisionRequests = ready.provisionRequests;

/** Observations by day, of all companies: for its owner alone. */
export const mvDailyMetrics = ready.mvDailyMetrics;

/** Observations by day, of the company in the context. */
export const dailyMetrics = ready.dailyMetrics;

/** Every partition with its bounds and size. */
export const partitionStats = ready.partitionStats;

/** Who may do what. */
export const access = ready.access;

/** How the observations are partitioned. */
export const schemes = ready.schemes;

/** The whole of the domain, in the schemas `observations` and `partition_mgmt`. */
export const definition = ready.definition;
