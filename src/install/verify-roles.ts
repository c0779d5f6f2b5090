import type { Finding } from "../catalog/finding.ts";
import type { Facts } from "../catalog/read-facts.ts";
import type { AccessData } from "../definition/access.ts";
import type { Definition } from "../definition/definition.ts";
import type { DatabaseObject } from "../objects/object.ts";
import { ident } from "../sql/quote.ts";

/** Declared roles that are not there, or that could log in, or that get around row security. */
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

/** Personas that may become the role that reaches every row. */
function membershipFindings(
  facts: Facts,
  { roles, readerRole, migratorRole }: AccessData,
): readonly Finding[] {
  const personas = new Set(Object.values(roles));
  return facts.roles
    .filter(({ name }) => personas.has(name))
    .flatMap(({ name, memberOf }) =>
      memberOf
        .filter(({ role }) => role === readerRole || role === migratorRole)
        .map(
          ({ role }): Finding => ({
            check: "role-membership",
            severity: "error",
            object: `role ${ident(name)}`,
            message: `it is a member of ${role}, which no policy holds back`,
            repair: `REVOKE ${ident(role)} FROM ${ident(name)}`,
          }),
        ),
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
      ];
      if (wrong.length === 0) return [];
      return [
        {
          check: "role-powers",
          severity: "error",
          object: id,
          message: `it should be ${wrong.join(" ")}: it would get around row security, or be used as a login`,
          repair: `ALTER ROLE ${ident(role.name)} ${wrong.join(" ")}`,
        },
      ];
    });
}
