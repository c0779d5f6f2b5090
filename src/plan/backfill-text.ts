import { ident, qualified } from "../sql/quote.ts";
import type { BackfillStep } from "./step.ts";

/** What a backfill does, for people: one statement, without its pages. */
export function backfillText(step: BackfillStep): string {
  const relation = qualified(step.table.schema, step.table.name);
  if ("set" in step) return `UPDATE ${relation} AS target SET ${step.set}\nWHERE ${step.where}`;
  if ("sql" in step)
    return `WITH batch AS (SELECT target.* FROM ${relation} AS target WHERE ${step.where})\n${step.sql}`;
  const { handler, version, writes } = step.transform;
  return `UPDATE ${relation} AS target SET (${writes.map(({ name }) => ident(name)).join(", ")}) = what the handler ${JSON.stringify(handler)} of version ${version} returns\nWHERE ${step.where}`;
}
