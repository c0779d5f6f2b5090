import type { PgTable } from "drizzle-orm/pg-core";
import type { Seed } from "../../definition/definition.ts";
import type { Section } from "./shapes.ts";

const section = (id: string, title: string): Section => ({ id, title, content: "" });

/** The templates that are there from the beginning. Their ids are fixed, so that a second install finds them. */
const TEMPLATES = [
  {
    id: "6b1c0f5e-2f0a-4d0e-9a52-0c1d5f1e0001",
    name: "Standard monthly report",
    description: "All that a project tells each month.",
    templateType: "standard",
    sections: [
      section("summary", "Executive summary"),
      section("schedule", "Schedule"),
      section("budget", "Budget"),
      section("risks", "Risks"),
      section("next", "Next month"),
    ],
    defaultMetrics: ["budget_utilization", "schedule_performance", "open_risks"],
    defaultExportFormat: "pdf",
  },
  {
    id: "6b1c0f5e-2f0a-4d0e-9a52-0c1d5f1e0002",
    name: "Executive summary",
    description: "One page for those who decide.",
    templateType: "executive",
    sections: [
      section("summary", "Summary"),
      section("decisions", "Decisions needed"),
      section("outlook", "Outlook"),
    ],
    defaultMetrics: ["overall_health", "budget_utilization", "schedule_performance"],
    defaultExportFormat: "powerpoint",
  },
  {
    id: "6b1c0f5e-2f0a-4d0e-9a52-0c1d5f1e0003",
    name: "Technical report",
    description: "What was built, what broke, and what it will take.",
    templateType: "technical",
    sections: [
      section("progress", "Progress"),
      section("quality", "Quality"),
      section("debt", "Technical debt"),
      section("risks", "Technical risks"),
    ],
    defaultMetrics: ["deliverables_done", "defects_open", "test_coverage"],
    defaultExportFormat: "word",
  },
  {
    id: "6b1c0f5e-2f0a-4d0e-9a52-0c1d5f1e0004",
    name: "Financial review",
    description: "Budget, forecast and what they depend on.",
    templateType: "financial",
    sections: [
      section("budget", "Budget against actual"),
      section("forecast", "Forecast"),
      section("simulation", "Monte Carlo analysis"),
      section("commitments", "Commitments"),
    ],
    defaultMetrics: ["budget_variance", "cost_performance", "estimate_at_completion"],
    defaultExportFormat: "excel",
  },
] as const;

/** The default templates, which belong to nobody, so that nobody changes them. */
export function seedsOf(templates: PgTable): readonly Seed[] {
  return [{ table: templates, key: ["id"], rows: TEMPLATES }];
}
