import type { AccessData } from "../../definition/access.ts";
import { definitionOf } from "../../definition/definition-of.ts";
import { hash, list, partitionBy, range } from "../../partitioning/partition-by.ts";
import { namespaceOf } from "../namespace.ts";
import { observationsAccess } from "./access.ts";
import { commentsOf } from "./comments.ts";
import { dailyMetrics, dailyMetricsObjects } from "./daily-metrics.ts";
import { managementObjects } from "./management/objects.ts";
import { observedTable, type Management } from "./management/management.ts";
import { partitionStatsView } from "./management/statistics.ts";
import { keeperRights, queryFunctions, triggerFunctions } from "./functions.ts";
import { companiesTable, usersTable } from "./tables/companies.ts";
import {
  gasifierObservationsTable,
  observationLocatorTable,
  petriObservationsBySubmissionTable,
  petriObservationsTable,
} from "./tables/observations.ts";
import { pilotProgramsTable, sitesTable } from "./tables/programs.ts";
import { provisionRequestsTable } from "./tables/provision-requests.ts";
import { submissionsTable } from "./tables/submissions.ts";
import { triggersOf } from "./triggers.ts";

/** Where the domain lives and how it is cut. */
export interface ObservationsOptions<
  S extends string = "observations",
  M extends string = "partition_mgmt",
> {
  /** @default "observations" */
  readonly schema?: S;
  /** Where the functions for who looks after partitions are. @default "partition_mgmt" */
  readonly managementSchema?: M;
  /** What role names begin with. @default the schema */
  readonly rolePrefix?: string;
  /** @default "underpin_migrator" */
  readonly migratorRole?: string;
  /** @default "postgres" */
  readonly target?: AccessData["target"];
  /** How many months after the present one are made ready. @default 3 */
  readonly premake?: number;
  /** How many partitions the copy by submission has. It cannot be changed later without copying. @default 16 */
  readonly submissionPartitions?: number;
}

/**
 * Field observations of pilot programs, by company: petri dishes and gasifiers, partitioned by program, site and month.
 *
 * Each company sees its own rows alone. Partitions of new programs and sites are asked for by a trigger and made by
 * `CALL partition_mgmt.provision_requested()`.
 *
 * @example
 * import { observations } from "underpin/schema/observations";
 *
 * const { petriObservations, definition } = observations({ schema: "field" });
 * definition.partitions.length; // 3
 */
export function observations<
  const S extends string = "observations",
  const M extends string = "partition_mgmt",
>(options: ObservationsOptions<S, M> = {}) {
  const schema = options.schema ?? ("observations" as S);
  const { premake = 3, submissionPartitions = 16 } = options;
  const space = namespaceOf(schema);
  const access = observationsAccess({ ...options, schema });
  const place = { space, access };

  const companies = companiesTable(place);
  const users = usersTable(place, { companies });
  const pilotPrograms = pilotProgramsTable(place, { companies });
  const sites = sitesTable(place, { pilotPrograms });
  const submissions = submissionsTable(place, { users, sites });
  const petriObservations = petriObservationsTable(place, { submissions });
  const gasifierObservations = gasifierObservationsTable(place, { submissions });
  const petriObservationsBySubmission = petriObservationsBySubmissionTable(place);
  const observationLocator = observationLocatorTable(place);
  const provisionRequests = provisionRequestsTable(place);
  const metrics = dailyMetrics(space, access, petriObservations, gasifierObservations);

  const month = { every: "1 month", premake } as const;
  const executeTo = [access.migratorRole];
  const petriScheme = partitionBy(
    petriObservations,
    list(petriObservations.programId, { label: "prog" }),
    list(petriObservations.siteId),
    range(petriObservations.createdAt, month),
    { prefix: "petri_obs", executeTo },
  );
  const gasifierScheme = partitionBy(
    gasifierObservations,
    list(gasifierObservations.programId, { label: "prog" }),
    list(gasifierObservations.siteId),
    range(gasifierObservations.createdAt, month),
    { prefix: "gasifier_obs", executeTo },
  );
  const bySubmissionScheme = partitionBy(
    petriObservationsBySubmission,
    hash(petriObservationsBySubmission.submissionId, { modulus: submissionPartitions }),
    { prefix: "petri_obs_by_submission", executeTo },
  );
  const schemes = [petriScheme, gasifierScheme, bySubmissionScheme] as const;

  const managementName = options.managementSchema ?? ("partition_mgmt" as M);
  const managementSpace = namespaceOf(managementName);
  const management: Management = {
    schema: managementName,
    domain: schema,
    access,
    schemes,
    observed: [observedTable(petriScheme), observedTable(gasifierScheme)],
  };
  const partitionStats = partitionStatsView(managementSpace, management);

  const tables = {
    companies,
    users,
    pilotPrograms,
    sites,
    submissions,
    petriObservations,
    gasifierObservations,
    petriObservationsBySubmission,
    observationLocator,
    provisionRequests,
    ...metrics,
    partitionStats,
  };
  const functions = triggerFunctions(access, schema, {
    petriObservations,
    petriObservationsBySubmission,
  });
  const definition = definitionOf({
    // Two of them may live in one database, in two schemas.
    name: schema === "public" ? "observations" : schema,
    tables: { observationsSchema: space, managementSchema: managementSpace, ...tables },
    partitions: schemes,
    access,
    objects: [
      ...Object.values(functions),
      ...keeperRights(access, [observationLocator, petriObservationsBySubmission]),
      ...queryFunctions(access, schema),
      ...triggersOf(schema, functions),
      ...dailyMetricsObjects(access, schema),
      ...managementObjects(management),
      ...commentsOf(schema),
    ],
  });
  return {
    observationsSchema: space,
    managementSchema: managementSpace,
    ...tables,
    access,
    schemes,
    definition,
  };
}
