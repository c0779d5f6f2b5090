import type { Canonical } from "../../catalog/canonical.ts";
import type { Snapshot } from "../../install/snapshot.ts";
import { contentHash, type DatabaseObject } from "../../objects/object.ts";

/** What of the objects of two snapshots is new, gone, or another. */
export interface Delta {
  /** In the order in which they are made. */
  readonly added: readonly DatabaseObject[];
  /** In the order in which they were made. */
  readonly removed: readonly DatabaseObject[];
  readonly changed: readonly Changed[];
}

/** An object that is there before and after. */
export interface Changed {
  readonly was: DatabaseObject;
  readonly is: DatabaseObject;
}

/**
 * How the objects of two snapshots differ. One whose text differs and whose catalog does not, as a predicate that is written in another way, is
 * the same; what no catalog shows, as a schedule or seed rows, goes by its text.
 */
export function deltaOf(before: Snapshot, after: Snapshot): Delta {
  const was = byId(before.made.objects);
  const is = byId(after.made.objects);
  return {
    added: after.made.objects.filter(({ id }) => !was.has(id)),
    removed: before.made.objects.filter(({ id }) => !is.has(id)),
    changed: after.made.objects.flatMap((object): readonly Changed[] => {
      const other = was.get(object.id);
      if (other === undefined || contentHash(other) === contentHash(object)) return [];
      return isSame(object.id, before, after) ? [] : [{ was: other, is: object }];
    }),
  };
}

/** Objects by their ids. */
export function byId(objects: readonly DatabaseObject[]): ReadonlyMap<string, DatabaseObject> {
  return new Map(objects.map((object) => [object.id, object]));
}

function isSame(id: string, before: Snapshot, after: Snapshot): boolean {
  const was = partsOf(id, before);
  const is = partsOf(id, after);
  return id in was && id in is && JSON.stringify(was) === JSON.stringify(is);
}

/** The entry of an object, with what belongs to it and is no object of its own. */
function partsOf(id: string, { catalog, objects }: Snapshot): Canonical {
  return Object.fromEntries(
    Object.entries(catalog)
      .filter(([path, { within }]) => path === id || (within === id && !(path in objects)))
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}
