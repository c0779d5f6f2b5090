import { createHash } from "node:crypto";
import type { Plan } from "./step.ts";

/**
 * The content of a plan as one short text: two plans with the same hash do the same.
 *
 * Titles and gate questions are words for people and may be mended while a run is under way; they do not count. The
 * order of keys does not count either, since a plan comes back from `jsonb` in another order.
 */
export function hashPlan(plan: Plan): string {
  return createHash("sha256").update(canonical(plan)).digest("hex").slice(0, 32);
}

const WORDS = new Set(["title", "question"]);

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value === "object" && value !== null)
    return `{${Object.entries(value)
      .filter(([key, part]) => part !== undefined && !WORDS.has(key))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, part]) => `${JSON.stringify(key)}:${canonical(part)}`)
      .join(",")}}`;
  return JSON.stringify(value);
}
