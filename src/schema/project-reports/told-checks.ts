import type { ToldChecks } from "../validation/validation-of.ts";

/** The checks that are path expressions in SQL, as JavaScript. */

type Row = Readonly<Record<string, unknown>>;

/** A list of objects, each with a text as its id. */
function areSections({ sections }: Row): boolean | null {
  if (sections === null) return null;
  return Array.isArray(sections) && sections.every(hasId);
}

function hasId(section: unknown): boolean {
  if (typeof section !== "object" || section === null || Array.isArray(section)) return false;
  return typeof (section as { readonly id?: unknown }).id === "string";
}

/** An object of numbers from 0 to 1. */
function areScores({ ai_confidence_scores: scores }: Row): boolean | null {
  if (scores === null) return null;
  if (typeof scores !== "object" || Array.isArray(scores)) return false;
  return Object.values(scores).every(
    (score) => typeof score === "number" && score >= 0 && score <= 1,
  );
}

/** Of `pmr_templates`. */
export const pmrTemplateChecks: ToldChecks = {
  pmr_templates_sections_form: { columns: ["sections"], holds: areSections },
};

/** Of `pmr_reports`. */
export const pmrReportChecks: ToldChecks = {
  pmr_reports_sections_form: { columns: ["sections"], holds: areSections },
  pmr_reports_ai_confidence_scores_range: { columns: ["ai_confidence_scores"], holds: areScores },
};
