import type { Canonical, CanonicalEntry } from "./canonical.ts";
import { words } from "./words.ts";

/** One thing in which two catalogs differ. */
export interface Difference {
  /** The object, and after a colon what is different about it: `table "app"."orders": row security`. */
  readonly path: string;
  readonly before: string;
  readonly after: string;
}

const ABSENT = "not there";
const UNSET = "nothing";

/**
 * How two catalogs differ, object by object.
 *
 * Of an object that is there on one side only, nothing that belongs to it is told again.
 */
export function compareCatalogs(before: Canonical, after: Canonical): readonly Difference[] {
  const paths = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return paths.flatMap((path) => {
    const was = before[path];
    const is = after[path];
    if (was !== undefined && is !== undefined) return changes(path, was, is);
    if (ownerIsAlone(before, after, was ?? is)) return [];
    return [{ path, before: summary(was), after: summary(is) }];
  });
}

function changes(path: string, was: CanonicalEntry, is: CanonicalEntry): readonly Difference[] {
  const aspects = new Set([...Object.keys(was.aspects), ...Object.keys(is.aspects)]);
  return [...aspects]
    .filter((aspect) => was.aspects[aspect] !== is.aspects[aspect])
    .map((aspect) => ({
      path: `${path}: ${words(aspect)}`,
      before: was.aspects[aspect] ?? UNSET,
      after: is.aspects[aspect] ?? UNSET,
    }));
}

function ownerIsAlone(
  before: Canonical,
  after: Canonical,
  entry: CanonicalEntry | undefined,
): boolean {
  const owner = entry?.within ?? null;
  return owner !== null && (before[owner] === undefined) !== (after[owner] === undefined);
}

function summary(entry: CanonicalEntry | undefined): string {
  if (entry === undefined) return ABSENT;
  const { definition, privileges, bound, type } = entry.aspects;
  return definition ?? privileges ?? bound ?? type ?? "there";
}
