import type { ProgressCardTables } from "./parts.ts";

/** The eleven tables of progress cards: those whose every write is audited. */
export function hpcTables(tables: ProgressCardTables) {
  return [
    tables.hpcParameters,
    tables.hpcRubrics,
    tables.hpcParameterAssignments,
    tables.hpcEvaluationCycles,
    tables.hpcEvaluations,
    tables.hpcReports,
    tables.hpcApprovalWorkflows,
    tables.hpcAnalytics,
    tables.hpcAchievements,
    tables.hpcReflections,
    tables.hpcEvidenceFiles,
  ];
}
