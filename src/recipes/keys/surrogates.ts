import type { Lock, Step } from "../../plan/step.ts";
import { ident, qualified } from "../../sql/quote.ts";
import { shorten } from "../../sql/shorten.ts";
import { backfillSteps } from "../backfill.ts";
import { createIndex } from "../create-index.ts";
import { refuse } from "../own-column.ts";
import { setNotNull } from "../set-not-null.ts";
import { addColumnsStep, type BackfillPace } from "../shadow-column.ts";
import type { Conversion, Surrogate } from "./conversion.ts";
import { primaryKeyOf } from "./graph.ts";
import { newKeySql } from "./new-keys.ts";
import { carriedName, type TwinIndex } from "./twin-indexes.ts";

/** The tables that get a key of their own, from `{ cycle_reports: "id" }`. */
export function surrogatesOf(
  conversion: Conversion,
  indexes: readonly TwinIndex[],
  wanted: Readonly<Record<string, string>>,
): readonly Surrogate[] {
  const { facts } = conversion;
  return Object.entries(wanted).map(([name, column]) => {
    const twin = indexes.find(({ index, table }) => index.primary && table.name === name);
    const key = twin && primaryKeyOf(facts, twin.table);
    if (twin === undefined || key === undefined || key.columns.length < 2)
      return refuse(
        `${name} has no primary key of several columns of which one is converted`,
        "Name a table whose key is made of keys of others, and those others in tables.",
      );
    if (facts.columns.some((each) => each.table === name && each.name === column))
      refuse(`${name} has a column ${column} already`, "Choose another name for its own key.");
    const index = carriedName(shorten(`${key.name}_${column}`));
    return { table: twin.table, column, index, phase: twin.phase };
  });
}

/** Gives a table its own key: old versions' rows get theirs by default, rows that were there before in batches. */
export function surrogateSteps(
  { facts, schema }: Conversion,
  { table, column, index }: Surrogate,
  pace: BackfillPace,
): readonly Step[] {
  const path = qualified(table.schema, table.name);
  const locks: readonly Lock[] = [{ ...table, mode: "accessExclusive", partitions: true }];
  const setDefault = (server: ">=18" | "<18"): Step => ({
    kind: "sql",
    id: `default${server}`,
    title: `New rows of ${table.name} get their ${column}`,
    when: { server },
    // A statement of its own: ADD COLUMN with it would write the table anew.
    sql: `ALTER TABLE ${path} ALTER COLUMN ${ident(column)} SET DEFAULT ${newKeySql(schema, server)}`,
    locks,
    transaction: "commitAfter",
    undo: { kind: "nothing" },
  });
  const fill = (server: ">=18" | "<18"): readonly Step[] =>
    backfillSteps(
      {
        facts,
        ...table,
        table: table.name,
        set: `${ident(column)} = ${newKeySql(schema, server)}`,
        where: `target.${ident(column)} IS NULL`,
        ...pace,
      },
      table,
    ).map((step) => ({ ...step, id: `${step.id}${server}`, when: { server } }));
  return [
    addColumnsStep(table, [{ name: column, type: "uuid" }]),
    setDefault("<18"),
    setDefault(">=18"),
    ...fill("<18"),
    ...fill(">=18"),
    ...setNotNull({ ...table, table: table.name, column }).steps,
    ...createIndex({ ...table, table: table.name, parts: [column], unique: true, name: index })
      .steps,
  ];
}
