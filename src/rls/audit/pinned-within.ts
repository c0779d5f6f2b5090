import type { FunctionFact } from "../../catalog/functions.ts";

/** What may end the transaction, and with it a SET LOCAL. */
const ENDS = /\b(?:COMMIT|ROLLBACK|CALL)\b[^;]*;/gi;
const PIN = "SET LOCAL search_path TO '';";
const PINNED = /^\s*SET\s+LOCAL\s+search_path\s+(?:TO|=)\s+(?:''|""|pg_catalog)\s*;/i;
const DONE = /^\s*END\s*;?\s*$/i;

/**
 * Whether a procedure that commits says its path itself, first and again after each end of a transaction.
 *
 * One with a setting of its own may not commit (2D000), and SET LOCAL lasts no longer than the transaction.
 */
export function isPinnedWithin(routine: FunctionFact): boolean {
  const body = committing(routine);
  if (body === null) return false;
  const [first = "", ...rest] = body.within.split(ENDS);
  return PINNED.test(first) && rest.every((part) => PINNED.test(part) || DONE.test(part));
}

/** A procedure that commits, made again with its path said within; null of what can have a setting. */
export function pinnedWithin(routine: FunctionFact): string | null {
  const body = committing(routine);
  return body === null
    ? null
    : `${body.before} ${PIN}${body.within.replaceAll(ENDS, `$& ${PIN}`)}${body.after}`;
}

/** The statement that makes a procedure, before, within and after its outermost block; null of any other routine. */
function committing({ kind, language, definition }: FunctionFact) {
  if (kind !== "procedure" || language !== "plpgsql") return null;
  const [, before, within, after] =
    /^([^]*?\bAS \$\w*\$[^]*?\bBEGIN\b)([^]*)(\$\w*\$\s*)$/i.exec(definition ?? "") ?? [];
  if (before === undefined || within === undefined || after === undefined) return null;
  return within.search(ENDS) === -1 ? null : { before, within, after };
}
