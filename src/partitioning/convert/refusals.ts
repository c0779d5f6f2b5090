import type { ColumnFact } from "../../catalog/columns.ts";
import type { TableFact } from "../../catalog/tables.ts";
import type { Scheme } from "../../definition/scheme.ts";
import { UnderpinError } from "../../errors.ts";
import { ident, qualified } from "../../sql/quote.ts";
import type { TwinNames } from "../flat/twins.ts";
import { namesOf } from "../provision-names.ts";
import type { ConvertFacts } from "./copy-options.ts";
import { schemeOf } from "./scheme-aside.ts";

/** Makes the error that says what of a table is in the way, and what to do. */
export type Refuse = (message: string, hint: string) => UnderpinError;

/** Errors about one table. */
export function refuser(path: string): Refuse {
  return (message, hint) =>
    new UnderpinError({ code: "invalidInput", message: `${path} ${message}`, hint });
}

/** A table with its scheme, and the names that will be made. */
interface OddTable {
  readonly scheme: Scheme;
  readonly table: TableFact;
  readonly columns: readonly ColumnFact[];
  readonly names: TwinNames;
}

/** Refuses by name what a partitioned table cannot have, and what cannot be carried over. */
export function refuseOddTable(facts: ConvertFacts, odd: OddTable): void {
  const { table } = odd;
  const { schema, name } = table;
  const refuse = refuser(qualified(schema, name));
  const alter = `ALTER TABLE ${qualified(schema, name)}`;
  if (table.persistence !== "permanent")
    throw refuse(`is ${table.persistence}, and a partitioned table is not`, `${alter} SET LOGGED.`);
  if (table.ofType !== null)
    throw refuse(`is a table of the type ${table.ofType}`, `${alter} NOT OF.`);
  if (table.replicaIdentity !== "default")
    throw refuse(
      "has a replica identity of its own",
      `${alter} REPLICA IDENTITY DEFAULT; say it of the partitions afterwards.`,
    );
  const relative = facts.inheritance.find((each) =>
    [each, each.parent].some((one) => one.schema === schema && one.name === name),
  );
  if (relative !== undefined)
    throw refuse(
      `inherits, or is inherited from: ${qualified(relative.schema, relative.name)} has the parent ${qualified(relative.parent.schema, relative.parent.name)}`,
      `ALTER TABLE ${qualified(relative.schema, relative.name)} NO INHERIT ${qualified(relative.parent.schema, relative.parent.name)}.`,
    );
  if (facts.partitions.some((each) => each.schema === schema && each.name === name))
    throw refuse("is a partition", "Convert a table by itself, or change the scheme of its root.");
  refuseNames(facts, odd, refuse);
  refuseColumns(facts, odd, refuse);
  refuseConstraints(facts, odd, refuse);
  refuseTriggers(facts, odd, refuse);
  refuseGrants(facts, odd, refuse);
  const rule = facts.rules.find((each) => each.schema === schema && each.table === name);
  if (rule !== undefined) throw refuse(`has the rule ${rule.name}`, "Drop the rule.");
  const published = facts.publications.find(
    ({ allTables, schemas, tables }) =>
      allTables ||
      schemas.includes(schema) ||
      tables.some((each) => each.schema === schema && each.name === name),
  );
  if (published !== undefined)
    throw refuse(
      `is in the publication ${published.name}, whose subscribers have no partitions`,
      "Take it out of the publication, and put the partitioned table in afterwards (publish_via_partition_root).",
    );
}

function refuseNames(facts: ConvertFacts, { scheme, table, names }: OddTable, refuse: Refuse) {
  const made = [names.beside, names.parked, names.log];
  const taken =
    facts.tables.find(({ schema, name }) => schema === table.schema && made.includes(name)) ??
    facts.views.find(({ schema, name }) => schema === table.schema && made.includes(name));
  if (taken !== undefined)
    throw refuse(
      `would need the name ${taken.name}, which is taken`,
      "Rename that relation; one that an earlier conversion parked, drop with dropUnpartitioned.",
    );
  const { provision, make, name: nameIt } = namesOf(schemeOf(scheme, names.beside));
  const functions = [provision, make, nameIt, names.watch, names.watchBack];
  const there = facts.functions.find(
    ({ schema, name }) => schema === table.schema && functions.includes(name),
  );
  if (there !== undefined)
    throw refuse(
      `would need the name of the function ${there.name}`,
      "Drop or rename that function.",
    );
}

