import type { ToldChecks } from "../validation/validation-of.ts";

/**
 * The checks that are path expressions in SQL, as JavaScript. In their lax mode a path looks into a list as it would into each of
 * its elements.
 */

type Document = Readonly<Record<string, unknown>>;

/** `jsonb_typeof(sections) = 'array' and not jsonb_path_exists(sections, '$[*] ? (!(exists(@.id)))')` */
function areSections({ sections }: Document): boolean | null {
  if (sections === null) return null;
  return Array.isArray(sections) && sections.every(hasId);
}

function hasId(section: unknown): boolean {
  return Array.isArray(section)
    ? section.some((inner) => !Array.isArray(inner) && hasId(inner))
    : typeof section === "object" && section !== null && "id" in section;
}

/** `jsonb_typeof(…) = 'object' and not jsonb_path_exists(…, '$.* ? (!(@ >= 0 && @ <= 1))')` */
function areScores({ ai_confidence_scores: scores }: Document): boolean | null {
  if (scores === null) return null;
  if (typeof scores !== "object" || Array.isArray(scores)) return false;
  return !Object.values(scores).flat().some(isOutside);
}

/** What cannot be compared with a number is neither inside nor outside; JSON's null is outside. */
function isOutside(score: unknown): boolean {
  const values = Array.isArray(score) ? score : [score];
  const above = any(values, (value) => value >= 0);
  const below = any(values, (value) => value <= 1);
  return above === false || below === false;
}

function any(values: readonly unknown[], holds: (value: number) => boolean): boolean | null {
  const told = values.map((value) =>
    value === null ? false : typeof value === "number" ? holds(value) : null,
  );
  return told.includes(true) ? true : told.includes(null) ? null : false;
}

export const pmrTemplateChecks: ToldChecks = {
  pmr_templates_sections_form: { columns: ["sections"], holds: areSections },
};

export const pmrReportChecks: ToldChecks = {
  pmr_reports_sections_form: { columns: ["sections"], holds: areSections },
  pmr_reports_ai_confidence_scores_range: { columns: ["ai_confidence_scores"], holds: areScores },
};
