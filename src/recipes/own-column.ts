import type { ColumnFact } from "../catalog/columns.ts";
import type { Facts } from "../catalog/read-facts.ts";
import { UnderpinError } from "../errors.ts";
import type { RelationName } from "../plan/step.ts";
import { qualified } from "../sql/quote.ts";
import { syncNames } from "./sync-trigger.ts";
import { familyOf } from "./table-facts.ts";

/** The readings of the catalog that a change of a column is planned from. */
export type ColumnFacts = Pick<
  Facts,
  | "server"
  | "tables"
  | "columns"
  | "indexes"
  | "constraints"
  | "triggers"
  | "partitions"
  | "inheritance"
  | "publications"
  | "grants"
  | "dependencies"
  | "views"
  | "policies"
  | "sequences"
>;

/** Refuses before anything is touched. */
export function refuse(message: string, hint: string): never {
  throw new UnderpinError({ code: "invalidInput", message, hint });
}

/** The names of a table's columns, in their order. */
export function columnsOf(facts: Pick<Facts, "columns">, target: RelationName): readonly string[] {
  return facts.columns.filter((each) => isOf(each, target)).map(({ name }) => name);
}

/** A column of a table that can be kept like others by a row trigger, and is nobody else's. */
export function ownColumn(facts: ColumnFacts, target: RelationName, name: string): ColumnFact {
  const path = qualified(target.schema, target.name);
  if (!facts.tables.some((each) => isSame(each, target)))
    refuse(
      `the facts hold no table ${path}`,
      "Read them with its schema: readFacts(db, { schemas: [ … ] }).",
    );
  const column = facts.columns.find((each) => isOf(each, target) && each.name === name);
  if (column === undefined)
    return refuse(
      `${path} has no column ${name}`,
      `Its columns: ${columnsOf(facts, target).join(", ")}.`,
    );
  const partition = facts.partitions.find((each) => isSame(each, target));
  if (column.inheritCount > 0 || (partition !== undefined && partition.parent !== null))
    refuse(
      `${name} of ${path} is inherited`,
      "Change it on the table that it comes from: its partitions and children follow.",
    );
  if (facts.inheritance.some(({ parent }) => isSame(parent, target)))
    refuse(
      `${path} has children that inherit from it, and a row trigger of the parent does not fire for theirs`,
      "Take the children out first (ALTER TABLE … NO INHERIT), or make one of this change for each.",
    );
  if (facts.partitions.some((each) => isSame(each.root, target) && usesKey(each.key, name)))
    refuse(
      `${path} is partitioned by ${name}`,
      "A partition key cannot change its column: make the table anew beside it and copy.",
    );
  if (column.generated !== null)
    refuse(
      `${name} of ${path} is generated: it is computed after the row triggers, from other columns`,
      "Add another generated column under the new name or type, and drop this one once nobody reads it.",
    );
  refusePublished(facts, target, name);
  refuseTriggers(facts, target, name);
  return column;
}

function usesKey(
  key: { readonly columns: readonly (string | null)[] } | null,
  name: string,
): boolean {
  // What an expression of a key uses is not known: it may be this column.
  return key?.columns.some((column) => column === name || column === null) === true;
}

function refusePublished({ publications }: ColumnFacts, target: RelationName, name: string): void {
  const listed = publications.find(({ tables }) =>
    tables.some(
      (each) => isSame(each, target) && (each.columns?.includes(name) === true || uses(each, name)),
    ),
  );
  if (listed !== undefined)
    refuse(
      `the publication ${listed.name} lists ${name} of ${qualified(target.schema, target.name)}, or filters by it`,
      "Its subscribers would get another column: take it from the list first (ALTER PUBLICATION … SET TABLE).",
    );
}

function uses({ where }: { readonly where: string | null }, name: string): boolean {
  return where !== null && where.includes(name);
}

/** Triggers that would miss what ours writes, or would come after it. */
function refuseTriggers(facts: ColumnFacts, target: RelationName, name: string) {
  const { triggers, dependencies } = facts;
  const path = qualified(target.schema, target.name);
  // A partition may have triggers of its own, which fire in one order with those that it has from above.
  const family = familyOf(facts, target);
  const own = triggers.filter((each) => family.some((member) => isOf(each, member)));
  const named = dependencies.find(
    ({ dependent, on }) =>
      dependent.kind === "trigger" &&
      isSame(dependent, target) &&
      isSame(on, target) &&
      on.kind === "column" &&
      on.detail === name,
  )?.dependent.detail;
  if (named != null)
    refuse(
      `the trigger ${named} of ${path} names ${name} (UPDATE OF or WHEN): it would not fire for what is written to the other column`,
      "Let it fire for every UPDATE and look inside its function, then make the plan again.",
    );
  const ours = syncNames({ table: target, name: "" }).trigger;
  const later = own.find(
    (each) =>
      each.timing === "before" &&
      each.level === "row" &&
      each.name > ours &&
      !each.name.startsWith(ours) &&
      each.events.some((event) => event === "insert" || event === "update"),
  );
  if (later !== undefined)
    refuse(
      `the trigger ${later.name} of ${qualified(later.schema, later.table)} fires after ${ours}…: triggers fire in the order of their names, and what it changes would not be kept alike`,
      `ALTER TRIGGER … ON ${qualified(later.schema, later.table)} RENAME TO a name that comes before.`,
    );
}

/** Whether something belongs to a table. */
export function isOf(
  each: { readonly schema: string; readonly table: string },
  target: RelationName,
): boolean {
  return each.schema === target.schema && each.table === target.name;
}

/** Whether both are the same relation. */
export function isSame(a: RelationName, b: RelationName): boolean {
  return a.schema === b.schema && a.name === b.name;
}

/** Whether a table is partitioned. */
export function isPartitioned({ tables }: Pick<Facts, "tables">, target: RelationName): boolean {
  return tables.some((each) => isSame(each, target) && each.kind === "partitionedTable");
}
