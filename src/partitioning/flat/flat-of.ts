import type { Facts } from "../../catalog/read-facts.ts";
import { UnderpinError } from "../../errors.ts";
import type { RelationName } from "../../plan/step.ts";
import { qualified } from "../../sql/quote.ts";
import { shorten } from "../../sql/shorten.ts";
import { outgoingKeys, type OutgoingKey } from "../reshape-of.ts";
import { leafCondition } from "./leaf-condition.ts";
import type { TwinNames, Twins } from "./twins.ts";

/** The facts that undoing a partitioning needs: all but those of the server as a whole. */
export type FlatFacts = Pick<
  Facts,
  | "tables"
  | "columns"
  | "constraints"
  | "indexes"
  | "sequences"
  | "triggers"
  | "rules"
  | "policies"
  | "grants"
  | "partitions"
  | "dependencies"
  | "publications"
>;

/** A partitioned table that becomes a plain one. */
export interface Flat extends Twins {
  readonly leaves: readonly { readonly name: string; readonly condition: string }[];
  /** All below the root. */
  readonly members: readonly string[];
  /** The tables that policies look into. */
  readonly consulted: readonly RelationName[];
  readonly keys: readonly OutgoingKey[];
}

/** The names of what an undone partitioning makes. */
export function flatNames(table: string): TwinNames {
  const name = (what: string) => shorten(`${table}_${what}`);
  return {
    beside: name("flat"),
    parked: name("partitioned"),
    log: name("flat_log"),
    watch: name("flat_watch"),
    watchBack: name("flat_watch_back"),
    trigger: "zz_underpin_flat",
    endings: { beside: "flat", parked: "partitioned" },
  };
}

/** Reads what is to be carried over; refuses by name what cannot be. */
export function flatOf(facts: FlatFacts, { schema, name }: RelationName): Flat {
  const path = qualified(schema, name);
  const refuse = (message: string, hint: string) =>
    new UnderpinError({ code: "invalidInput", message: `${path} ${message}`, hint });
  const isOwn = (each: { readonly schema: string; readonly table: string }) =>
    each.schema === schema && each.table === name;
  const members = facts.partitions.filter((p) => p.root.schema === schema && p.root.name === name);
  const table = facts.tables.find((each) => each.schema === schema && each.name === name);
  const columns = facts.columns.filter(isOwn);
  const primary = facts.constraints.find((each) => isOwn(each) && each.kind === "primaryKey");
  if (table?.kind !== "partitionedTable" || members.length === 0)
    throw refuse("is no partitioned table", "Name the root of a partition tree.");
  if (primary === undefined)
    throw refuse(
      "has no primary key: without one its rows cannot be copied while they change",
      "Add a primary key that holds the partition columns.",
    );
  const odd = members.find((each) => each.schema !== schema || each.detachPending);
  if (odd !== undefined)
    throw refuse(
      `has the partition ${qualified(odd.schema, odd.name)}, which ${odd.detachPending ? "is being detached" : "is in another schema"}`,
      odd.detachPending ? "Finish it: ALTER TABLE … DETACH PARTITION … FINALIZE." : "Move it.",
    );
  const leaves = members.filter(({ key }) => key === null);
  const foreign = leaves.find(
    (l) => !facts.tables.some((t) => t.schema === schema && t.name === l.name),
  );
  if (foreign !== undefined)
    throw refuse(`has ${foreign.name}, which is a foreign table`, "Detach it first.");
  const names = flatNames(name);
  const taken = facts.tables.find(
    (each) => each.schema === schema && [names.beside, names.parked, names.log].includes(each.name),
  );
  if (taken !== undefined)
    throw refuse(`would need the name ${taken.name}, which a table has`, "Rename that table.");
  refuseDependents(facts, { schema, name }, refuse);
  if (table.replicaIdentity !== "default")
    throw refuse("has a replica identity of its own", "ALTER TABLE … REPLICA IDENTITY DEFAULT.");
  const grants = facts.grants.filter(
    (each) =>
      each.schema === schema &&
      each.name === name &&
      (each.on === "relation" || each.on === "column"),
  );
  const odder = grants.find(({ grantor }) => grantor !== table.owner);
  if (odder !== undefined)
    throw refuse(
      `was granted to ${odder.grantee} by ${odder.grantor}, who does not own it`,
      "Revoke it and grant it as the owner.",
    );
  return {
    schema,
    table,
    names,
    leaves: leaves.map((leaf) => ({ name: leaf.name, condition: leafCondition(members, leaf) })),
    members: members.flatMap((each) => (each.parent === null ? [] : [each.name])),
    consulted: consultedBy(facts, { schema, name }),
    columns,
    writable: columns.filter(({ generated }) => generated === null).map((column) => column.name),
    key: primary.columns.map((column) => ({
      name: column,
      type: columns.find((each) => each.name === column)?.type ?? "text",
    })),
    indexes: facts.indexes.filter(isOwn),
    keys: outgoingKeys(facts, { schema, name }),
    triggers: facts.triggers.filter(isOwn),
    policies: facts.policies.filter(isOwn),
    grants,
    sequences: facts.sequences.filter(({ ownedBy }) => ownedBy !== null && isOwn(ownedBy)),
  };
}

