import type { Finding } from "../catalog/finding.ts";
import type { Facts } from "../catalog/read-facts.ts";
import type { DatabaseObject } from "../objects/object.ts";
import { ident } from "../sql/quote.ts";

/** Declared roles that are not there, or that could log in, or that get around row security. */
export function roleFindings(facts: Facts, objects: readonly DatabaseObject[]): readonly Finding[] {
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
