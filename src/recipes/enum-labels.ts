import type { RelationName } from "../plan/step.ts";
import { literal, qualified } from "../sql/quote.ts";

/** Raises where an enum has not these values, in this order: one that came meanwhile would be gone without a word. */
export function labelsAsReadSql({ schema, name }: RelationName, labels: readonly string[]): string {
  const path = qualified(schema, name);
  const body = `
BEGIN
  IF ARRAY(SELECT e.enumlabel::text FROM pg_catalog.pg_enum e
    WHERE e.enumtypid = pg_catalog.to_regtype(${literal(path)}) ORDER BY e.enumsortorder)
    <> ARRAY[${labels.map(literal).join(", ")}]::text[] THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = ${literal(`the values of ${path} are others than when the plan was made`)},
      HINT = 'Read the facts again, and make another plan.';
  END IF;
END`;
  return `DO ${literal(body)}`;
}
