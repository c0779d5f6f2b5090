import type { PolicyFact } from "../catalog/policies.ts";
import { ident } from "../sql/quote.ts";

/** A policy as it is, on another table. */
export function policySql(policy: PolicyFact, table: string): string {
  const { name, permissive, command, roles, using, check } = policy;
  return [
    `CREATE POLICY ${ident(name)} ON ${table} AS ${permissive ? "PERMISSIVE" : "RESTRICTIVE"} FOR ${command.toUpperCase()}`,
    `TO ${roles.map((role) => (role === "public" ? "PUBLIC" : ident(role))).join(", ")}`,
    ...(using === null ? [] : [`USING (${using})`]),
    ...(check === null ? [] : [`WITH CHECK (${check})`]),
  ].join(" ");
}
