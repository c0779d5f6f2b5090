import type { AccessData } from "../../definition/access.ts";
import { definitionOf } from "../../definition/definition-of.ts";
import { partitionBy, range } from "../../partitioning/partition-by.ts";
import { namespaceOf } from "../namespace.ts";
import { reportingPersonas } from "./access.ts";
import { reportingComments } from "./comments.ts";
import { lookupsOf } from "./lookups.ts";
import { reportingQueries } from "./queries.ts";
import { reportingTables } from "./tables.ts";
import type { LoginScope } from "./tables/users.ts";
import { reportingTriggers } from "./triggers.ts";

/** How the domain is bound to a host. */
export interface ReportingOptions {
  /** @default "reporting" */
  readonly schema?: string;
  /**
   * Among whom an e-mail address and a user name are taken once. `everywhere` lets people sign in without naming their organization, and tells
   * the administrator of one that an address has an account in another. @default "organization"
   */
  readonly loginScope?: LoginScope;
  /** What the names of roles begin with. @default the schema */
  readonly rolePrefix?: string;
  /** @default "underpin_migrator" */
  readonly migratorRole?: string;
  /** @default "postgres" */
  readonly target?: AccessData["target"];
}

/**
 * A reporting platform: organizations with their users, templates with versions, reports, and what became of each time they were run.
 *
 * @example
 * import { reporting } from "underpin/schema/reporting";
 *
 * const { reports, definition } = reporting({ schema: "rpt" });
 * definition.partitions.length; // 2
 */
export function reporting(options: ReportingOptions = {}) {
  const { schema = "reporting", loginScope = "organization" } = options;
  const reportingSchema = namespaceOf(schema);
  const personas = reportingPersonas({ ...options, schema });
  const tables = reportingTables({ space: reportingSchema, access: personas }, loginScope);
  const access = lookupsOf(personas, tables);
  const schemes = {
    reportExecutions: partitionBy(
      tables.reportExecutions,
      range(tables.reportExecutions.startedAt, { every: "1 month", premake: 3 }),
    ),
    auditLogs: partitionBy(
      tables.auditLogs,
      range(tables.auditLogs.timestamp, { every: "1 month", premake: 3 }),
    ),
  };
  const definition = definitionOf({
    // Two of them may live in one database, in two schemas.
    name: schema === "public" ? "reporting" : schema,
    tables: { ...tables, reportingSchema },
    objects: [...reportingTriggers(access, tables), ...reportingComments(tables)],
    partitions: Object.values(schemes),
    access,
  });
  return {
    reportingSchema,
    ...tables,
    ...reportingQueries(tables, schema),
    access,
    schemes,
    definition,
  };
}
