import type { Scheme } from "../../definition/scheme.ts";
import { literal } from "../../sql/quote.ts";
import { namesOf } from "../provision-names.ts";
import { legacyName } from "./attach-names.ts";

/** A walk below level `n`: a table that was attached as it is takes all rows of its values, and nothing is missing below it. */
export function unlessLegacy(scheme: Scheme, n: number, walk: string): string {
  if (n === 1) return walk;
  const legacy = legacyName(namesOf(scheme).table);
  return `    IF v_detached OR NOT EXISTS (
      SELECT FROM pg_catalog.pg_class AS c
      WHERE c.oid = v_part_${n - 1} AND c.relkind <> 'p' AND c.relname = ${literal(legacy)}
    ) THEN
${walk}    END IF;
`;
}
