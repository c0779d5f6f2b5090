import { and, avg, count, eq, gte, sql, type SQL } from "drizzle-orm";
import { qualified } from "../../sql/quote.ts";
import { keyset } from "../keyset.ts";
import { indexUsageOf } from "./index-usage.ts";
import type { Reader } from "./reader.ts";
import type { ReportingTables } from "./tables.ts";
import type { REPORT_STATUSES } from "./words.ts";

/** Which reports a page is of, and where it begins. */
export interface ReportPageOptions {
  readonly organizationId: string;
  /** Only these. */
  readonly status?: (typeof REPORT_STATUSES)[number];
  /** The `next` of the page before; without it, the first. */
  readonly after?: string | null;
  /** How many rows at most. @default 20 */
  readonly limit?: number;
}

/** Executions of one status. */
export interface ExecutionStatistics {
  readonly status: string;
  readonly count: number;
  /** Null where none of them took a known time. */
  readonly averageTimeMs: number | null;
}

/** A month, as the statistics look back unless they are told otherwise. */
const THIRTY_DAYS = "30 days";

/** The queries of the domain over its tables. */
export function reportingQueries(tables: ReportingTables, schema: string) {
  const { reports, reportExecutions } = tables;
  return {
    /**
     * One page of the reports of an organization, newest first.
     *
     * It goes on by the key of the last row, and not by OFFSET, which reads all rows before it and skips one for each that was deleted
     * meanwhile. The index (organization_id, status, created_at, id), or the same without status, yields the page in order.
     */
    reportPage: async (db: Reader, options: ReportPageOptions) => {
      const { organizationId, status, after, limit } = options;
      const page = keyset(
        reports,
        { createdAt: "desc", id: "desc" },
        {
          within: { organizationId, ...(status === undefined ? {} : { status }) },
          ...(after === undefined ? {} : { after }),
          ...(limit === undefined ? {} : { limit }),
        },
      );
      const { rows, next } = page.pageOf(
        await db
          .select({
            id: reports.id,
            name: reports.name,
            status: reports.status,
            createdAt: reports.createdAt,
          })
          .from(reports)
          .where(page.where)
          .orderBy(...page.orderBy)
          .limit(page.fetch),
      );
      return { reports: rows, next };
    },

    /**
     * How many executions there are of each status, and how long they took, in one organization: that of the context.
     *
     * All that it reads is in one index, and the condition on `started_at` leaves the months before unread.
     */
    executionStatistics: async (
      db: Reader,
      { since }: { readonly since?: Date } = {},
    ): Promise<readonly ExecutionStatistics[]> => {
      const from: SQL =
        since === undefined
          ? sql`now() - ${sql.raw(`interval '${THIRTY_DAYS}'`)}`
          : sql`${sql.param(since, reportExecutions.startedAt)}`;
      return db
        .select({
          status: reportExecutions.status,
          count: count(),
          averageTimeMs: avg(reportExecutions.executionTimeMs).mapWith(Number),
        })
        .from(reportExecutions)
        .where(gte(reportExecutions.startedAt, from))
        .groupBy(reportExecutions.status)
        .orderBy(reportExecutions.status);
    },

    /**
     * Whether a template is at work: a template that is must not be changed.
     *
     * It stops at the first row that it finds, where a count reads them all.
     */
    hasProcessingReports: async (db: Reader, templateId: string): Promise<boolean> => {
      const found = await db
        .select({ found: sql<number>`1` })
        .from(reports)
        .where(and(eq(reports.templateId, templateId), eq(reports.status, "processing")))
        .limit(1);
      return found.length > 0;
    },

    /**
     * The reports whose parameters contain what is wanted, for an `org_admin` or `report_manager`.
     *
     * The ids come from the GIN index, by a function that may use it under row security; see `find_report_ids`.
     */
    reportsWithParameters: async (db: Reader, wanted: Readonly<Record<string, unknown>>) => {
      const ids = sql.raw(`${qualified(schema, "find_report_ids")}`);
      return db
        .select({ id: reports.id, name: reports.name, parameters: reports.parameters })
        .from(reports)
        .where(sql`${reports.id} = any((select ${ids}(${JSON.stringify(wanted)}::jsonb))::uuid[])`)
        .orderBy(reports.name, reports.id);
    },

    /** How often each index of the domain was used since the statistics began, least first. */
    indexUsage: (db: Reader) => indexUsageOf(db, schema),
  };
}
