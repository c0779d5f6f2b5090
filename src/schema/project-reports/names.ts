import { qualified } from "../../sql/quote.ts";

/** The qualified names of the domain's tables and enums, for SQL that is written as text. */
export function namer(schema: string) {
  const named = (table: string) => qualified(schema, table);
  return {
    templates: named("pmr_templates"),
    reports: named("pmr_reports"),
    insights: named("ai_insights"),
    collaborationSessions: named("collaboration_sessions"),
    editSessions: named("edit_sessions"),
    exportJobs: named("export_jobs"),
    collaboration: named("pmr_collaboration"),
    distributionLog: named("pmr_distribution_log"),
    comments: named("pmr_comments"),
    changeEvents: named("pmr_change_events"),
    /** An enum. */
    type: named,
  };
}
