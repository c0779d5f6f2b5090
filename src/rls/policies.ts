import { sql } from "drizzle-orm";
import { pgPolicy, type PgPolicy } from "drizzle-orm/pg-core";
import {
  COMMANDS,
  RULES,
  type AccessData,
  type Command,
  type RowClass,
  type TableRules,
} from "../definition/access.ts";
import { literal, qualified } from "../sql/quote.ts";
import { predicateOf, tenantPredicate } from "./predicate.ts";
import type { RowClassOf } from "./row-class.ts";
import type { RulesOf } from "./rules-of.ts";

type GivenRules = RulesOf<string, string, string> & { readonly tenantColumn?: string | null };

/**
 * The policies of one table: a restrictive floor that no permissive policy can go below, and for each role and command exactly one
 * permissive policy.
 *
 * Two permissive policies would be joined by OR in an order that PostgreSQL does not promise, and both would be computed. Both USING and WITH CHECK
 * are written out, as raw text: drizzle-kit 0.31 prints a parameter as `$1` and drops what is not SQL.
 */
export function policiesOf(
  access: AccessData,
  columns: Readonly<Record<string, { readonly name: string }>>,
  usualTenant: string,
  given: GivenRules,
): PgPolicy[] {
  const nameOf = (property: string) => columns[property]?.name ?? property;
  const chosen = given.tenantColumn === undefined ? usualTenant : given.tenantColumn;
  const tenantColumn = chosen === null ? null : nameOf(chosen);
  const rules = rulesOf(given, Object.keys(access.roles), nameOf);
  const roles = [...new Set(Object.values(access.roles))];
  const floor =
    tenantColumn === null
      ? []
      : [
          policy(
            "tenant_floor",
            "restrictive",
            "all",
            roles,
            tenantPredicate(access, tenantColumn),
          ),
        ];
  const declared = [
    ...floor,
    ...COMMANDS.flatMap((command) => permissive(access, command, rules[command])),
  ];
  // A table that is closed to all says so: the rules need a policy that carries them.
  const policies =
    declared.length > 0 ? declared : [policy("closed", "restrictive", "all", roles, "false")];
  const attached: TableRules = {
    access: access.schema,
    tenantColumn,
    appendOnly: given.appendOnly === true,
    globalKeys: given.globalKeys ?? {},
    unread: byName(given.unread ?? {}, nameOf),
    lookupColumns: byName(given.lookupColumns ?? {}, nameOf),
    rules,
  };
  for (const each of policies) Object.defineProperty(each, RULES, { value: attached });
  return policies;
}

function permissive(
  access: AccessData,
  command: Command,
  byPersona: Readonly<Record<string, RowClass>>,
): PgPolicy[] {
  const granted = Object.entries(byPersona).flatMap(([persona, rowClass]) => {
    // The floor holds the tenant. To ask for it twice costs a point read a tenth.
    const predicate = predicateOf(access, null, rowClass);
    return predicate === null ? [] : [{ persona, predicate }];
  });
  if (access.target !== "supabase")
    return granted.map(({ persona, predicate }) =>
      policy(
        `${persona}_${command}`,
        "permissive",
        command,
        [access.roles[persona] ?? persona],
        predicate,
      ),
    );
  if (granted.length === 0) return [];
  const persona = `(select ${qualified(access.schema, "current_persona")}())`;
  const joined = granted
    .map((each) => `(${persona} = ${literal(each.persona)} and ${each.predicate})`)
    .join(" or ");
  return [policy(`authenticated_${command}`, "permissive", command, ["authenticated"], joined)];
}

function policy(
  name: string,
  as: "restrictive" | "permissive",
  command: Command | "all",
  to: string[],
  predicate: string,
): PgPolicy {
  const reads = command !== "insert";
  const writes = command !== "select" && command !== "delete";
  return pgPolicy(name, {
    as,
    for: command,
    to,
    ...(reads ? { using: sql.raw(predicate) } : {}),
    ...(writes ? { withCheck: sql.raw(predicate) } : {}),
  });
}

function rulesOf(
  given: GivenRules,
  personas: readonly string[],
  nameOf: (property: string) => string,
): TableRules["rules"] {
  const forbidden = given.appendOnly === true ? ["update", "delete"] : [];
  const of = (command: Command): Readonly<Record<string, RowClass>> =>
    Object.fromEntries(
      personas.map((persona) => [
        persona,
        forbidden.includes(command)
          ? { kind: "none" as const }
          : named(given[command]?.[persona] ?? { kind: "none" }, nameOf),
      ]),
    );
  return {
    select: of("select"),
    insert: of("insert"),
    update: of("update"),
    delete: of("delete"),
  };
}

/** Reasons by the column's name in the database. */
function byName(
  reasons: Readonly<Record<string, string | undefined>>,
  nameOf: (property: string) => string,
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(reasons).flatMap(([property, reason]) =>
      reason === undefined ? [] : [[nameOf(property), reason]],
    ),
  );
}

/** A row class with the column's name in the database. */
function named(
  rowClass: RowClassOf<string, string>,
  nameOf: (property: string) => string,
): RowClass {
  if (rowClass.kind === "own" || rowClass.kind === "among")
    return { ...rowClass, column: nameOf(rowClass.column) };
  if (rowClass.kind === "anyOf")
    return { kind: "anyOf", classes: rowClass.classes.map((part) => named(part, nameOf)) };
  return rowClass;
}
