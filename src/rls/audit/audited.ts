import { namedPath } from "../../catalog/path.ts";
import type { PolicyFact } from "../../catalog/policies.ts";
import type { Facts } from "../../catalog/read-facts.ts";
import type { TableFact } from "../../catalog/tables.ts";
import { ident, qualified } from "../../sql/quote.ts";
import { comparedColumn } from "./expression.ts";
import type { MoreFacts } from "./more-facts.ts";

/** A command of a policy. */
export type PolicyCommand = "select" | "insert" | "update" | "delete";

/** The four commands. */
export const POLICY_COMMANDS: readonly PolicyCommand[] = ["select", "insert", "update", "delete"];

/** A relation that is told by its schema and name. */
interface Named {
  readonly schema: string;
  readonly name: string;
}

/** A database as its audit sees it. */
export interface Audited {
  readonly facts: Facts;
  readonly more: MoreFacts;
  /** Tables that no extension brought. */
  readonly tables: readonly TableFact[];
  /** Roles that the definition declares as personas, where there is one. */
  readonly personas: ReadonlySet<string>;
  /** Whether a role is outside of what an audit looks at: a superuser, or named as trusted. */
  isTrusted(role: string): boolean;
  isSuperuser(role: string): boolean;
  /** Roles that a role has the rights of without SET ROLE: itself, those it inherits, and everybody. */
  rightsOf(role: string): ReadonlySet<string>;
  policiesOf(table: Named): readonly PolicyFact[];
  /** For each role other than the owner and the trusted: its privileges on the relation or some of its columns. */
  granted(relation: Named & { readonly owner: string }): ReadonlyMap<string, ReadonlySet<string>>;
  tenantColumnOf(table: Named): string | undefined;
  /** The predicate of a floor on another table, where this one has its column too. */
  usualFloor(table: Named): string | undefined;
  columnsOf(table: Named): readonly string[];
  isPartition(table: Named): boolean;
  isProtected(table: Named): boolean;
}

/** Readings with what the checks ask of them. */
export function audited(
  facts: Facts,
  more: MoreFacts,
  trusted: ReadonlySet<string>,
  tenantColumns: readonly string[],
  personas: ReadonlySet<string>,
): Audited {
  const roles = new Map(facts.roles.map((role) => [role.name, role]));
  const columns = groupBy(facts.columns, ({ schema, table }) => qualified(schema, table));
  const policies = groupBy(facts.policies, ({ schema, table }) => qualified(schema, table));
  const grants = groupBy(
    facts.grants.filter(({ on }) => on === "relation" || on === "column"),
    ({ schema, name }) => qualified(schema, name),
  );
  const partitions = new Set(
    facts.partitions
      .filter(({ parent }) => parent !== null)
      .map(({ schema, name }) => qualified(schema, name)),
  );
  const protectedTables = new Set(
    facts.tables
      .filter(({ rowSecurity }) => rowSecurity)
      .map(({ schema, name }) => qualified(schema, name)),
  );
  const readers = readerRoles(facts);
  const rights = new Map<string, ReadonlySet<string>>();
  const keyOf = ({ schema, name }: Named) => qualified(schema, name);
  const columnsOf = (table: Named) => (columns.get(keyOf(table)) ?? []).map(({ name }) => name);
  const floorOf = (table: Named) =>
    (policies.get(keyOf(table)) ?? []).find(
      ({ permissive, using }) =>
        !permissive && using !== null && comparedColumn(using, columnsOf(table)) !== undefined,
    )?.using ?? undefined;
  const floors = facts.tables.flatMap((table) => floorOf(table) ?? []);
  const isTrusted = (role: string) =>
    trusted.has(role) || readers.has(role) || roles.get(role)?.superuser === true;
  return {
    facts,
    more,
    tables: facts.tables.filter(({ extension }) => extension === null),
    personas,
    isTrusted,
    isSuperuser: (role) => roles.get(role)?.superuser === true,
    rightsOf(role) {
      const known = rights.get(role);
      if (known !== undefined) return known;
      const found = new Set([role, "public"]);
      for (const each of found)
        for (const { role: above, inherit } of roles.get(each)?.memberOf ?? [])
          if (inherit) found.add(above);
      rights.set(role, found);
      return found;
    },
    policiesOf: (table) => policies.get(keyOf(table)) ?? [],
    granted(relation) {
      const found = new Map<string, Set<string>>();
      for (const { grantee, privileges } of grants.get(keyOf(relation)) ?? []) {
        if (grantee === relation.owner || isTrusted(grantee) || privileges.length === 0) continue;
        const of = found.get(grantee) ?? new Set();
        for (const privilege of privileges) of.add(privilege);
        found.set(grantee, of);
      }
      return found;
    },
    tenantColumnOf(table) {
      const floor = floorOf(table);
      const own = columnsOf(table);
      return floor === undefined
        ? tenantColumns.find((column) => own.includes(column))
        : comparedColumn(floor, own);
    },
    usualFloor: (table) =>
      floors.find((floor) => comparedColumn(floor, columnsOf(table)) !== undefined),
    columnsOf,
    isPartition: (table) => partitions.has(keyOf(table)),
    isProtected: (table) => protectedTables.has(keyOf(table)),
  };
}

/**
 * Roles that own the lookups and the materialized views: nobody logs in as one of them or has its rights without SET ROLE, so that
 * a policy which shows them everything shows it to nobody.
 */
function readerRoles(facts: Facts): ReadonlySet<string> {
  const owners = new Set([
    ...facts.functions.filter(({ securityDefiner }) => securityDefiner).map(({ owner }) => owner),
    ...facts.views.filter(({ kind }) => kind === "materializedView").map(({ owner }) => owner),
  ]);
  const inherited = new Set(
    facts.roles.flatMap(({ memberOf }) =>
      memberOf.filter(({ inherit }) => inherit).map(({ role }) => role),
    ),
  );
  return new Set(
    facts.roles
      .filter(({ name, login }) => !login && owners.has(name) && !inherited.has(name))
      .map(({ name }) => name),
  );
}

/** Whether a policy speaks of a command. */
export function isFor({ command }: PolicyFact, wanted: PolicyCommand): boolean {
  return command === "all" || command === wanted;
}

/** The path of a table. */
export function tablePath({ schema, name }: Named): string {
  return namedPath("table", schema, name);
}

/** Role names as SQL; everybody is a keyword. */
export function roleList(roles: Iterable<string>): string {
  return [...roles].map((role) => (role === "public" ? "PUBLIC" : ident(role))).join(", ");
}

/** Lists by a key. */
export function groupBy<T>(list: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of list) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}
