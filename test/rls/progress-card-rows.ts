import type { ProofOptions } from "../../src/rls/prove-isolation.ts";

/** What checks and triggers want that no list of likely values has. */
export const progressCardRows: NonNullable<ProofOptions["generate"]> = {
  hpc_rubrics: () => ({
    levels: JSON.stringify([{ name: "Stream", descriptor: "begins", from: 0 }]),
  }),
  // A weighted score is of an evaluation that was submitted and has a weight; a trigger looks at who gives it.
  hpc_evaluations: ({ values, rowsOf }) => {
    const evaluator = rowsOf("user_profiles").find(({ id }) => id === values.evaluator_id);
    const isSelf = values.evaluator_id === values.student_id;
    const side =
      evaluator?.role === "student" ? "peer" : evaluator?.role === "parent" ? "parent" : "teacher";
    return {
      status: "submitted",
      submitted_at: "2026-01-01",
      score: values.scale_min ?? null,
      ...(isSelf ? {} : { stakeholder: side }),
    };
  },
  hpc_parameter_assignments: ({ rowsOf, row }) => {
    const { cycle_id, parameter_id, stage, stakeholder } = rowsOf("hpc_evaluations")[row] ?? {};
    return { cycle_id, parameter_id, stage, stakeholder } as Record<string, string>;
  },
  hpc_evidence_files: ({ values, row }) => ({
    object_path: `${values.institution_id ?? ""}/${values.student_id ?? ""}/file-${row}.pdf`,
    achievement_id: null,
    reflection_id: null,
  }),
};
