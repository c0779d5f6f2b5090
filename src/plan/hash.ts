import { createHash } from "node:crypto";
import type { Plan, Step } from "./step.ts";

/**
 * The content of a plan as one short text: two plans with the same hash do the same.
 *
 * Titles and gate questions are words for people and may be mended while a run is under way; they do not count. The
 * order of keys does not count either, since a plan comes back from `jsonb` in another order.
 */
export function hashPlan(plan: Plan): string {
  const content = { ...plan, steps: plan.steps.map(withoutWords) };
  return createHash("sha256").update(canonical(content)).digest("hex").slice(0, 32);
}

/** A step without its words. Inside it, in the argument of a call, the same keys are content. */
function withoutWords(step: Step): object {
  const words = step.kind === "gate" ? ["title", "question"] : ["title"];
  return Object.fromEntries(Object.entries(step).filter(([key]) => !words.includes(key)));
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value === "object" && value !== null)
    return `{${Object.entries(value)
      .filter(([, part]) => part !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, part]) => `${JSON.stringify(key)}:${canonical(part)}`)
      .join(",")}}`;
  return JSON.stringify(value);
}
