import { sql, type SQL } from "drizzle-orm";
import type { PgTable } from "drizzle-orm/pg-core";
import { defineAccess, ids } from "../../rls/define-access.ts";
import type { Me } from "../../rls/lookups.ts";
import type { KeyKind } from "./keys.ts";

/** How the domain's access is bound to a host. */
export interface AccessBinding {
  readonly schema: string;
  readonly keys: KeyKind;
  readonly rolePrefix?: string;
  readonly migratorRole?: string;
  readonly target?: "postgres" | "supabase" | "citus";
}

/**
 * Who works on test cycles. The tenant is the line of business; `assigned_…` is what a user tests, owns, or is asked for.
 */
export function accessOf({ schema, keys, rolePrefix, migratorRole, target }: AccessBinding) {
  return defineAccess({
    schema,
    tenantColumn: "lobId",
    tenantType: keys,
    userType: keys,
    personas: ["tester", "test_manager", "report_owner", "data_provider", "admin"],
    lookups: {
      assigned_cycles: ids(keys),
      assigned_reports: ids(keys),
      assigned_phases: ids(keys),
      // The key of cycle_reports does not hold the line of business: who could try a foreign cycle there would learn from the
      // kind of error whether it exists. So a cycle is first looked for among one's own.
      lob_cycles: ids(keys),
    },
    ...(rolePrefix === undefined ? {} : { rolePrefix }),
    ...(migratorRole === undefined ? {} : { migratorRole }),
    ...(target === undefined ? {} : { target }),
  });
}

/** A table with columns, as far as a lookup names them. */
type Named<C extends string> = PgTable & Readonly<Record<C, unknown>>;

/** The tables that the lookups read. */
export interface LookupTables {
  readonly cycles: Named<"lobId" | "cycleId" | "testManagerId">;
  readonly reports: Named<"lobId" | "reportId" | "reportOwnerId">;
  readonly cycleReports: Named<"lobId" | "cycleId" | "reportId" | "testerId">;
  readonly workflowPhases: Named<"lobId" | "cycleId" | "reportId" | "phaseId">;
  readonly requestsForInformation: Named<"lobId" | "phaseId" | "dataProviderId">;
}

/** The access with the bodies of its lookups, for the tables as they were made. */
export function withLookups(access: ReturnType<typeof accessOf>, tables: LookupTables) {
  const { cycles, reports, cycleReports, workflowPhases, requestsForInformation } = tables;
  const itsPhases = sql` join ${workflowPhases} on ${workflowPhases.lobId} = ${cycleReports.lobId} and ${workflowPhases.cycleId} = ${cycleReports.cycleId} and ${workflowPhases.reportId} = ${cycleReports.reportId}`;
  // Whoever tests a report, owns it, or is asked about it. UNION: a row that is reached twice counts once.
  const assigned = (column: unknown, ofRequest: unknown, joined: SQL, { userId, tenantId }: Me) =>
    sql`
select ${column} as id from ${cycleReports}${joined} where ${cycleReports.lobId} = ${tenantId} and ${cycleReports.testerId} = ${userId}
union select ${column} from ${reports}
  join ${cycleReports} on ${cycleReports.lobId} = ${reports.lobId} and ${cycleReports.reportId} = ${reports.reportId}${joined}
  where ${reports.lobId} = ${tenantId} and ${reports.reportOwnerId} = ${userId}
union select ${ofRequest} from ${requestsForInformation}
  join ${workflowPhases} on ${workflowPhases.lobId} = ${requestsForInformation.lobId} and ${workflowPhases.phaseId} = ${requestsForInformation.phaseId}
  where ${requestsForInformation.lobId} = ${tenantId} and ${requestsForInformation.dataProviderId} = ${userId}`;
  return access.with({
    assigned_cycles: (_, me) => assigned(cycleReports.cycleId, workflowPhases.cycleId, sql``, me),
    assigned_reports: (_, me) =>
      assigned(cycleReports.reportId, workflowPhases.reportId, sql``, me),
    assigned_phases: (_, me) =>
      assigned(workflowPhases.phaseId, workflowPhases.phaseId, itsPhases, me),
    lob_cycles: (_, me) =>
      sql`select ${cycles.cycleId} as id from ${cycles} where ${cycles.lobId} = ${me.tenantId}`,
  });
}
