import type { Finding } from "../catalog/finding.ts";
import { namedPath, partPath } from "../catalog/path.ts";
import type { RelationName } from "../plan/step.ts";
import { ident, qualified } from "../sql/quote.ts";

/** When a trigger fires: `origin` is the normal state. */
export type TriggerState = "origin" | "disabled" | "replica" | "always";

/** A row trigger and when it fires. */
export interface NamedTrigger {
  readonly name: string;
  readonly enabled: TriggerState;
}

/** What partitions are compared with. */
export interface RootState {
  readonly owner: string;
  /** Whether its rows are under row security. */
  readonly closed: boolean;
  /** Its row triggers. */
  readonly triggers: readonly NamedTrigger[];
}

/** What of a partition may differ from its root. */
export interface PartitionState extends RelationName {
  readonly parent: RelationName;
  readonly owner: string;
  readonly rowSecurity: boolean;
  readonly forceRowSecurity: boolean;
  /** What others than the owner may do with it by its own name; `public` is everybody. */
  readonly grants: readonly { readonly grantee: string; readonly privileges: readonly string[] }[];
  readonly policies: readonly string[];
  readonly triggers: readonly NamedTrigger[];
  readonly invalidIndexes: readonly string[];
  readonly detachPending: boolean;
}

/**
 * What is wrong with one partition, whatever rows it holds. Policies, privileges and owners hold on the relation that a query names, so that
 * each partition needs row security of its own, no privilege and no policy; its triggers and indexes are those of the root.
 */
export function stateFindings(root: RootState, partition: PartitionState): readonly Finding[] {
  return [...openFindings(root, partition), ...brokenFindings(root, partition)];
}

type Say = (check: string, message: string, repair: string, about?: string) => void;

function sayer(object: string): { readonly findings: Finding[]; readonly say: Say } {
  const findings: Finding[] = [];
  return {
    findings,
    say: (check, message, repair, about = object) =>
      findings.push({ check, severity: "error", object: about, message, repair }),
  };
}

/** What lets somebody past the policies of the root. */
function openFindings(root: RootState, partition: PartitionState): readonly Finding[] {
  const relation = qualified(partition.schema, partition.name);
  const object = namedPath("table", partition.schema, partition.name);
  const { findings, say } = sayer(object);
  if (root.closed && !(partition.rowSecurity && partition.forceRowSecurity))
    say(
      "partition-row-security",
      "it has no forced row security of its own: a query that names it passes the policies of its root",
      `ALTER TABLE ${relation} ENABLE ROW LEVEL SECURITY;\nALTER TABLE ${relation} FORCE ROW LEVEL SECURITY`,
    );
  if (partition.owner !== root.owner)
    say(
      "partition-owner",
      `it belongs to ${partition.owner} and its root to ${root.owner}`,
      `ALTER TABLE ${relation} OWNER TO ${ident(root.owner)}`,
    );
  for (const { grantee, privileges } of partition.grants)
    say(
      "partition-privileges",
      `${grantee} may ${privileges.join(", ")} on it by its own name`,
      `REVOKE ALL ON TABLE ${relation} FROM ${grantee === "public" ? "PUBLIC" : ident(grantee)}`,
    );
  for (const policy of partition.policies)
    say(
      "partition-policy",
      "it is a policy of a partition: those of the root are meant to hold",
      `DROP POLICY ${ident(policy)} ON ${relation}`,
      partPath("policy", policy, object),
    );
  return findings;
}

/** What no longer does what the root's does. */
function brokenFindings(root: RootState, partition: PartitionState): readonly Finding[] {
  const relation = qualified(partition.schema, partition.name);
  const object = namedPath("table", partition.schema, partition.name);
  const { findings, say } = sayer(object);
  for (const { name, enabled } of root.triggers) {
    const cloned = partition.triggers.find((own) => own.name === name);
    if (cloned === undefined || cloned.enabled === enabled) continue;
    say(
      "partition-trigger",
      `it is ${cloned.enabled} and that of its root ${enabled}`,
      `ALTER TABLE ${relation} ${FIRES[enabled]} TRIGGER ${ident(name)}`,
      partPath("trigger", name, object),
    );
  }
  for (const index of partition.invalidIndexes)
    say(
      "partition-index",
      "it is invalid: no query uses it",
      `REINDEX INDEX CONCURRENTLY ${qualified(partition.schema, index)}`,
      partPath("index", index, object),
    );
  if (partition.detachPending)
    say(
      "partition-detach-pending",
      "its DETACH CONCURRENTLY began and did not end",
      `ALTER TABLE ${qualified(partition.parent.schema, partition.parent.name)} DETACH PARTITION ${relation} FINALIZE`,
    );
  return findings;
}

const FIRES: Readonly<Record<TriggerState, string>> = {
  origin: "ENABLE",
  disabled: "DISABLE",
  replica: "ENABLE REPLICA",
  always: "ENABLE ALWAYS",
};
