import type { Plan, Step } from "../plan/step.ts";

/** How two plans of one name differ, step by step, for a person. */
export function describeChange(before: Plan, after: Plan): string {
  const old = new Map(before.steps.map((step) => [step.id, step]));
  const lines: string[] = [];
  for (const step of after.steps) {
    const was = old.get(step.id);
    old.delete(step.id);
    if (was === undefined) lines.push(`  + ${step.id}: ${step.title}`);
    else
      for (const [key, from, to] of changes(was, step))
        lines.push(`  ~ ${step.id}.${key}:`, `      before: ${from}`, `      now:    ${to}`);
  }
  for (const { id, title } of old.values()) lines.push(`  - ${id}: ${title}`);
  return lines.length > 0 ? lines.join("\n") : "  ~ the order of the steps";
}

function changes(before: Step, after: Step): readonly (readonly [string, string, string])[] {
  const a = before as unknown as Record<string, unknown>;
  const b = after as unknown as Record<string, unknown>;
  return [...new Set([...Object.keys(a), ...Object.keys(b)])]
    .filter((key) => key !== "title" && key !== "question")
    .map((key) => [key, show(a[key]), show(b[key])] as const)
    .filter(([, from, to]) => from !== to);
}

function show(value: unknown): string {
  if (typeof value === "string") return value;
  // Keys in one order: a plan comes back from jsonb in another.
  return value === undefined ? "(nothing)" : JSON.stringify(value, sortKeys);
}

function sortKeys(_: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([x], [y]) => (x < y ? -1 : 1)));
}
