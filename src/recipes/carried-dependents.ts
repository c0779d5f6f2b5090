import type { DependencyFact } from "../catalog/dependencies.ts";
import type { GrantFact } from "../catalog/grants.ts";
import type { PolicyFact } from "../catalog/policies.ts";
import type { ViewFact } from "../catalog/views.ts";
import type { Lock, RelationName } from "../plan/step.ts";
import { ident, literal, qualified } from "../sql/quote.ts";
import { isOf, isSame, refuse, type ColumnFacts } from "./own-column.ts";

/** What uses a column and is made anew around a change of it. */
export interface CarriedDependents {
  readonly drop: readonly string[];
  readonly create: readonly string[];
  readonly locks: readonly Lock[];
  /** How many views are made. */
  readonly creates: number;
}

/**
 * The views and policies that use a column, with the views over those: dropped and made again from their own text, which
 * names the column and so means the one that has the name by then. They keep options, owner, comments, grants and triggers.
 *
 * What cannot be made again in a moment, or not from what the catalog says, is refused by name.
 */
export function carriedDependents(
  facts: ColumnFacts,
  table: RelationName,
  column: string,
): CarriedDependents {
  const path = qualified(table.schema, table.name);
  const isColumn = (on: DependencyFact["on"]) =>
    isSame(on, table) && on.kind === "column" && on.detail === column;
  const views: ViewFact[] = [];
  const policies: PolicyFact[] = [];
  const visit = (uses: (on: DependencyFact["on"]) => boolean): void => {
    for (const { dependent } of facts.dependencies.filter(({ on }) => uses(on))) {
      const name = qualified(dependent.schema, dependent.name);
      if (dependent.kind === "view") {
        if (views.some((view) => isSame(view, dependent))) continue;
        const view = facts.views.find((each) => isSame(each, dependent));
        if (view === undefined)
          return refuse(
            `the view ${name} uses ${column} of ${path}, and the facts do not hold it`,
            "Read them with its schema too: readFacts(db, { schemas: [ … ] }).",
          );
        visit((on) => isSame(on, dependent) && ["relation", "column"].includes(on.kind));
        // After the views over it: so that the list is in the order in which they can be dropped.
        views.push(view);
      } else if (dependent.kind === "policy") {
        const policy = facts.policies.find(
          (each) => isOf(each, dependent) && each.name === dependent.detail,
        );
        if (policy !== undefined && !policies.includes(policy)) policies.push(policy);
      } else if (dependent.kind !== "trigger" || !facts.views.some((v) => isSame(v, dependent))) {
        refuse(
          `${NAMES[dependent.kind]} ${dependent.detail ?? ""} (${name}) uses ${column} of ${path}, directly or through a view`,
          "It cannot be carried over: drop it, make the plan again, and make it anew afterwards.",
        );
      }
    }
  };
  visit(isColumn);
  return {
    drop: [
      ...policies.map((policy) => `DROP POLICY ${ident(policy.name)} ON ${tableOf(policy)}`),
      ...views.map((view) => `DROP VIEW ${qualified(view.schema, view.name)}`),
    ],
    create: [
      ...views.toReversed().flatMap((view) => createView(facts, view)),
      ...policies.flatMap(createPolicy),
    ],
    locks: [
      ...views.map(({ schema, name }): Lock => ({ schema, name, mode: "accessExclusive" })),
      ...policies
        .filter((policy) => !isOf(policy, table))
        .map(
          (policy): Lock => ({
            schema: policy.schema,
            name: policy.table,
            mode: "accessExclusive",
          }),
        ),
    ],
    creates: views.length,
  };
}

const NAMES = {
  view: "the view",
  materializedView: "the materialized view",
  rule: "the rule",
  policy: "the policy",
  trigger: "the trigger",
  function: "the function with an SQL body",
  column: "the generated column",
} as const satisfies Record<DependencyFact["dependent"]["kind"], string>;

function createView(facts: ColumnFacts, view: ViewFact): readonly string[] {
  const path = qualified(view.schema, view.name);
  const options = view.options.map((option) => {
    const [key = "", ...value] = option.split("=");
    return `${ident(key)} = ${literal(value.join("="))}`;
  });
  const columns = facts.columns.filter((each) => isOf(each, view));
  return [
    `CREATE VIEW ${path}${options.length > 0 ? ` WITH (${options.join(", ")})` : ""} AS ${view.definition.replace(/;\s*$/, "")}`,
    ...columns
      .filter((column) => column.default !== null)
      .map(
        (column) =>
          `ALTER VIEW ${path} ALTER COLUMN ${ident(column.name)} SET DEFAULT ${column.default ?? ""}`,
      ),
    ...facts.triggers.filter((trigger) => isOf(trigger, view)).map(({ definition }) => definition),
    ...(view.comment === null ? [] : [`COMMENT ON VIEW ${path} IS ${literal(view.comment)}`]),
    ...columns
      .filter(({ comment }) => comment !== null)
      .map(
        ({ name, comment }) =>
          `COMMENT ON COLUMN ${path}.${ident(name)} IS ${literal(comment ?? "")}`,
      ),
    ...facts.grants
      .filter((grant) => isSame(grant, view) && grant.grantee !== view.owner)
      .flatMap(grantSql),
    // Whoever runs this may be neither: a view reads with the rights of its owner.
    `ALTER VIEW ${path} OWNER TO ${ident(view.owner)}`,
  ];
}

function grantSql({ on, schema, name, detail, grantee, privileges, grantable }: GrantFact) {
  if (on !== "relation" && on !== "column") return [];
  const to = grantee === "public" ? "PUBLIC" : ident(grantee);
  const what = on === "column" ? ` (${ident(detail ?? "")})` : "";
  return privileges.map(
    (privilege) =>
      `GRANT ${privilege}${what} ON TABLE ${qualified(schema, name)} TO ${to}${grantable.includes(privilege) ? " WITH GRANT OPTION" : ""}`,
  );
}

function createPolicy(policy: PolicyFact): readonly string[] {
  const { name, permissive, command, roles, using, check, comment } = policy;
  const to = roles.map((role) => (role === "public" ? "PUBLIC" : ident(role))).join(", ");
  return [
    [
      `CREATE POLICY ${ident(name)} ON ${tableOf(policy)} AS ${permissive ? "PERMISSIVE" : "RESTRICTIVE"} FOR ${command.toUpperCase()} TO ${to}`,
      ...(using === null ? [] : [`USING (${using})`]),
      ...(check === null ? [] : [`WITH CHECK (${check})`]),
    ].join(" "),
    ...(comment === null
      ? []
      : [`COMMENT ON POLICY ${ident(name)} ON ${tableOf(policy)} IS ${literal(comment)}`]),
  ];
}

function tableOf({ schema, table }: PolicyFact): string {
  return qualified(schema, table);
}
