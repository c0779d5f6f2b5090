import { revokeMembership, rolesThrough } from "../../catalog/memberships.ts";
import { ident, qualified } from "../../sql/quote.ts";
import { groupBy, tablePath, type Audited } from "./audited.ts";
import { finding, type Findings } from "./finding.ts";

/** Whether a login or a persona can go around row security, or turn it off. A superuser always can, and is not named. */
export function checkRoles(database: Audited): Findings {
  const roles = new Map(database.facts.roles.map((role) => [role.name, role]));
  const owned = groupBy(
    database.tables.filter(({ rowSecurity }) => rowSecurity),
    ({ owner }) => owner,
  );
  const owners = [...owned].filter(([owner]) => roles.get(owner)?.superuser === false);
  return [
    ...owners
      .filter(([owner]) => roles.get(owner)?.login === true)
      .map(([owner, tables]) =>
        finding(
          "owner_login",
          `role ${ident(owner)}`,
          `It logs in and owns ${tables.length} protected tables, ${tables[0] === undefined ? "" : tablePath(tables[0])} among them: an owner can turn row security off. Let a role without LOGIN own them.`,
          changeOwner(
            owner,
            tables.map(({ schema, name }) => qualified(schema, name)),
          ),
        ),
      ),
    ...owners.flatMap(([owner]) =>
      database.facts.roles
        .filter(({ login, superuser, name }) => login && !superuser && name !== owner)
        .filter(({ name }) => database.rightsOf(name).has(owner))
        .flatMap(({ name, memberOf }) =>
          memberOf
            .filter(({ role, inherit }) => inherit && database.rightsOf(role).has(owner))
            .map(({ role }) =>
              finding(
                "owner_inherited",
                `role ${ident(name)}`,
                `It logs in and has the rights of ${owner}, which owns protected tables, without SET ROLE.`,
                `REVOKE ${ident(role)} FROM ${ident(name)}`,
              ),
            ),
        ),
    ),
    ...database.facts.roles
      .filter(({ login, superuser, bypassRowSecurity }) => login && !superuser && bypassRowSecurity)
      .map(({ name }) =>
        finding(
          "bypassing_login",
          `role ${ident(name)}`,
          "It logs in and has BYPASSRLS: no policy holds for it, on any table of the server.",
          `ALTER ROLE ${ident(name)} NOBYPASSRLS`,
        ),
      ),
    ...widened(database, new Set(owned.keys())),
  ];
}

/**
 * Memberships of a persona that is declared, all of them; of another role that policies name those by which it reaches one that they do not bind. NOINHERIT is no
 * way out: a member may SET ROLE.
 */
function widened(database: Audited, owners: ReadonlySet<string>): Findings {
  const { facts, personas } = database;
  const named = new Set(facts.policies.flatMap(({ roles }) => roles));
  const unbound = new Set(
    facts.roles
      .filter(({ name, bypassRowSecurity }) => bypassRowSecurity || database.isTrusted(name))
      .map(({ name }) => name),
  );
  return facts.roles
    .filter(({ name }) => personas.has(name) || (named.has(name) && !database.isTrusted(name)))
    .flatMap(({ name, memberOf }) =>
      memberOf.flatMap((membership) => {
        const reached = rolesThrough(facts.roles, membership.role);
        const past = reached.filter((role) => unbound.has(role) || owners.has(role));
        if (past.length === 0 && !personas.has(name)) return [];
        return finding(
          "persona_widened",
          `role ${ident(name)}`,
          past.length === 0
            ? `It is a persona and reaches, beside its own rows, what ${reached.join(" and ")} may.`
            : `It is a member of ${membership.role}, and may become ${past.join(" or ")}: no policy binds ${past.length === 1 ? "that role" : "those roles"}.`,
          revokeMembership(name, membership),
        );
      }),
    );
}

/** A role that cannot log in, made where it is missing, as the owner of the tables. */
function changeOwner(owner: string, tables: readonly string[]): readonly string[] {
  const to = ident(`${owner}_owner`);
  return [
    `DO $$ BEGIN CREATE ROLE ${to} NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
    ...tables.map((table) => `ALTER TABLE ${table} OWNER TO ${to}`),
  ];
}
