import type { Scheme } from "../../definition/scheme.ts";
import { plan } from "../../plan/plan.ts";
import type { Lock, Plan, RowAccess, Step } from "../../plan/step.ts";
import { ident, qualified } from "../../sql/quote.ts";
import { isUsedByNobody } from "../flat/used-by-nobody.ts";
import { conversionOf } from "./conversion-of.ts";
import type { CopyToPartitionedOptions } from "./copy-options.ts";
import { analyzeSql, differenceSql } from "./copy-sql.ts";
import { copyStep, prepareStep, toPartsStep, watchStep } from "./copy-steps.ts";
import { agreesStep, returningKeys, wideKeyGate, wideKeyStep } from "./key-steps.ts";
import { provisionSql, schemeFunctions, unprovisionSql } from "./prepare-sql.ts";
import { settleSteps, swapStep } from "./swap-steps.ts";
import { membersSql } from "./tree-sql.ts";

const NOTHING = { kind: "nothing" } as const;
const NOT_YET = { sql: "SELECT 'absent' AS state" } as const;

/** The plan of `convertToPartitioned` that copies. */
export function copyPlan<S extends Scheme>(options: CopyToPartitionedOptions<S>): Plan {
  const conversion = conversionOf(options);
  const { schema, table, names } = conversion;
  const lock = (name: string, mode: Lock["mode"]): Lock => ({ schema, name, mode });
  const reads: readonly RowAccess[] = [{ schema, name: table.name, access: "read" }];
  const functions = schemeFunctions(conversion, options.facts);
  const steps: readonly Step[] = [
    isUsedByNobody(conversion, {
      views: [...conversion.views, ...conversion.materialized.map(({ view }) => view)].map((each) =>
        qualified(each.schema, each.name),
      ),
      policies: conversion.lookers.map((p) => `${qualified(p.schema, p.table)} ${p.name}`),
      keys: conversion.incoming.map(
        ({ constraint: c }) => `${qualified(c.schema, c.table)} ${c.name}`,
      ),
      primaryKeyChanges: conversion.shapes.some(
        ({ index, becomes }) => index.primary && becomes !== "same",
      ),
    }),
    ...conversion.incoming.flatMap((key) => agreesStep(conversion, key)),
    ...returningKeys(conversion),
    ...wideKeyStep(conversion),
    prepareStep(conversion),
    watchStep(conversion),
    {
      kind: "sql",
      id: "provision",
      title: "Make the partitions of all values that rows have, and of the intervals to come",
      sql: provisionSql(conversion, options.values ?? []),
      locks: [lock(table.name, "accessShare")],
      rows: reads,
      transaction: "outside",
      probe: NOT_YET,
      undo: {
        kind: "statement",
        sql: unprovisionSql(conversion),
        locks: [],
        transaction: "outside",
        probe: NOT_YET,
      },
    },
    copyStep(conversion, options),
    toPartsStep(conversion, "catch-up"),
    ...wideKeyGate(conversion),
    ...(functions.length === 0
      ? []
      : [
          {
            kind: "sql",
            id: "functions",
            title: `Make the functions that make partitions of ${table.name}`,
            sql: functions.map(({ create }) => create).join(";\n"),
            locks: [],
            transaction: "commitAfter",
            undo: {
              kind: "statement",
              sql: functions.flatMap(({ drop }) => drop ?? []).join(";\n"),
              locks: [],
              transaction: "inside",
            },
          } as const,
        ]),
    {
      kind: "sql",
      id: "watch-back",
      title: `Make ready to log what changes in ${names.beside} once it is ${table.name}`,
      sql: [
        `CREATE TRIGGER ${ident(names.trigger)} AFTER INSERT OR UPDATE OR DELETE ON ${qualified(schema, names.beside)} FOR EACH ROW EXECUTE FUNCTION ${qualified(schema, names.watchBack)}()`,
        ...["", "_truncate"].map(
          (each) =>
            `ALTER TABLE ${qualified(schema, names.beside)} ENABLE ALWAYS TRIGGER ${ident(`${names.trigger}${each}`)}`,
        ),
      ].join(";\n"),
      locks: [{ ...lock(names.beside, "shareRowExclusive"), partitions: true }],
      transaction: "commitAfter",
      undo: NOTHING,
    },
    {
      kind: "sql",
      id: "analyze",
      title: `Read the statistics of ${names.beside} before it is queried`,
      sql: analyzeSql(conversion, membersSql(schema, names.beside, "leaves")),
      locks: [],
      transaction: "outside",
      probe: NOT_YET,
      undo: NOTHING,
    },
    toPartsStep(conversion, "catch-up-again"),
    {
      kind: "check",
      id: "proof",
      title: `${table.name} and ${names.beside} hold the same rows in each place, but for those in the log`,
      sql: differenceSql(conversion),
      expect: "noRows",
      rows: reads,
      transaction: "commitAfter",
      undo: NOTHING,
    },
    toPartsStep(conversion, "catch-up-last"),
    swapStep(conversion),
    ...settleSteps(conversion),
  ];
  return plan(`convert-to-partitioned-${schema}-${table.name}`, steps);
}
