import type { TableFact } from "../../catalog/tables.ts";
import type { Scheme } from "../../definition/scheme.ts";
import { UnderpinError } from "../../errors.ts";
import type { RelationName } from "../../plan/step.ts";
import { ident, qualified } from "../../sql/quote.ts";
import type { ConvertFacts } from "../convert/copy-options.ts";
import { attachNames, legacyName } from "./attach-names.ts";

/** Makes the error that says why a table cannot be attached. */
export type Refuse = (message: string, hint: string) => UnderpinError;

/** For one table. */
export function refuserOf({ schema, name }: RelationName): Refuse {
  return (message, hint) =>
    new UnderpinError({
      code: "invalidInput",
      message: `${qualified(schema, name)} ${message}`,
      hint,
    });
}

/** What no partition or no partitioned table may be or have, and what would go on with the old table without a word. */
export function refuseWhatCannotBe(
  facts: ConvertFacts,
  own: RelationName,
  table: TableFact,
  scheme: Scheme,
): void {
  const refuse = refuserOf(own);
  refuseKind(facts, own, table, refuse);
  refuseConstraints(facts, own, refuse);
  refuseBeside(facts, own, table, scheme, refuse);
}

function refuseKind(
  facts: ConvertFacts,
  own: RelationName,
  table: TableFact,
  refuse: Refuse,
): void {
  const isSame = (each: RelationName) => each.schema === own.schema && each.name === own.name;
  if (table.kind === "partitionedTable" || facts.partitions.some(isSame))
    throw refuse("is partitioned already, or is a partition", "Name a plain table.");
  if (table.persistence !== "permanent" || table.ofType !== null || table.extension !== null)
    throw refuse(
      table.persistence === "permanent"
        ? "belongs to a type or an extension"
        : `is ${table.persistence}`,
      'Make it a plain permanent table first, or take the strategy "copy".',
    );
  const kin = facts.inheritance.find((each) => isSame(each) || isSame(each.parent));
  if (kin !== undefined)
    throw refuse(
      `takes part in inheritance (${kin.name} inherits from ${kin.parent.name})`,
      "A partition can be neither: ALTER TABLE … NO INHERIT first.",
    );
  const names = attachNames(own.name);
  const taken = facts.tables.find(
    (each) =>
      each.schema === own.schema &&
      [names.root, names.legacy, names.values, names.cut].includes(each.name),
  );
  if (taken !== undefined)
    throw refuse(`would need the name ${taken.name}, which a table has`, "Rename that table.");
}

function refuseConstraints(facts: ConvertFacts, own: RelationName, refuse: Refuse): void {
  const isOwn = (each: { readonly schema: string; readonly table: string }) =>
    each.schema === own.schema && each.table === own.name;
  const incoming = facts.constraints.find(
    ({ references }) => references?.schema === own.schema && references.name === own.name,
  );
  if (incoming !== undefined)
    throw refuse(
      `is referred to by ${incoming.name} of ${qualified(incoming.schema, incoming.table)}, and a foreign key to a partitioned table names every partition column`,
      `Drop it (ALTER TABLE ${qualified(incoming.schema, incoming.table)} DROP CONSTRAINT ${ident(incoming.name)}), attach, give ${incoming.table} those columns, and add it again with addForeignKey.`,
    );
  for (const each of facts.constraints.filter(isOwn)) {
    if (each.kind === "exclusion")
      throw refuse(
        `has the exclusion constraint ${each.name}, which no partitioned table has on 15 and 16`,
        'Drop it first, or take the strategy "copy" with it dropped.',
      );
    if (!each.validated || !each.enforced)
      throw refuse(
        `has the constraint ${each.name}, which is not validated: ATTACH refuses one that the root has proved`,
        `ALTER TABLE ${qualified(own.schema, own.name)} VALIDATE CONSTRAINT ${ident(each.name)}.`,
      );
    if (each.kind === "check" && each.noInherit)
      throw refuse(
        `has the check ${each.name} NO INHERIT, which no partitioned table has`,
        "Drop it, and add it without NO INHERIT.",
      );
    if (each.kind === "primaryKey" && each.deferrable)
      throw refuse(
        `has the deferrable primary key ${each.name}, whose index cannot be changed for another`,
        "Make it one that is not deferrable first.",
      );
  }
}

function refuseBeside(
  facts: ConvertFacts,
  own: RelationName,
  table: TableFact,
  scheme: Scheme,
  refuse: Refuse,
): void {
  const isOwn = (each: { readonly schema: string; readonly table: string }) =>
    each.schema === own.schema && each.table === own.name;
  const rule = facts.rules.find(isOwn);
  if (rule !== undefined) throw refuse(`has the rule ${rule.name}`, "Drop the rule.");
  const whole = facts.triggers.find(
    (each) =>
      isOwn(each) && each.level === "row" && / REFERENCING (OLD|NEW) /.test(each.definition),
  );
  if (whole !== undefined)
    throw refuse(
      `has the row trigger ${whole.name} with a transition table, which no partition has`,
      "Make it a trigger of statements.",
    );
  if (table.replicaIdentity === "index")
    throw refuse(
      "has an index as its replica identity, which a partitioned table cannot hand on",
      `ALTER TABLE ${qualified(own.schema, own.name)} REPLICA IDENTITY DEFAULT.`,
    );
  const published = facts.publications.find(
    (each) =>
      !each.viaRoot &&
      (each.allTables ||
        each.schemas.includes(own.schema) ||
        each.tables.some((t) => t.schema === own.schema && t.name === own.name)),
  );
  if (published !== undefined)
    throw refuse(
      `is in the publication ${published.name}, which would publish its rows as those of ${legacyName(own.name)}`,
      `ALTER PUBLICATION ${ident(published.name)} SET (publish_via_partition_root = true).`,
    );
  const odd = facts.grants.find(
    (each) =>
      each.schema === own.schema &&
      each.name === own.name &&
      (each.on === "relation" || each.on === "column") &&
      each.grantor !== table.owner,
  );
  if (odd !== undefined)
    throw refuse(
      `was granted to ${odd.grantee} by ${odd.grantor}, who does not own it`,
      "Revoke it and grant it as the owner.",
    );
  const generated = facts.columns.find(
    (each) =>
      isOwn(each) &&
      each.generated !== null &&
      scheme.dimensions.some(({ column }) => column === each.name),
  );
  if (generated !== undefined)
    throw refuse(
      `is to be partitioned by ${generated.name}, which is generated`,
      "No generated column is a partition key (0A000): make it a plain one first.",
    );
}
