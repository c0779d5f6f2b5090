import type { CheckStep, RelationName, Step } from "../../plan/step.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";
import { backfillSteps } from "../backfill.ts";
import { setNotNull } from "../set-not-null.ts";
import { addColumnsStep, copyColumnGrants, type BackfillPace } from "../shadow-column.ts";
import { MAPPING, uuidSql, type Conversion, type Twin } from "./conversion.ts";
import { keyTriggerOf, keyTriggerStep } from "./key-trigger.ts";

/** Gives a table its columns of a phase, kept alike from then on: one transaction of moments. */
export function beginSteps(
  conversion: Conversion,
  table: RelationName,
  phase: number,
): readonly Step[] {
  const { facts } = conversion;
  const trigger = keyTriggerOf(conversion, table, phase);
  const path = qualified(table.schema, table.name);
  const then = trigger.twins.flatMap(({ column, name }) => [
    ...copyColumnGrants(facts, table, column.name, name),
    ...(column.comment === null
      ? []
      : [`COMMENT ON COLUMN ${path}.${ident(name)} IS ${literal(column.comment)}`]),
  ]);
  const columns = trigger.twins.map(({ name }) => ({ name, type: "uuid" }));
  return [addColumnsStep(table, columns, then), keyTriggerStep(conversion, trigger)];
}

/** Fills the columns of the rows that were there before, and makes those NOT NULL whose integers are. */
export function fillSteps(
  conversion: Conversion,
  table: RelationName,
  phase: number,
  pace: BackfillPace,
): readonly Step[] {
  const { twins } = keyTriggerOf(conversion, table, phase);
  const filled = backfillSteps(
    {
      facts: conversion.facts,
      ...table,
      table: table.name,
      set: twins
        .map(
          ({ column, name, key }) =>
            `${ident(name)} = ${uuidSql(conversion, key, `target.${ident(column.name)}`)}`,
        )
        .join(", "),
      where: twins
        .map(
          ({ column, name }) =>
            `(target.${ident(column.name)} IS NOT NULL AND target.${ident(name)} IS NULL)`,
        )
        .join(" OR "),
      ...pace,
    },
    table,
  );
  return [
    ...filled,
    ...twins
      .filter(({ column }) => column.notNull)
      .flatMap(({ name }) =>
        setNotNull({ ...table, table: table.name, column: name }).steps.map((step) => ({
          ...step,
          id: `${name}/${step.id}`,
        })),
      ),
  ];
}

/**
 * That every UUID is that of its integer, by one join: neither a NULL on one side nor a key of another row.
 *
 * That no key is twice in the mapping, and no reference without its row, the unique index and the validated foreign keys prove.
 */
export function proofStep(conversion: Conversion, table: RelationName, phase: number): CheckStep {
  const { schema, strategy } = conversion;
  const { twins } = keyTriggerOf(conversion, table, phase);
  const of = (twin: Twin, at: number) => {
    const { column, key } = twin;
    const derived = `${qualified(schema, "underpin_uuid_of")}(${literal(key.namespace)}, t.${ident(column.name)})`;
    const known = `m${at}.new_id`;
    return strategy === "random" ? known : `coalesce(${known}, ${derived})`;
  };
  const rows = twins
    .map(
      ({ column, name }, at) =>
        `SELECT ${literal(name)} AS "column", t.${ident(column.name)}::text AS id, t.${ident(name)} AS key
FROM ${qualified(table.schema, table.name)} AS t
LEFT JOIN ${qualified(schema, MAPPING)} AS m${at} ON m${at}.table_name = ${literal(twins[at]?.key.mapped ?? "")} AND m${at}.old_id = t.${ident(column.name)}
WHERE t.${ident(name)} IS DISTINCT FROM ${twins[at] === undefined ? "NULL" : of(twins[at], at)}`,
    )
    .join("\nUNION ALL ");
  return {
    kind: "check",
    id: "proof",
    title: `Every ${twins.map(({ name }) => name).join(", ")} of ${table.name} is the UUID of its integer`,
    sql: rows,
    expect: "noRows",
    rows: [{ ...table, access: "read" }],
    transaction: "commitAfter",
    undo: { kind: "nothing" },
  };
}
