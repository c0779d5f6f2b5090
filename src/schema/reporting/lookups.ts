import { and, eq, gt, isNull, or, sql } from "drizzle-orm";
import type { ReportingPersonas } from "./access.ts";
import type { ReportingTables } from "./tables.ts";

/** The access with the bodies of its lookups. A share that has expired gives nothing. */
export function lookupsOf(
  personas: ReportingPersonas,
  { reports, reportShares }: Pick<ReportingTables, "reports" | "reportShares">,
) {
  const isLive = or(isNull(reportShares.expiresAt), gt(reportShares.expiresAt, sql`now()`));
  return personas.with({
    shared: (db, me) =>
      db
        .select({ id: reportShares.reportId })
        .from(reportShares)
        .where(
          and(
            eq(reportShares.organizationId, me.tenantId),
            eq(reportShares.sharedWith, me.userId),
            isLive,
          ),
        ),
    editable: (db, me) =>
      db
        .select({ id: reportShares.reportId })
        .from(reportShares)
        .where(
          and(
            eq(reportShares.organizationId, me.tenantId),
            eq(reportShares.sharedWith, me.userId),
            eq(reportShares.permission, "edit"),
            isLive,
          ),
        ),
    authored: (db, me) =>
      db
        .select({ id: reports.id })
        .from(reports)
        .where(and(eq(reports.organizationId, me.tenantId), eq(reports.createdBy, me.userId))),
  });
}
