import type { Canonical } from "../catalog/canonical.ts";
import type { Finding } from "../catalog/finding.ts";
import type { Facts } from "../catalog/read-facts.ts";
import { namedPath } from "../catalog/path.ts";
import { comparableCatalog } from "../install/declared-catalog.ts";
import type { DatabaseObject } from "../objects/object.ts";

/**
 * What is there and not declared, in the schemas that the definition uses and on the tables that it declares; of the database itself publications,
 * event triggers and the like.
 *
 * Of what is undeclared whole nothing that belongs to it is told. Partitions are made by their scheme, members of an extension by the
 * extension, and the sequence of a column by its column.
 */
export function undeclaredFindings(
  facts: Facts,
  objects: readonly DatabaseObject[],
  expected: Canonical,
): readonly Finding[] {
  const there = comparableCatalog(facts, objects);
  const ids = new Set(objects.map(({ id }) => id));
  const schemas = new Set(
    Object.values(expected).flatMap(({ within }) =>
      within?.startsWith("schema ") === true ? [within] : [],
    ),
  );
  const owned = new Set(
    facts.sequences
      .filter(({ ownedBy }) => ownedBy !== null)
      .map(({ schema, name }) => namedPath("sequence", schema, name)),
  );
  const isOurs = (within: string | null, path: string): boolean => {
    if (within === null) return !/^(?:schema|extension|default privileges) ?/.test(path);
    if (within.startsWith("schema "))
      return schemas.has(within) && (!path.startsWith("privileges of ") || ids.has(within));
    // The columns of a view are told by its query.
    return within in expected && !/^(?:materialized )?view /.test(within);
  };
  return Object.entries(there)
    .filter(([path, { within, aspects }]) => {
      if (path in expected || ids.has(path) || owned.has(path)) return false;
      if (aspects.extension !== undefined || isOfConstraint(path, there)) return false;
      return isOurs(within, path);
    })
    .map(([path, { within, aspects }]) => findingOf(path, within, aspects));
}

function isOfConstraint(path: string, there: Canonical): boolean {
  return path.startsWith("index ") && path.replace(/^index/, "constraint") in there;
}

/** By underpin, for as long as a run needs it. */
const OF_A_RUN = /^(?:column|table|trigger|function) (?:"(?:[^"]|"")+"\.)?"(?:zz_)?underpin_/;

function findingOf(
  path: string,
  within: string | null,
  aspects: Readonly<Record<string, string>>,
): Finding {
  const kind = /^[a-z ]+?(?= ")/.exec(path)?.[0] ?? path.split(" ")[0] ?? "object";
  const isOfRun = OF_A_RUN.test(path);
  const what = aspects.definition ?? aspects.type ?? aspects.kind;
  return {
    check: `${kind.replaceAll(" ", "-")}-undeclared`,
    severity: isOfRun || within === null ? "info" : "warning",
    object: path,
    message: isOfRun
      ? "a run has made or parked it: it goes when the run comes to its end, or with its undo"
      : `it is not declared${what === undefined ? "" : `: ${what}`}`,
    repair: null,
  };
}
