import type { Queryable } from "../../executor/executor.ts";
import type { CheckStep, SqlStep } from "../../plan/step.ts";

const SCANS: readonly (readonly [pattern: RegExp, says: string])[] = [
  [/\bVALIDATE\s+CONSTRAINT\b/i, "reads every row, while others read and write"],
  [
    /\bINDEX\s+CONCURRENTLY\b/i,
    "reads every row twice, while others read and write, and waits for every older transaction",
  ],
  [/^\s*CREATE\s+(UNIQUE\s+)?INDEX\s+(?!CONCURRENTLY)/i, "reads every row, while writers wait"],
  [
    /\bALTER\s+COLUMN\s+\S+\s+SET\s+NOT\s+NULL\b/i,
    "reads every row, unless a valid CHECK says that none is NULL",
  ],
  [/\bREFRESH\s+MATERIALIZED\s+VIEW\b/i, "runs the query of the view"],
  [/\bSET\s+DATA\s+TYPE\b|\bALTER\s+COLUMN\s+\S+\s+TYPE\b/i, "may write every row anew"],
];

/** What a statement reads from end to end, in words. A check is asked of the planner; what a statement does follows from its text. */
export async function scansOf(
  db: Queryable,
  step: SqlStep | CheckStep,
): Promise<readonly string[]> {
  if (step.kind === "sql") {
    if (/^\s*DROP\b/i.test(step.sql)) return [];
    return SCANS.filter(([pattern]) => pattern.test(step.sql)).map(([, says]) => says);
  }
  try {
    const rows = await db.query<{ json: unknown }>(`EXPLAIN (FORMAT JSON) ${step.sql}`);
    const text = Object.values(rows[0] ?? {})[0];
    const found: unknown = typeof text === "string" ? JSON.parse(text) : text;
    return [...new Set(nodesOf(found))];
  } catch {
    // What it reads is only made by an earlier step.
    return ["cannot be planned yet: it reads what an earlier step makes"];
  }
}

function nodesOf(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(nodesOf);
  if (typeof value !== "object" || value === null) return [];
  const node = value as Readonly<Record<string, unknown>>;
  const own =
    node["Node Type"] === "Seq Scan" ? [`reads every row of ${String(node["Relation Name"])}`] : [];
  return [...own, ...Object.values(node).flatMap(nodesOf)];
}
