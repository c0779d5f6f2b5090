import type { DatabaseObject } from "../objects/object.ts";
import type { Lock } from "../plan/step.ts";
import { qualified } from "../sql/quote.ts";

/** Relations that one transaction makes at most: each is in the lock table, of 6,400 places by default, until it ends. */
const MOST_RELATIONS = 200;

/** A run of objects that one transaction makes. */
export interface Transaction {
  readonly objects: readonly DatabaseObject[];
}

/**
 * Cuts a list of objects into transactions: none makes more relations than the lock table bears, and whatever locks a table of
 * the host stands alone, so that the lock is held for one statement.
 */
export function transactionsOf(
  objects: readonly DatabaseObject[],
  locksOf: (object: DatabaseObject) => readonly Lock[],
): readonly Transaction[] {
  const own = new Set(
    objects.flatMap(({ id }) => {
      const name = /^(?:table|view|materialized view|sequence) (.+)$/.exec(id)?.[1];
      return name === undefined ? [] : [name];
    }),
  );
  const ownIndexes = new Set(objects.filter(({ kind }) => kind === "index").map(({ id }) => id));
  const touchesHost = (object: DatabaseObject) =>
    !ownIndexes.has(object.id) &&
    locksOf(object).some(({ schema, name }) => !own.has(qualified(schema, name)));
  const transactions: Transaction[] = [];
  let open: DatabaseObject[] = [];
  let relations = 0;
  const close = () => {
    if (open.length > 0) transactions.push({ objects: open });
    open = [];
    relations = 0;
  };
  for (const object of objects) {
    const alone = touchesHost(object);
    if (alone || relations + object.creates > MOST_RELATIONS) close();
    open.push(object);
    relations += object.creates;
    if (alone) close();
  }
  close();
  return transactions;
}
