import { pgComment } from "../../objects/pg-comment.ts";
import type { DatabaseObject } from "../../objects/object.ts";

/** What tables are for. */
const TABLES: Readonly<Record<string, string>> = {
  pmr_templates:
    "Templates of monthly reports. They belong to no project: every member reads them.",
  pmr_reports: "Monthly reports of projects, with their workflow.",
  ai_insights: "What an AI says about a report, and what people think of it.",
  collaboration_sessions:
    "Several people on one report at once; at most one open session for each report.",
  edit_sessions: "One person at work on a report, with the chat that goes with it.",
  export_jobs: "Reports on their way into files.",
  pmr_collaboration: "Append-only: what people did.",
  pmr_distribution_log: "To whom a report went, how, and whether it arrived.",
  pmr_comments: "Comments on sections, in threads.",
  pmr_change_events: "Append-only: each change of a report, with the value before and after.",
};

/** What columns hold, where the name does not say it. */
const COLUMNS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  pmr_templates: {
    sections: "An array of objects, each with an id.",
    created_by: "Whose it is; NULL for the default ones, which nobody changes.",
    rating: "From 0 to 5.",
  },
  pmr_reports: {
    report_month: "The first day of the month.",
    sections: "An array of objects, each with an id.",
    ai_generated_insights:
      "Deprecated: kept readable for old reports. New insights are rows of ai_insights.",
    ai_confidence_scores: "By section, from 0 to 1.",
    monte_carlo_simulation_id: "The simulation of the host that the analysis was made from.",
    monte_carlo_analysis: "Results as they were when the report was written.",
    real_time_metrics: "Present figures of the project; not part of the content.",
    collaboration_session_id:
      "The open collaborative session of this report. Its foreign key is deferrable.",
    total_edits: "Counted by a trigger: changes of the content.",
    audit_log:
      "Written by a trigger: the last hundred changes. All of them are in pmr_change_events.",
  },
  ai_insights: {
    confidence_score: "How sure the AI is, from 0 to 1.",
    impact_score: "The estimated impact, from 0 to 1.",
    feedback_score: "What people think of it, from 0 to 5.",
  },
  collaboration_sessions: {
    conflict_resolution_strategy: "last_write_wins, manual or merge.",
    participants: "An array of those who are in it.",
    changes_log: "An array of the changes made in it.",
    locked_sections: "Locks by section id.",
    archived_at: "When maintenance put it away.",
  },
  edit_sessions: {
    edit_count: "Counted by a trigger: edits of the report while the session is open.",
    archived_at: "When maintenance put it away.",
  },
  pmr_collaboration: {
    user_id: "Not a foreign key: the entry outlives the account.",
  },
  pmr_comments: {
    depth: "Set by a trigger: 0 for the first of a thread, 8 at most.",
    anchor: "Where in the section it stands.",
  },
  pmr_change_events: {
    user_id: "Not a foreign key: the entry outlives the account. NULL where no user was named.",
    field: "The column of pmr_reports that changed.",
  },
};

/** Comments for people who look with psql. */
export function commentsOf(schema: string): readonly DatabaseObject[] {
  return [
    ...Object.entries(TABLES).map(([table, text]) => pgComment({ schema, table, text })),
    ...Object.entries(COLUMNS).flatMap(([table, columns]) =>
      Object.entries(columns).map(([column, text]) => pgComment({ schema, table, column, text })),
    ),
  ];
}
