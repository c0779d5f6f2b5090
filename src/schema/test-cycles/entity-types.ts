/** What an entry of the audit log may be about. A cycle's reports are part of the cycle: in one form they have no id of their own. */
export const ENTITY_TYPES = [
  "lob",
  "user",
  "report",
  "test_cycle",
  "workflow_phase",
  "planning_attribute",
  "scoping_attribute",
  "sample",
  "test_execution",
  "observation",
  "request_for_information",
  "data_profile",
] as const;

/** What an entry of the audit log is about. */
export type EntityType = (typeof ENTITY_TYPES)[number];
