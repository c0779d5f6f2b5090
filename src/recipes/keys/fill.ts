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
      set: twins.map((twin) => `${ident(twin.name)} = ${valueSql(conversion, twin)}`).join(", "),
      where: twins.map((twin) => `(${unfilledSql(twin)})`).join(" OR "),
      ...pace,
    },
    table,
  );
  return [
    ...filled,
    ...twins
      .filter(({ column, cases }) => column.notNull && cases === undefined)
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
  const rows = twins
    .flatMap((twin) =>
      (twin.cases ?? [{ key: twin.key, when: "true" }]).map(({ key, when }) => {
        const { column, name } = twin;
        const derived = `${qualified(schema, "underpin_uuid_of")}(${literal(key.namespace)}, t.id)`;
        const is = strategy === "random" ? "m.new_id" : `coalesce(m.new_id, ${derived})`;
        return `SELECT ${literal(name)} AS "column", t.id, t.key
FROM (SELECT ${ident(column.name)}::bigint AS id, ${ident(name)} AS key FROM ${qualified(table.schema, table.name)} AS target WHERE ${when}) AS t
LEFT JOIN ${qualified(schema, MAPPING)} AS m ON m.table_name = ${literal(key.mapped)} AND m.old_id = t.id
WHERE t.key IS DISTINCT FROM ${is}`;
      }),
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

/** The UUID of a row that was there before. */
function valueSql(conversion: Conversion, { column, name, key, cases }: Twin): string {
  const id = `target.${ident(column.name)}`;
  if (cases === undefined) return uuidSql(conversion, key, id);
  const branches = cases.map(
    (each) => `WHEN ${each.when} THEN ${uuidSql(conversion, each.key, id)}`,
  );
  return `CASE ${branches.join(" ")} ELSE target.${ident(name)} END`;
}

function unfilledSql({ column, name, cases }: Twin): string {
  const [id, uuid] = [`target.${ident(column.name)}`, `target.${ident(name)}`];
  const meant =
    cases === undefined ? "" : ` AND (${cases.map(({ when }) => `(${when})`).join(" OR ")})`;
  return `${id} IS NOT NULL AND ${uuid} IS NULL${meant}`;
}
