import type { ToldChecks } from "../validation/validation-of.ts";

/** The checks that are path expressions in SQL, as JavaScript. */

type Document = Readonly<Record<string, unknown>>;

/** A list of objects, each with an id that is a text. */
function areSections({ sections }: Document): boolean | null {
  if (sections === null) return null;
  return Array.isArray(sections) && sections.every(isSection);
}

function isSection(section: unknown): boolean {
  return isObject(section) && typeof section.id === "string";
}

/** An object of numbers from 0 to 1. */
function areScores({ ai_confidence_scores: scores }: Document): boolean | null {
  if (scores === null) return null;
  return isObject(scores) && Object.values(scores).every(isScore);
}

function isScore(score: unknown): boolean {
  return typeof score === "number" && score >= 0 && score <= 1;
}

function isObject(value: unknown): value is Document {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export const pmrTemplateChecks: ToldChecks = {
  pmr_templates_sections_form: { columns: ["sections"], holds: areSections },
};

export const pmrReportChecks: ToldChecks = {
  pmr_reports_sections_form: { columns: ["sections"], holds: areSections },
  pmr_reports_ai_confidence_scores_range: { columns: ["ai_confidence_scores"], holds: areScores },
};
