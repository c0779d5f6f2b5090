import type { AnyPgColumn } from "drizzle-orm/pg-core";
import { definitionOf } from "../../definition/definition-of.ts";
import { pgDeferrable } from "../../objects/pg-constraint.ts";
import { pgExtension } from "../../objects/pg-extension.ts";
import { namespaceOf } from "../namespace.ts";
import { accessOf, withMembers, type AccessBinding, type ProjectAccess } from "./access.ts";
import type { Basis, SessionKey } from "./basis.ts";
import {
  refuseTwoTables,
  simulationKey,
  type Host,
  type ProjectReportsOptions,
} from "./binding.ts";
import { enumsOf } from "./enums.ts";
import { maintenanceFunctions } from "./functions/maintenance.ts";
import { readingFunctions } from "./functions/reading.ts";
import { seedsOf } from "./seeds.ts";
import { commentsOf } from "./table-comments.ts";
import { changeEventsTable, collaborationTable } from "./tables/activity.ts";
import { commentsTable } from "./tables/comments.ts";
import { distributionLogTable, exportJobsTable } from "./tables/exports.ts";
import { insightsTable } from "./tables/insights.ts";
import { reportsTable } from "./tables/reports.ts";
import { collaborationSessionsTable, editSessionsTable } from "./tables/sessions.ts";
import { templatesTable } from "./tables/templates.ts";
import { triggersOf } from "./triggers/triggers.ts";
import {
  activeCollaborationSessionsView,
  activeEditSessionsView,
  reportCollaborationActivityView,
} from "./views/sessions.ts";
import {
  dashboardSummaryView,
  exportJobsStatusView,
  insightsPerformanceView,
  templateAnalyticsView,
} from "./views/summaries.ts";

/**
 * Monthly reports of projects, over the host's own projects, users and members.
 *
 * Give each column as it is in the host's Drizzle tables; one that is no uuid is a compile error. Everything of the domain is in the value that is returned:
 * export its tables, enums, views and schema at top level for drizzle-kit.
 *
 * @example
 * import { pgTable, uuid } from "drizzle-orm/pg-core";
 * import { projectReports } from "underpin/schema/project-reports";
 *
 * const people = pgTable("people", { id: uuid("id").primaryKey() });
 * const projects = pgTable("projects", { id: uuid("id").primaryKey() });
 * const team = pgTable("team", { projectId: uuid("project_id"), userId: uuid("user_id") });
 *
 * const { pmrReports, definition } = projectReports({
 *   projects: projects.id,
 *   users: people.id,
 *   members: { projectId: team.projectId, userId: team.userId },
 *   schema: "pmr",
 * });
 * definition.name; // "pmr"
 */
export function projectReports<
  P extends AnyPgColumn,
  U extends AnyPgColumn,
  MP extends AnyPgColumn,
  MU extends AnyPgColumn,
  X extends AnyPgColumn = AnyPgColumn<{ columnType: "PgUUID" }>,
  const S extends string = "project_reports",
>(options: ProjectReportsOptions<S, P, U, MP, MU, X>) {
  const { schema = "project_reports" as S, projects, users, members, simulations } = options;
  const host: Host = { projects, users, members, simulations: simulationKey(simulations) };
  refuseTwoTables(members);
  const { extensionSchema } = options;
  return domainOver(host, accessOf(bindingOf(schema, options)), {
    schema,
    ...(extensionSchema === undefined ? {} : { extensionSchema }),
  });
}

function bindingOf(schema: string, options: Omit<AccessBinding, "schema">): AccessBinding {
  const { rolePrefix, migratorRole, target } = options;
  return {
    schema,
    ...(rolePrefix === undefined ? {} : { rolePrefix }),
    ...(migratorRole === undefined ? {} : { migratorRole }),
    ...(target === undefined ? {} : { target }),
  };
}

/** Where the domain lives. */
export interface Place<S extends string> {
  readonly schema: S;
  /** @default "extensions" */
  readonly extensionSchema?: string;
  /** Tables of a host that the definition makes too. */
  readonly alongside?: Readonly<Record<string, unknown>>;
}

/** The domain over a host. */
export function domainOver<S extends string>(
  host: Host,
  access: ProjectAccess,
  { schema, extensionSchema = "extensions", alongside }: Place<S>,
) {
  const tables = tablesOf(schema, access, host, extensionSchema);
  const bound = withMembers(access, host.members);
  const definition = definitionOf({
    // Two of them may live in one database, in two schemas.
    name: schema === "public" ? "project_reports" : schema,
    tables: { ...alongside, ...tables },
    access: bound,
    objects: [
      pgExtension({ name: "pg_trgm", schema: extensionSchema }),
      pgDeferrable({
        schema,
        table: "pmr_reports",
        name: "pmr_reports_collaboration_session_fkey",
      }),
      ...readingFunctions(access, schema),
      ...maintenanceFunctions(access, schema),
      ...triggersOf(access, schema),
      ...commentsOf(schema),
    ],
    seeds: seedsOf(tables.pmrTemplates),
    requires: { server: 15, tables: alongside === undefined ? hostTables(host) : [] },
  });
  return { ...tables, access: bound, definition };
}

/** What must be there, so that an install says so before it makes anything. */
function hostTables({ projects, users, members, simulations }: Host) {
  return [projects, users, members.projectId, ...(simulations ?? [])].map(({ table }) => table);
}

function tablesOf<S extends string>(
  schema: S,
  access: ProjectAccess,
  host: Host,
  extensionSchema: string,
) {
  const space = namespaceOf(schema);
  const enums = enumsOf(space);
  const basis: Basis<S> = { space, enums, access, host, extensionSchema };
  const pmrTemplates = templatesTable(basis);
  // The type is written out: the two tables point to each other.
  const session = (): SessionKey => collaborationSessions;
  const pmrReports = reportsTable(basis, pmrTemplates, session);
  const collaborationSessions = collaborationSessionsTable(basis, pmrReports);
  const exportJobs = exportJobsTable(basis, pmrReports);
  return {
    projectReportsSchema: space,
    ...enums,
    pmrTemplates,
    pmrReports,
    aiInsights: insightsTable(basis, pmrReports),
    collaborationSessions,
    editSessions: editSessionsTable(basis, pmrReports, collaborationSessions),
    exportJobs,
    pmrCollaboration: collaborationTable(basis, pmrReports, collaborationSessions),
    pmrDistributionLog: distributionLogTable(basis, pmrReports, exportJobs),
    pmrComments: commentsTable(basis, pmrReports, collaborationSessions),
    pmrChangeEvents: changeEventsTable(basis, pmrReports, collaborationSessions),
    pmrDashboardSummary: dashboardSummaryView(basis),
    pmrTemplateAnalytics: templateAnalyticsView(basis),
    activeEditSessions: activeEditSessionsView(basis),
    activeCollaborationSessions: activeCollaborationSessionsView(basis),
    exportJobsStatus: exportJobsStatusView(basis),
    aiInsightsPerformance: insightsPerformanceView(basis),
    reportCollaborationActivity: reportCollaborationActivityView(basis),
  };
}
