import { reporting } from "./reporting.ts";

const ready = reporting();

/** The schema `reporting`. drizzle-kit makes it only where it is exported. */
export const reportingSchema = ready.reportingSchema;

/** The tenants. */
export const organizations = ready.organizations;

/** The accounts of an organization. */
export const users = ready.users;

/** What the accounts sign in with; no persona reads it. */
export const userCredentials = ready.userCredentials;

/** Who is signed in. */
export const userSessions = ready.userSessions;

/** What reports are made from, each version a row. */
export const templates = ready.templates;

/** What a template asks for. */
export const templateFields = ready.templateFields;

/** Templates with their parameters filled in. */
export const reports = ready.reports;

/** Each time a report was run, in one partition a month. */
export const reportExecutions = ready.reportExecutions;

/** What a worker says while it runs a report. */
export const executionLogs = ready.executionLogs;

/** Who may see or edit a report beside those whose role lets them. */
export const reportShares = ready.reportShares;

/** Who did what, in one partition a month. Append-only. */
export const auditLogs = ready.auditLogs;

/** Who may do what. */
export const access = ready.access;

/** How the two large tables are partitioned. */
export const schemes = ready.schemes;

/** The whole of the domain, in the schema `reporting`. */
export const definition = ready.definition;

/** One page of the reports of an organization, newest first. */
export const reportPage = ready.reportPage;

/** How many executions there are of each status, and how long they took. */
export const executionStatistics = ready.executionStatistics;

/** Whether a template is at work. */
export const hasProcessingReports = ready.hasProcessingReports;

/** The reports whose parameters contain what is wanted. */
export const reportsWithParameters = ready.reportsWithParameters;

/** How often each index of the domain was used. */
export const indexUsage = ready.indexUsage;
