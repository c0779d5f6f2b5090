import type { Scheme } from "../../definition/scheme.ts";
import { qualified } from "../../sql/quote.ts";
import { namesOf } from "../provision-names.ts";

/**
 * What the comment of a partition that leaves begins with. It is written before the partition is detached, so that any host
 * knows a detached table, also after a crash: nothing else of it tells of its root.
 */
export function markOf(scheme: Scheme): string {
  const { schema, table } = namesOf(scheme);
  return `underpin: a partition that leaves ${qualified(schema, table)}`;
}

/** The comment of a partition that leaves since a moment. */
export function markText(scheme: Scheme, since: string): string {
  return `${markOf(scheme)} since ${since}`;
}
