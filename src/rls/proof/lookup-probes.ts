import type { AccessData, Lookup } from "../../definition/access.ts";
import type { Definition } from "../../definition/definition.ts";
import { ident, literal } from "../../sql/quote.ts";
import { shorten } from "../../sql/shorten.ts";

/**
 * The lookups as they are declared, as functions that last for the transaction and that only who sees every row may call.
 *
 * PostgreSQL plans what stands in a PL/pgSQL function once for the session, and a statement of its own each time: a lookup is asked for many users,
 * and planning it costs more than running it.
 */
export function lookupProbes({ access }: Definition): readonly string[] {
  return access.flatMap((each) =>
    each.lookups.flatMap((lookup) =>
      lookup.query === null
        ? []
        : [
            `CREATE FUNCTION ${probeOf(each, lookup)} RETURNS text[] LANGUAGE plpgsql AS ${literal(`#variable_conflict use_column
BEGIN RETURN ARRAY(SELECT x::text FROM (${lookup.query}) AS q(x)); END`)}`,
          ],
    ),
  );
}

/** SQL of the ids of a lookup for the context, as a text[]. */
export function probeOf({ schema }: AccessData, { name }: Lookup): string {
  return `pg_temp.${ident(shorten(`underpin ${name} of ${schema}`))}()`;
}
