import type { ColumnFact } from "../catalog/columns.ts";
import type { Facts } from "../catalog/read-facts.ts";
import type { TableFact } from "../catalog/tables.ts";
import { UnderpinError } from "../errors.ts";
import type { RelationName } from "../plan/step.ts";
import { qualified } from "../sql/quote.ts";

/** What the facts say of a table; refused where they do not hold it. */
export function tableFactOf(
  { tables }: Pick<Facts, "tables">,
  { schema, name }: RelationName,
): TableFact {
  return (
    tables.find((each) => each.schema === schema && each.name === name) ??
    refuse(
      `the facts hold no table ${qualified(schema, name)}`,
      "Read them with its schema: readFacts(db, { schemas: [ … ] }).",
    )
  );
}

/** What the facts say of a column; refused where they do not hold it. */
export function columnFactOf(
  { columns }: Pick<Facts, "columns">,
  { schema, name }: RelationName,
  column: string,
): ColumnFact {
  return (
    columns.find((each) => each.schema === schema && each.table === name && each.name === column) ??
    refuse(
      `${qualified(schema, name)} has no column ${column}`,
      "Read the facts again if it is new, or mend the name.",
    )
  );
}

/** Whether what belongs to a table belongs to this one. */
export function isOf({ schema, name }: RelationName) {
  return (each: { readonly schema: string; readonly table: string }): boolean =>
    each.schema === schema && each.table === name;
}

/** A table, and all partitions and tables below it that inherit from it. */
export function familyOf(
  { partitions, inheritance }: Pick<Facts, "partitions" | "inheritance">,
  top: RelationName,
): readonly RelationName[] {
  const family: RelationName[] = [{ schema: top.schema, name: top.name }];
  // What is found is looked through in its turn.
  for (const member of family)
    for (const { schema, name, parent } of [...partitions, ...inheritance]) {
      const isChild = parent?.schema === member.schema && parent.name === member.name;
      const isKnown = family.some((each) => each.schema === schema && each.name === name);
      if (isChild && !isKnown) family.push({ schema, name });
    }
  return family;
}

/** Refuses what a recipe was asked for, before there is a plan. */
export function refuse(message: string, hint: string): never {
  throw new UnderpinError({ code: "invalidInput", message, hint });
}
