import type { Finding } from "../catalog/finding.ts";
import { revokeMembership, rolesThrough } from "../catalog/memberships.ts";
import type { Facts } from "../catalog/read-facts.ts";
import type { AccessData } from "../definition/access.ts";
import type { Definition } from "../definition/definition.ts";
import type { DatabaseObject } from "../objects/object.ts";
import { ident } from "../sql/quote.ts";

/** Declared roles that are not there, that could log in or get around row security, and personas that were put into other roles. */
export function roleFindings(
  facts: Facts,
  objects: readonly DatabaseObject[],
  { access }: Definition,
): readonly Finding[] {
  return [
    ...access.flatMap((each) => membershipFindings(facts, each)),
    ...powerFindings(facts, objects),
  ];
}

/**
 * Personas that are in another role. A policy is for the members of its roles too, where they inherit; a member may SET ROLE where it does not: so a persona is in
 * nothing, neither in one that reaches more nor in one that will.
 */
function membershipFindings(facts: Facts, { roles }: AccessData): readonly Finding[] {
  const personas = new Set(Object.values(roles));
  return facts.roles
    .filter(({ name }) => personas.has(name))
    .flatMap(({ name, memberOf }) =>
      memberOf.map((membership): Finding => {
        const [role, ...further] = rolesThrough(facts.roles, membership.role);
        const through = further.length === 0 ? "" : `, and so of ${further.join(", ")}`;
        return {
          check: "role-membership",
          severity: "error",
          object: `role ${ident(name)}`,
          message: `it is a member of ${role}${through}: it should be a member of nothing, since it reaches what they reach`,
          repair: revokeMembership(name, membership).join(";\n"),
        };
      }),
    );
}

function powerFindings(facts: Facts, objects: readonly DatabaseObject[]): readonly Finding[] {
  return objects
    .filter(({ kind }) => kind === "role")
    .flatMap(({ id, create }): readonly Finding[] => {
      const role = facts.roles.find(({ name }) => `role ${ident(name)}` === id);
      if (role === undefined)
        return [
          {
            check: "role-missing",
            severity: "error",
            object: id,
            message: "it is not there, or nothing is granted to it",
            repair: create,
          },
        ];
      if (!create.includes("NOBYPASSRLS")) return [];
      const wrong = [
        ...(role.superuser ? ["NOSUPERUSER"] : []),
        ...(role.bypassRowSecurity ? ["NOBYPASSRLS"] : []),
        ...(role.login ? ["NOLOGIN"] : []),
        ...(role.createRole ? ["NOCREATEROLE"] : []),
        ...(role.createDatabase ? ["NOCREATEDB"] : []),
        ...(role.replication ? ["NOREPLICATION"] : []),
        ...(role.inherit && create.includes("NOINHERIT") ? ["NOINHERIT"] : []),
      ];
      if (wrong.length === 0) return [];
      return [
        {
          check: "role-powers",
          severity: "error",
          object: id,
          message: `it should be ${wrong.join(" ")}: it would get around row security, be used as a login, or have the rights of whatever it is put into`,
          repair: `ALTER ROLE ${ident(role.name)} ${wrong.join(" ")}`,
        },
      ];
    });
}
