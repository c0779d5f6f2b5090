import type { DependencyFact } from "../../catalog/dependencies.ts";
import type { PolicyFact } from "../../catalog/policies.ts";
import type { ViewFact } from "../../catalog/views.ts";
import type { RelationName } from "../../plan/step.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";
import type { ConvertFacts } from "./copy-options.ts";
import { refuser } from "./refusals.ts";

/** Whether two names are those of one relation. */
export const isSame = (a: RelationName, b: RelationName) =>
  a.schema === b.schema && a.name === b.name;

/** What reads a table and is carried over. */
export interface Dependents {
  readonly views: readonly ViewFact[];
  /** Materialized views: none unless they were asked for. */
  readonly materialized: readonly ViewFact[];
  /** Policies of other tables. */
  readonly lookers: readonly PolicyFact[];
}

/**
 * What reads a table by its number, and would go on with the parked one: views, and policies of other tables. Both are said again in place once
 * the other table has the name; what cannot be is refused by name.
 */
export function dependentsOf(
  facts: ConvertFacts,
  own: RelationName,
  { materialized = false }: { readonly materialized?: boolean } = {},
): Dependents {
  const refuse = refuser(qualified(own.schema, own.name));
  const users = facts.dependencies.filter(
    ({ on, dependent }) =>
      (on.kind === "relation" || on.kind === "column" || on.kind === "type") &&
      isSame(on, own) &&
      !(isSame(dependent, own) && dependent.kind !== "view" && dependent.kind !== "function"),
  );
  const views = new Map<string, ViewFact>();
  const filled = new Map<string, ViewFact>();
  const lookers = new Map<string, PolicyFact>();
  for (const { dependent, on } of users) {
    const path = qualified(dependent.schema, dependent.name);
    const view = facts.views.find((each) => isSame(each, dependent));
    const policy = facts.policies.find(
      (each) =>
        each.schema === dependent.schema &&
        each.table === dependent.name &&
        each.name === dependent.detail,
    );
    if (dependent.kind === "view" && view !== undefined && on.kind !== "type")
      views.set(path, view);
    else if (
      materialized &&
      dependent.kind === "materializedView" &&
      view !== undefined &&
      on.kind !== "type"
    )
      filled.set(path, view);
    else if (dependent.kind === "policy" && policy !== undefined)
      lookers.set(`${path} ${policy.name}`, policy);
    else
      throw refuse(
        `is used by ${WORDS[dependent.kind]} ${path}${dependent.detail === null ? "" : ` (${dependent.detail})`}, which would go on with the old table`,
        "Drop it, convert the table, and make it again with its grants; read the facts of its schema too.",
      );
  }
  return {
    views: [...views.values()],
    materialized: [...filled.values()],
    lookers: [...lookers.values()],
  };
}

const WORDS = {
  view: "the view",
  materializedView: "the materialized view",
  rule: "the rule",
  policy: "the policy",
  trigger: "the trigger",
  function: "the function",
  column: "the column",
} as const satisfies Record<DependencyFact["dependent"]["kind"], string>;

/**
 * Says a view again, so that its names mean what has them now. Its columns are the same, so that CREATE OR REPLACE keeps it with its owner,
 * grants, triggers and comments, and the views over it.
 */
export function replaceViewSql(view: ViewFact): string {
  const options = view.options.map((option) => {
    const [key = "", ...value] = option.split("=");
    return `${ident(key)} = ${literal(value.join("="))}`;
  });
  return `CREATE OR REPLACE VIEW ${qualified(view.schema, view.name)}${options.length > 0 ? ` WITH (${options.join(", ")})` : ""} AS ${view.definition.replace(/;\s*$/, "")}`;
}

/** Says a policy of another table again, for the same reason. */
export function replacePolicySql({ schema, table, name, using, check }: PolicyFact): string {
  return [
    `ALTER POLICY ${ident(name)} ON ${qualified(schema, table)}`,
    ...(using === null ? [] : [`USING (${using})`]),
    ...(check === null ? [] : [`WITH CHECK (${check})`]),
  ].join(" ");
}
