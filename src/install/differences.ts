import type { Canonical } from "../catalog/canonical.ts";

/** One thing in which a catalog is not what it should be. */
export interface CatalogDifference {
  /** The object's path. */
  readonly path: string;
  /** What about it: an aspect of the canonical projection; null for the object itself. */
  readonly aspect: string | null;
  readonly expected: string | null;
  readonly found: string | null;
}

/**
 * How a catalog differs from what is declared. Of an object that is missing nothing that belongs to it is told again; one that is not
 * declared counts where it changes what a declared one does: a policy, a privilege, a trigger, a rule, and what may refuse a row.
 */
export function differences(expected: Canonical, found: Canonical): readonly CatalogDifference[] {
  const paths = [...new Set([...Object.keys(expected), ...Object.keys(found)])].sort();
  return paths.flatMap((path): readonly CatalogDifference[] => {
    const should = expected[path];
    const is = found[path];
    if (should === undefined)
      return /^(?:policy|privileges|trigger|rule) /.test(path) || mayRefuse(path, found)
        ? [{ path, aspect: null, expected: null, found: is?.aspects.definition ?? "there" }]
        : [];
    if (is === undefined) {
      const owner = should.within;
      const ownerIsMissing =
        owner !== null && expected[owner] !== undefined && found[owner] === undefined;
      return ownerIsMissing ? [] : [{ path, aspect: null, expected: "there", found: null }];
    }
    const aspects = new Set([...Object.keys(should.aspects), ...Object.keys(is.aspects)]);
    return [...aspects]
      .filter((aspect) => should.aspects[aspect] !== is.aspects[aspect])
      .filter((aspect) => !isTold(aspect, path))
      .map((aspect) => ({
        path,
        aspect,
        expected: should.aspects[aspect] ?? null,
        found: is.aspects[aspect] ?? null,
      }));
  });
}

/** Whether something that is not declared may refuse, or change, a row that the declared ones take. */
export function mayRefuse(path: string, found: Canonical): boolean {
  const { aspects = {} } = found[path] ?? {};
  if (path.startsWith("constraint ")) return true;
  if (path.startsWith("index "))
    return aspects.unique === "yes" && found[path.replace(/^index/, "constraint")] === undefined;
  const isGiven = ["default", "identity", "generated.kind"].some((aspect) => aspect in aspects);
  return path.startsWith("column ") && aspects.notNull === "yes" && !isGiven;
}

/** What another aspect or object tells already, or what the host may choose. */
function isTold(aspect: string, path: string): boolean {
  if (path.startsWith("schema ")) return aspect === "owner" || aspect === "comment";
  // Where the host has added columns of its own.
  if (path.startsWith("column ")) return aspect === "position" || aspect === "statisticsTarget";
  return ["options", "tablespace", "replicaIdentity", "clustered"].includes(aspect)
    ? path.startsWith("table ") || path.startsWith("index ")
    : false;
}