function refuseColumns(facts: ConvertFacts, { scheme, table, columns }: OddTable, refuse: Refuse) {
  for (const { column } of scheme.dimensions) {
    const fact = columns.find(({ name }) => name === column);
    if (fact === undefined)
      throw refuse(`has no column ${column}, by which the scheme partitions it`, "Add it first.");
    const unproven = facts.constraints.some(
      (each) =>
        each.schema === table.schema &&
        each.table === table.name &&
        each.kind === "notNull" &&
        !each.validated &&
        each.columns.includes(column),
    );
    if (!fact.notNull || unproven)
      throw refuse(
        `may have NULL in ${column}, and no partition takes NULL`,
        `Give such rows a value, then setNotNull({ table: "${table.name}", column: "${column}" }).`,
      );
    if (fact.generated !== null)
      throw refuse(
        `computes ${column}, and a generated column cannot be partitioned by`,
        "Partition by the columns that it is computed from.",
      );
  }
}

function refuseConstraints(facts: ConvertFacts, { table }: OddTable, refuse: Refuse) {
  const own = facts.constraints.filter(
    (each) => each.schema === table.schema && each.table === table.name,
  );
  const unproven = own.find(({ validated, enforced, kind }) =>
    kind === "notNull" ? false : !validated || !enforced,
  );
  if (unproven !== undefined)
    throw refuse(
      `has ${unproven.name}, which its rows were never proved to keep`,
      `ALTER TABLE ${qualified(table.schema, table.name)} VALIDATE CONSTRAINT ${ident(unproven.name)}, or drop it.`,
    );
  const noInherit = own.find((each) => each.noInherit && each.kind === "check");
  if (noInherit !== undefined)
    throw refuse(
      `has the CHECK ${noInherit.name} NO INHERIT, which a partitioned table cannot have`,
      "Add it again without NO INHERIT: addCheck.",
    );
  const exclusion = own.find(({ kind }) => kind === "exclusion");
  if (exclusion !== undefined)
    throw refuse(
      `has the exclusion constraint ${exclusion.name}, which would hold within each partition only`,
      "Drop it.",
    );
  const deferred = own.find(
    ({ kind, deferrable }) => deferrable && (kind === "primaryKey" || kind === "unique"),
  );
  if (deferred !== undefined)
    throw refuse(
      `has ${deferred.name}, which is DEFERRABLE: what is copied could not be told from what is there`,
      "Add it again as NOT DEFERRABLE.",
    );
  const self = own.find(
    ({ references }) => references?.schema === table.schema && references.name === table.name,
  );
  if (self !== undefined)
    throw refuse(
      `refers to itself by ${self.name}`,
      "Drop that foreign key, convert the table, and add it again over the wide key with addForeignKey.",
    );
}

function refuseTriggers(facts: ConvertFacts, { table }: OddTable, refuse: Refuse) {
  const own = facts.triggers.filter(
    (each) => each.schema === table.schema && each.table === table.name,
  );
  const logged = own.find(({ name }) => name.startsWith("zz_underpin_"));
  if (logged !== undefined)
    throw refuse(
      `is within another change, whose trigger is ${logged.name}`,
      "Bring that change to its end, and drop what it keeps.",
    );
  const transition = own.find(
    ({ level, definition }) => level === "row" && / REFERENCING (OLD|NEW) TABLE /.test(definition),
  );
  if (transition !== undefined)
    throw refuse(
      `has the trigger ${transition.name} FOR EACH ROW with transition tables, which a partitioned table cannot have`,
      "Make it a trigger FOR EACH STATEMENT.",
    );
  const clustered = facts.indexes.find(
    (each) => each.schema === table.schema && each.table === table.name && each.clustered,
  );
  if (clustered !== undefined)
    throw refuse(
      `is marked to be clustered by ${clustered.name}, and a partitioned table has no such mark`,
      `ALTER TABLE ${qualified(table.schema, table.name)} SET WITHOUT CLUSTER.`,
    );
}

function refuseGrants({ grants }: ConvertFacts, { table }: OddTable, refuse: Refuse) {
  const odd = grants.find(
    ({ schema, name, on, grantor }) =>
      schema === table.schema &&
      name === table.name &&
      (on === "relation" || on === "column") &&
      grantor !== table.owner,
  );
  if (odd !== undefined)
    throw refuse(
      `was granted to ${odd.grantee} by ${odd.grantor}, who does not own it`,
      "Revoke it and grant it as the owner.",
    );
}
