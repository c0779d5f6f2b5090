import type { Finding as AnyFinding, Severity } from "../../catalog/finding.ts";

/** One thing that gets around row security, or will; its `message` says what PostgreSQL does because of it. */
export interface Finding extends AnyFinding {
  readonly check: CheckId;
  readonly repair: string;
}

/** What was found, worst first. */
export type Findings = readonly Finding[];

/** Each check with what it is bad for and its title. */
export const CHECKS = {
  rls_disabled: ["error", "A table that others may use has no row security"],
  policy_rls_disabled: ["error", "A table has policies that are not in force"],
  rls_not_forced: ["error", "Row security does not bind the owner of the table"],
  policy_missing: ["info", "A table is granted, and no policy shows any of its rows"],
  partition_without_rls: ["error", "A partition of a protected table is not protected"],
  partition_reachable: ["error", "A partition may be used past the policies of its root"],
  restrictive_without_predicate: ["error", "A restrictive policy restricts nothing"],
  policy_always_true: ["error", "A policy lets everything be written"],
  floor_gap: ["error", "A role is not under the restrictive policy of a table"],
  policy_to_public: ["warning", "A policy is for everybody, also for roles that are yet to come"],
  policy_per_row: ["warning", "A policy calls a function for each row"],
  policy_correlated: ["warning", "The sub-select of a policy runs for each row"],
  policy_trusts_user: ["error", "A policy trusts what users write about themselves"],
  policies_overlap: ["info", "Two permissive policies apply to one role and command"],
  policy_without_grant: ["info", "A policy is for a role that has no right to use it"],
  dead_grant: ["warning", "A right is granted, and no policy lets it be used"],
  dangerous_grant: ["error", "A right that row security does not look at is granted"],
  public_grant: ["error", "A table is granted to everybody"],
  grant_option: ["warning", "A role may hand on its rights"],
  schema_create: ["error", "Others may create objects in a schema"],
  default_privileges: ["warning", "Tables that are yet to come will be granted"],
  view_definer: ["error", "A view reads with the rights of its owner"],
  view_of_users: ["error", "A view shows the users of the authentication service"],
  matview_granted: ["error", "A materialized view is granted, and has no row security"],
  foreign_table_granted: ["error", "A foreign table is granted, and has no row security"],
  rule_as_owner: ["warning", "A rewrite rule acts with the rights of the owner"],
  definer_search_path: ["error", "A security definer function trusts the path of its caller"],
  search_path_mutable: ["warning", "A function trusts the path of its caller"],
  definer_public: ["error", "Everybody may call a security definer function"],
  immutable_context: ["error", "A function that reads the context says that it never changes"],
  tenant_nullable: ["error", "A row may belong to no tenant"],
  unique_oracle: ["error", "A unique key tells what other tenants have"],
  foreign_key_oracle: ["error", "A foreign key reaches rows of other tenants"],
  foreign_key_to_auth: [
    "error",
    "A foreign key relies on a unique key of the authentication service",
  ],
  tenant_not_indexed: ["warning", "No index begins with the tenant"],
  filter_not_leakproof: ["info", "An index that row security makes unusable"],
  no_primary_key: ["info", "A table has no primary key"],
  unindexed_foreign_key: ["info", "A foreign key has no index"],
  duplicate_index: ["warning", "Two indexes are the same"],
  sensitive_columns: ["error", "Secrets can be read"],
  reg_column: ["warning", "A column has a type that pg_upgrade refuses"],
  extension_in_public: ["warning", "An extension lies in the schema public"],
  extension_outdated: ["warning", "An extension is older than what the server has"],
  owner_login: ["warning", "The owner of a protected table logs in"],
  owner_inherited: ["warning", "A login has the rights of the owner of protected tables"],
  persona_widened: ["error", "A role that policies bind is in another role"],
  bypassing_login: ["error", "A login goes around row security"],
} as const satisfies Readonly<Record<string, readonly [Severity, string]>>;

/** The id of a check. */
export type CheckId = keyof typeof CHECKS;

const RANK: Readonly<Record<Severity, number>> = { error: 0, warning: 1, info: 2 };

/** A finding of a check. */
export function finding(
  id: CheckId,
  object: string,
  why: string,
  fix: string | readonly string[],
  severity: Severity = CHECKS[id][0],
): Finding {
  const repair = typeof fix === "string" ? fix : fix.join(";\n");
  return { check: id, severity, object, message: why, repair };
}

/** Worst first, then by check and object. */
export function sortFindings(findings: Findings): Findings {
  return [...findings].sort(
    (a, b) =>
      RANK[a.severity] - RANK[b.severity] ||
      (a.check < b.check ? -1 : a.check > b.check ? 1 : 0) ||
      (a.object < b.object ? -1 : a.object > b.object ? 1 : 0),
  );
}
