import type { PgSchema } from "drizzle-orm/pg-core";

/** The phases of one report in one cycle, in the order in which they are worked through. */
export const PHASES = [
  "planning",
  "data_profiling",
  "scoping",
  "data_provider_assignment",
  "sample_selection",
  "request_for_information",
  "test_execution",
  "observation_management",
  "finalize_report",
] as const;

/** The enums of the domain, in its schema. */
export function enumsOf(space: PgSchema) {
  return {
    cycleStatus: space.enum("cycle_status", ["planning", "active", "completed", "cancelled"]),
    cycleReportStatus: space.enum("cycle_report_status", [
      "not_started",
      "in_progress",
      "completed",
    ]),
    // Their order in the enum is the order of work: `<` compares enums by it.
    phaseName: space.enum("phase_name", PHASES),
    phaseStatus: space.enum("phase_status", [
      "not_started",
      "in_progress",
      "pending_review",
      "completed",
      "skipped",
    ]),
    scopingDecision: space.enum("scoping_decision", ["pending", "in_scope", "out_of_scope"]),
    sampleCategory: space.enum("sample_category", ["clean", "anomaly", "boundary"]),
    sampleStatus: space.enum("sample_status", ["proposed", "approved", "rejected"]),
    testResult: space.enum("test_result", ["pending", "pass", "fail", "inconclusive"]),
    observationSeverity: space.enum("observation_severity", ["low", "medium", "high", "critical"]),
    observationStatus: space.enum("observation_status", [
      "draft",
      "submitted",
      "acknowledged",
      "disputed",
      "resolved",
      "closed",
    ]),
    requestStatus: space.enum("request_status", [
      "open",
      "submitted",
      "accepted",
      "returned",
      "cancelled",
    ]),
    auditAction: space.enum("audit_action", ["insert", "update", "delete"]),
  };
}
