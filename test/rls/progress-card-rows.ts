import type { ProofOptions } from "../../src/rls/prove-isolation.ts";

type Row = Readonly<Record<string, string | null>>;

/** What checks and triggers want that no list of likely values has. */
export const progressCardRows: NonNullable<ProofOptions["generate"]> = {
  hpc_rubrics: () => ({
    levels: JSON.stringify([{ name: "Stream", descriptor: "begins", from: 0 }]),
  }),
  // A weighted score is of an evaluation that was submitted and has a weight.
  hpc_evaluations: ({ values, rowsOf }) => ({
    status: "submitted",
    submitted_at: "2026-01-01",
    score: values.scale_min ?? null,
    stakeholder: sideOf(values, rowsOf("user_profiles")),
  }),
  hpc_parameter_assignments: ({ rowsOf, row }) => {
    const evaluation = rowsOf("hpc_evaluations")[row] ?? {};
    const { cycle_id = null, parameter_id = null, stage = null } = evaluation;
    return {
      cycle_id,
      parameter_id,
      stage,
      stakeholder: sideOf(evaluation, rowsOf("user_profiles")),
    };
  },
  hpc_evidence_files: ({ values, row }) => ({
    object_path: `${values.institution_id ?? ""}/${values.student_id ?? ""}/file-${row}.pdf`,
    achievement_id: null,
    reflection_id: null,
  }),
};

/** The side that a trigger lets an evaluator speak for. */
function sideOf({ evaluator_id, student_id }: Row, profiles: readonly Row[]): string {
  if (evaluator_id === student_id) return "self";
  const role = profiles.find(({ id }) => id === evaluator_id)?.role;
  return role === "student" ? "peer" : role === "parent" ? "parent" : "teacher";
}
