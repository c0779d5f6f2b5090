import { is } from "drizzle-orm";
import { PgRole, type PgPolicy } from "drizzle-orm/pg-core";
import { namedPath, partPath } from "../../catalog/path.ts";
import { databaseObject, type DatabaseObject } from "../../objects/object.ts";
import type { Lock, RelationName } from "../../plan/step.ts";
import { ident, qualified } from "../../sql/quote.ts";
import { sqlText } from "../../sql/sql-text.ts";

/** Words of PostgreSQL that stand where a role does. */
const ROLE_WORDS: ReadonlySet<string> = new Set([
  "public",
  "current_user",
  "current_role",
  "session_user",
]);

/** A policy. CREATE and DROP POLICY take ACCESS EXCLUSIVE on its table (15 and 18). */
export function policyObject(policy: PgPolicy, relation: RelationName): DatabaseObject {
  const roles = rolesOf(policy.to);
  const using = policy.using === undefined ? null : sqlText(policy.using);
  const withCheck = policy.withCheck === undefined ? null : sqlText(policy.withCheck);
  const path = namedPath("table", relation.schema, relation.name);
  const locks: readonly Lock[] = [{ ...relation, mode: "accessExclusive" }];
  const on = `${ident(policy.name)} ON ${qualified(relation.schema, relation.name)}`;
  return databaseObject({
    kind: "policy",
    id: partPath("policy", policy.name, path),
    create: [
      `CREATE POLICY ${on}`,
      `AS ${(policy.as ?? "permissive").toUpperCase()} FOR ${(policy.for ?? "all").toUpperCase()}`,
      `TO ${roles.map((role) => (ROLE_WORDS.has(role) ? role : ident(role))).join(", ")}`,
      ...(using === null ? [] : [`USING (${using})`]),
      ...(withCheck === null ? [] : [`WITH CHECK (${withCheck})`]),
    ].join(" "),
    drop: `DROP POLICY IF EXISTS ${on}`,
    dependsOn: [
      path,
      ...roles.filter((role) => !ROLE_WORDS.has(role)).map((role) => `role ${ident(role)}`),
    ],
    mentions: [using ?? "", withCheck ?? ""],
    within: path,
    locks,
    dropLocks: locks,
  });
}

function rolesOf(to: PgPolicy["to"]): readonly string[] {
  if (to === undefined) return ["public"];
  if (Array.isArray(to)) return to.flatMap((one) => rolesOf(one));
  return [is(to, PgRole) ? to.name : to];
}
