import { getTableConfig } from "drizzle-orm/pg-core";
import type { Finding } from "../catalog/finding.ts";
import type { PartitionFact } from "../catalog/partitions.ts";
import { namedPath, partPath } from "../catalog/path.ts";
import type { Facts } from "../catalog/read-facts.ts";
import type { Definition } from "../definition/definition.ts";
import type { Scheme } from "../definition/scheme.ts";
import { namesOf } from "../partitioning/provision-names.ts";
import { targetOf } from "../plan/target.ts";
import { ident, qualified } from "../sql/quote.ts";

/**
 * What is wrong with the partitions of declared schemes. Policies, privileges and owners hold on the relation that a query names, so that each
 * partition needs row security of its own, no privilege and no policy; its triggers and indexes are those of the root.
 */
export function partitionFindings(
  facts: Facts,
  { partitions }: Definition,
  now: Date = new Date(),
): readonly Finding[] {
  return partitions.flatMap((scheme) => {
    const { schema, name } = targetOf(scheme);
    const below = facts.partitions.filter(
      ({ root, parent }) => parent !== null && root.schema === schema && root.name === name,
    );
    return [
      ...missingPresent(scheme, below, now),
      ...below.flatMap((partition) => [
        ...openFindings(facts, scheme, partition),
        ...brokenFindings(facts, scheme, partition),
      ]),
    ];
  });
}

/** Where time is the first dimension, the present has to have its partition: without it every INSERT fails (23514). */
function missingPresent(
  scheme: Scheme,
  below: readonly PartitionFact[],
  now: Date,
): readonly Finding[] {
  if (scheme.dimensions[0].strategy !== "range") return [];
  const holdsNow = below.some(({ level, bound }) => {
    const [, from, to] = /FROM \('([^']+)'\) TO \('([^']+)'\)/.exec(bound ?? "") ?? [];
    if (level !== 1 || from === undefined || to === undefined) return false;
    return timeOf(from) <= now && now < timeOf(to);
  });
  if (holdsNow) return [];
  const { schema, table, provision } = namesOf(scheme);
  return [
    {
      check: "partition-missing",
      severity: "error",
      object: namedPath("table", schema, table),
      message: "it has no partition for the present: a row of today is refused",
      repair: `SELECT ${qualified(schema, provision)}()`,
    },
  ];
}

/** `2026-11-01 00:00:00+00`, as a catalog that is read in UTC prints it. */
function timeOf(text: string): Date {
  return new Date(text.replace(" ", "T").replace(/\+00$/, "Z"));
}

/** What lets somebody past the policies of the root. */
function openFindings(facts: Facts, scheme: Scheme, leaf: PartitionFact): readonly Finding[] {
  const root = targetOf(scheme);
  const { enableRLS, policies } = getTableConfig(scheme.table);
  const relation = qualified(leaf.schema, leaf.name);
  const object = namedPath("table", leaf.schema, leaf.name);
  const fact = (of: { readonly schema: string; readonly name: string }) =>
    facts.tables.find(({ schema, name }) => schema === of.schema && name === of.name);
  const table = fact(leaf);
  if (table === undefined) return [];
  const owner = fact(root)?.owner ?? table.owner;
  const findings: Finding[] = [];
  const say = (check: string, message: string, repair: string, about = object) =>
    findings.push({ check, severity: "error", object: about, message, repair });
  if ((enableRLS || policies.length > 0) && !(table.rowSecurity && table.forceRowSecurity))
    say(
      "partition-row-security",
      "it has no forced row security of its own: a query that names it passes the policies of its root",
      `ALTER TABLE ${relation} ENABLE ROW LEVEL SECURITY;\nALTER TABLE ${relation} FORCE ROW LEVEL SECURITY`,
    );
  if (table.owner !== owner)
    say(
      "partition-owner",
      `it belongs to ${table.owner} and its root to ${owner}`,
      `ALTER TABLE ${relation} OWNER TO ${ident(owner)}`,
    );
  for (const grant of facts.grants)
    if (
      (grant.on === "relation" || grant.on === "column") &&
      grant.schema === leaf.schema &&
      grant.name === leaf.name &&
      grant.grantee !== table.owner &&
      grant.privileges.length > 0
    )
      say(
        "partition-privileges",
        `${grant.grantee} may ${grant.privileges.join(", ")} on it by its own name`,
        `REVOKE ALL ON TABLE ${relation} FROM ${grant.grantee === "public" ? "PUBLIC" : ident(grant.grantee)}`,
      );
  for (const policy of facts.policies)
    if (policy.schema === leaf.schema && policy.table === leaf.name)
      say(
        "partition-policy",
        "it is a policy of a partition: those of the root are meant to hold",
        `DROP POLICY ${ident(policy.name)} ON ${relation}`,
        partPath("policy", policy.name, object),
      );
  return findings;
}

/** What no longer does what the root's does. */
function brokenFindings(facts: Facts, scheme: Scheme, leaf: PartitionFact): readonly Finding[] {
  const root = targetOf(scheme);
  const relation = qualified(leaf.schema, leaf.name);
  const object = namedPath("table", leaf.schema, leaf.name);
  const findings: Finding[] = [];
  const say = (check: string, about: string, message: string, repair: string) =>
    findings.push({ check, severity: "error", object: about, message, repair });
  const triggersOf = (of: { readonly schema: string; readonly name: string }) =>
    facts.triggers.filter(({ schema, table }) => schema === of.schema && table === of.name);
  const own = triggersOf(leaf);
  for (const trigger of triggersOf(root).filter(({ level }) => level === "row")) {
    const cloned = own.find(({ name }) => name === trigger.name);
    if (cloned?.enabled === trigger.enabled || cloned === undefined) continue;
    say(
      "partition-trigger",
      partPath("trigger", trigger.name, object),
      `it is ${cloned.enabled} and that of its root ${trigger.enabled}`,
      `ALTER TABLE ${relation} ${trigger.enabled === "always" ? "ENABLE ALWAYS" : "ENABLE"} TRIGGER ${ident(trigger.name)}`,
    );
  }
  for (const index of facts.indexes)
    if (index.schema === leaf.schema && index.table === leaf.name && !index.valid)
      say(
        "partition-index",
        partPath("index", index.name, object),
        "it is invalid: no query uses it",
        `REINDEX INDEX CONCURRENTLY ${qualified(index.schema, index.name)}`,
      );
  if (leaf.detachPending)
    say(
      "partition-detach-pending",
      object,
      "its DETACH CONCURRENTLY began and did not end",
      `ALTER TABLE ${qualified(leaf.parent?.schema ?? root.schema, leaf.parent?.name ?? root.name)} DETACH PARTITION ${relation} FINALIZE`,
    );
  return findings;
}
