import type { PgSchema } from "drizzle-orm/pg-core";

/** The enums of the domain, in its schema. */
export function enumsOf(namespace: PgSchema) {
  return {
    /** The four stages of schooling in the Indian curriculum. */
    hpcStage: namespace.enum("hpc_stage", ["foundational", "preparatory", "middle", "secondary"]),
    /** Whose view an evaluation gives. */
    hpcStakeholder: namespace.enum("hpc_stakeholder", ["teacher", "parent", "self", "peer"]),
    hpcParameterCategory: namespace.enum("hpc_parameter_category", [
      "scholastic",
      "co_scholastic",
      "life_skills",
      "values_and_attitudes",
      "health_and_wellbeing",
    ]),
    hpcCycleStatus: namespace.enum("hpc_cycle_status", ["planned", "open", "closed", "archived"]),
    hpcEvaluationStatus: namespace.enum("hpc_evaluation_status", ["draft", "submitted"]),
    hpcApprovalStatus: namespace.enum("hpc_approval_status", [
      "draft",
      "submitted",
      "under_review",
      "revision_requested",
      "approved",
      "rejected",
      "published",
    ]),
    hpcAchievementCategory: namespace.enum("hpc_achievement_category", [
      "academic",
      "arts",
      "sports",
      "community",
      "leadership",
      "other",
    ]),
  };
}

/** What {@link enumsOf} makes. */
export type ProgressCardEnums = ReturnType<typeof enumsOf>;

/** Where a report is on its way to the family. */
export type ApprovalStatus = ProgressCardEnums["hpcApprovalStatus"]["enumValues"][number];
