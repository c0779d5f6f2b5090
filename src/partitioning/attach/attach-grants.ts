import type { GrantFact } from "../../catalog/grants.ts";
import { ident } from "../../sql/quote.ts";

const to = (grantee: string) => (grantee === "public" ? "PUBLIC" : ident(grantee));

/** The privileges of one table and of its columns, on another that has none but its owner's. */
export function grantsSql(
  path: string,
  owner: string,
  grants: readonly GrantFact[],
): readonly string[] {
  const ofOwner = grants.some(({ on, grantee }) => on === "relation" && grantee === owner);
  return [
    ...(ofOwner ? [`REVOKE ALL ON TABLE ${path} FROM ${ident(owner)}`] : []),
    ...grants.flatMap(({ grantee, privileges, grantable, on, detail }) => {
      const column = on === "column" && detail !== null ? ` (${ident(detail)})` : "";
      const list = (names: readonly string[]) => names.map((each) => `${each}${column}`).join(", ");
      const plain = privileges.filter((each) => !grantable.includes(each));
      return [
        ...(plain.length === 0 ? [] : [`GRANT ${list(plain)} ON TABLE ${path} TO ${to(grantee)}`]),
        ...(grantable.length === 0
          ? []
          : [`GRANT ${list(grantable)} ON TABLE ${path} TO ${to(grantee)} WITH GRANT OPTION`]),
      ];
    }),
  ];
}

/** Takes them from all but the owner; those on columns go with those on the table. */
export function revokesSql(
  path: string,
  owner: string,
  grants: readonly GrantFact[],
): readonly string[] {
  const grantees = new Set(grants.map(({ grantee }) => grantee));
  grantees.delete(owner);
  return [...grantees].map((grantee) => `REVOKE ALL ON TABLE ${path} FROM ${to(grantee)}`);
}
