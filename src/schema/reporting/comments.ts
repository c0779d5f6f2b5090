import type { DatabaseObject } from "../../objects/object.ts";
import { pgComment } from "../../objects/pg-comment.ts";
import type { DrizzleColumn } from "../../plan/target.ts";
import type { ReportingTables } from "./tables.ts";

/** What somebody in psql needs to be told. */
export function reportingComments(tables: ReportingTables): readonly DatabaseObject[] {
  const { organizations, users, userCredentials, userSessions, templates, templateFields } = tables;
  const { reports, reportExecutions, executionLogs, reportShares, auditLogs } = tables;
  return [
    pgComment({ table: organizations, text: "The tenants of the reporting platform." }),
    column(organizations, organizations.domain, "The mail domain whose users sign in here."),
    column(
      organizations,
      organizations.slug,
      "Its name in addresses; public, and unique among all organizations.",
    ),
    pgComment({ table: users, text: "Accounts, each of one organization." }),
    column(
      users,
      users.email,
      "Unique within the organization unless installed otherwise, in whatever letters it is written.",
    ),
    column(
      users,
      users.role,
      "Decides the persona; super_admin works for the provider and is none.",
    ),
    pgComment({ table: userCredentials, text: "What the accounts sign in with." }),
    column(
      userCredentials,
      userCredentials.passwordHash,
      "A salted hash with its parameters, never a password; no persona reads it.",
    ),
    pgComment({ table: userSessions, text: "Who is signed in." }),
    column(
      userSessions,
      userSessions.tokenHash,
      "SHA-256 of the token in hexadecimal; the token itself is not kept.",
    ),
    pgComment({ table: templates, text: "What reports are made from; each version is a row." }),
    column(templates, templates.parentTemplateId, "The version that this one was made from."),
    column(
      templates,
      templates.isPublic,
      "Offered to everybody in the organization; never to another one.",
    ),
    pgComment({ table: templateFields, text: "What a template asks for." }),
    pgComment({ table: reports, text: "Templates with their parameters filled in." }),
    column(reports, reports.priority, "1 is the first to run, 10 the last."),
    column(reports, reports.executionCount, "Kept by a trigger on report_executions."),
    column(reports, reports.lastExecuted, "Kept by a trigger on report_executions."),
    pgComment({
      table: reportExecutions,
      text: "Each time a report was run; one partition for each month of started_at.",
    }),
    column(
      reportExecutions,
      reportExecutions.startedAt,
      "Part of the key: the partitions are cut by it. To the millisecond, as applications read it.",
    ),
    pgComment({ table: executionLogs, text: "What a worker said while it ran a report." }),
    pgComment({
      table: reportShares,
      text: "Who may see or edit a report beside those whose role lets them.",
    }),
    pgComment({
      table: auditLogs,
      text: "Who did what; append-only, one partition for each month of timestamp.",
    }),
    column(auditLogs, auditLogs.userId, "Who did it; NULL where the host itself did."),
    column(
      auditLogs,
      auditLogs.resourceId,
      "What it was done to, and no foreign key: it may be gone.",
    ),
  ];
}

function column(
  table: ReportingTables[keyof ReportingTables],
  of: DrizzleColumn,
  text: string,
): DatabaseObject {
  return pgComment({ table, column: of, text });
}
