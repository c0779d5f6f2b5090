import { ident } from "../sql/quote.ts";
import type { Membership, RoleFact } from "./roles.ts";

/** The roles that a role can become or has the rights of because it is in another: that one first, then those above it. */
export function rolesThrough(roles: readonly RoleFact[], role: string): readonly string[] {
  const found = new Set([role]);
  for (const each of found)
    for (const above of roles.find(({ name }) => name === each)?.memberOf ?? [])
      found.add(above.role);
  return [...found];
}

/**
 * What takes a role out of another. From 16 on REVOKE takes only what the named role granted, and with nothing but a warning where that is nothing; what a
 * member with ADMIN OPTION has granted on would stop it, and goes too.
 */
export function revokeMembership(
  member: string,
  { role, admin, grantedBy }: Membership,
): readonly string[] {
  const revoke = `REVOKE ${ident(role)} FROM ${ident(member)}`;
  const grantors = grantedBy.map((grantor) => ` GRANTED BY ${ident(grantor)}`);
  return (grantors.length === 0 ? [""] : grantors).map(
    (by) => `${revoke}${by}${admin ? " CASCADE" : ""}`,
  );
}
