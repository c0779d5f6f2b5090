import { namedPath, partPath } from "../../catalog/path.ts";
import type { ViewFact } from "../../catalog/views.ts";
import { ident, qualified } from "../../sql/quote.ts";
import { roleList, type Audited } from "./audited.ts";
import { finding, type Findings } from "./finding.ts";

/** Whether what is read through a view is what its reader may see. */
export function checkViews(database: Audited): Findings {
  return [
    ...database.facts.views
      .filter(({ extension }) => extension === null)
      .flatMap((view) => checkView(database, view)),
    ...database.facts.rules.map(({ schema, table, name }) =>
      finding(
        "rule_as_owner",
        partPath("rule", name, namedPath("table", schema, table)),
        "What a rule puts in the place of a statement is done with the rights of the owner, past the caller's policies.",
        `DROP RULE ${ident(name)} ON ${qualified(schema, table)}`,
      ),
    ),
  ];
}

function checkView(database: Audited, view: ViewFact): Findings {
  const users = [...database.granted(view).keys()];
  if (users.length === 0) return [];
  const name = qualified(view.schema, view.name);
  const revoke = `REVOKE ALL ON TABLE ${name} FROM ${roleList(users)}`;
  const path = namedPath(
    view.kind === "view" ? "view" : "materialized view",
    view.schema,
    view.name,
  );
  const reads = relationsOf(database, view);
  const ofUsers = reads.has(qualified("auth", "users"))
    ? [
        finding(
          "view_of_users",
          path,
          `${users.join(", ")} may read it, and it reads auth.users.`,
          revoke,
        ),
      ]
    : [];
  if (view.kind === "materializedView")
    return [
      ...ofUsers,
      finding(
        "matview_granted",
        path,
        `${users.join(", ")} may read it, with the rows of every tenant: a materialized view cannot have row security. Grant a view with security_barrier that filters it by tenant.`,
        revoke,
      ),
    ];
  if (isOn(view, "security_invoker") || isGuard(database, view, reads)) return ofUsers;
  return [
    ...ofUsers,
    finding(
      "view_definer",
      path,
      `${users.join(", ")} may read it, and it reads as its owner ${view.owner}, past their policies.`,
      `ALTER VIEW ${name} SET (security_invoker = true)`,
    ),
  ];
}

/** The guard of a materialized view reads nothing else, filters it, and is a barrier, so that it has to read as its owner. */
function isGuard(database: Audited, view: ViewFact, reads: ReadonlySet<string>): boolean {
  const materialized = new Set(
    database.facts.views
      .filter(({ kind }) => kind === "materializedView")
      .map(({ schema, name }) => qualified(schema, name)),
  );
  return (
    isOn(view, "security_barrier") &&
    reads.size > 0 &&
    [...reads].every((relation) => materialized.has(relation)) &&
    /\bWHERE\b/.test(view.definition)
  );
}

function relationsOf(database: Audited, { schema, name }: ViewFact): ReadonlySet<string> {
  return new Set(
    database.facts.dependencies
      .filter(({ dependent }) => dependent.schema === schema && dependent.name === name)
      .filter(({ dependent }) => ["view", "materializedView"].includes(dependent.kind))
      .filter(({ on }) => on.kind === "relation" || on.kind === "column")
      .map(({ on }) => qualified(on.schema, on.name)),
  );
}

function isOn({ options }: ViewFact, option: string): boolean {
  return options.some((each) => new RegExp(`^${option}=(?:true|on|yes|1)$`).test(each));
}