function consultedBy({ dependencies }: FlatFacts, own: RelationName): readonly RelationName[] {
  const found = dependencies.flatMap(({ dependent, on }) =>
    dependent.kind === "policy" &&
    dependent.schema === own.schema &&
    dependent.name === own.name &&
    (on.kind === "relation" || on.kind === "column") &&
    !(on.schema === own.schema && on.name === own.name)
      ? [[qualified(on.schema, on.name), { schema: on.schema, name: on.name }] as const]
      : [],
  );
  return [...new Map(found).values()];
}

type Refuse = (message: string, hint: string) => UnderpinError;

function refuseDependents(facts: FlatFacts, { schema, name }: RelationName, refuse: Refuse): void {
  const members = new Set(
    facts.partitions
      .filter((p) => p.root.schema === schema && p.root.name === name)
      .map((each) => each.name),
  );
  const isMember = (each: RelationName) => each.schema === schema && members.has(each.name);
  const incoming = facts.constraints.find(
    ({ references, table }) => references !== null && isMember(references) && !members.has(table),
  );
  if (incoming !== undefined)
    throw refuse(
      `is referred to by ${incoming.name} of ${qualified(incoming.schema, incoming.table)}`,
      "Drop that foreign key, undo the partitioning, and add it again with addForeignKey.",
    );
  const self = facts.constraints.find(
    ({ references, table, schema: own }) =>
      references !== null && own === schema && table === name && isMember(references),
  );
  if (self !== undefined)
    throw refuse(
      `refers to itself by ${self.name}`,
      "Drop that foreign key, undo the partitioning, and add it again with addForeignKey.",
    );
  const user = facts.dependencies.find(
    ({ on, dependent }) =>
      (on.kind === "relation" || on.kind === "column") && isMember(on) && !isMember(dependent),
  );
  if (user !== undefined)
    throw refuse(
      `is used by the ${user.dependent.kind === "materializedView" ? "materialized view" : user.dependent.kind} ${qualified(user.dependent.schema, user.dependent.name)}${user.dependent.detail === null ? "" : ` (${user.dependent.detail})`}, which would go on with the partitioned table`,
      "Drop it, undo the partitioning, and create it again with its grants.",
    );
  const rule = facts.rules.find((each) => each.schema === schema && each.table === name);
  if (rule !== undefined) throw refuse(`has the rule ${rule.name}`, "Drop the rule.");
  const published = facts.publications.find(({ tables }) => tables.some(isMember));
  if (published !== undefined)
    throw refuse(
      `is in the publication ${published.name}`,
      "Take it out of the publication, and put the plain table in afterwards.",
    );
}
