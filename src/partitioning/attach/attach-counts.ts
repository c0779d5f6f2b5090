import type { Attach } from "./attach-of.ts";

/** Indexes of the root. */
export function rootIndexes({ indexes, keepsKey, narrow }: Attach): number {
  return indexes.length + narrow.length + (keepsKey ? 0 : 1);
}

/** Indexes of the table just before the swap: its own, and those that were built for it. */
export function ownIndexes({ indexes, keepsKey, narrow }: Attach): number {
  return indexes.length + 2 * narrow.length + (keepsKey ? 0 : 3);
}

/** Those of them that the swap renames, drops or makes a constraint of. */
export function changedIndexes({ indexes, keepsKey, narrow }: Attach): number {
  const constraints = narrow.filter(
    ({ index, widened }) => widened !== null && index.constraint !== null,
  );
  return indexes.length + narrow.length + constraints.length + (keepsKey ? 0 : 2);
}
