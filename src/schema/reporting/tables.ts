import type { Place } from "./access.ts";
import { auditLogsTable } from "./tables/audit-logs.ts";
import { executionLogsTable, reportExecutionsTable } from "./tables/executions.ts";
import { organizationsTable } from "./tables/organizations.ts";
import { reportSharesTable, reportsTable } from "./tables/reports.ts";
import { templateFieldsTable, templatesTable } from "./tables/templates.ts";
import {
  userCredentialsTable,
  userSessionsTable,
  usersTable,
  type LoginScope,
} from "./tables/users.ts";

/** The tables of the domain in a place. */
export function reportingTables(place: Place, loginScope: LoginScope) {
  const organizations = organizationsTable(place);
  const users = usersTable(place, { organizations, loginScope });
  const templates = templatesTable(place, { organizations, users });
  const reports = reportsTable(place, { organizations, users, templates });
  const reportExecutions = reportExecutionsTable(place, { organizations, users, reports });
  return {
    organizations,
    users,
    userCredentials: userCredentialsTable(place, { users }),
    userSessions: userSessionsTable(place, { users }),
    templates,
    templateFields: templateFieldsTable(place, { templates }),
    reports,
    reportExecutions,
    executionLogs: executionLogsTable(place, { reportExecutions }),
    reportShares: reportSharesTable(place, { users, reports }),
    auditLogs: auditLogsTable(place, { organizations, users }),
  };
}

/** The tables of {@link reportingTables}. */
export type ReportingTables = ReturnType<typeof reportingTables>;
