import type { Scheme } from "../../definition/scheme.ts";
import { plan } from "../../plan/plan.ts";
import type { BackfillStep, Lock, Plan, RowAccess, Step, Undo } from "../../plan/step.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";
import { lockTwinsSql } from "../flat/twin-beside.ts";
import { unwatchSql, watchSql } from "../flat/twin-log.ts";
import { ownTriggers } from "../flat/twin-swap.ts";
import { besideName, parkedName } from "../flat/twins.ts";
import { isUsedByNobody } from "../flat/used-by-nobody.ts";
import { closesPartitions } from "../maintenance/read-state.ts";
import type { Conversion } from "./conversion.ts";
import { conversionOf } from "./conversion-of.ts";
import type { CopyToPartitionedOptions } from "./copy-options.ts";
import { analyzeSql, copyBatchSql, differenceSql, toPartsSql } from "./copy-sql.ts";
import {
  prepareSql,
  provisionSql,
  schemeFunctions,
  unprepareSql,
  unprovisionSql,
} from "./prepare-sql.ts";
import {
  backSql,
  besideTables,
  closePartsSql,
  proveKeysSql,
  swapSql,
  unswapSql,
} from "./swap-sql.ts";
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
      views: conversion.views.map((each) => qualified(each.schema, each.name)),
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

/** Rows that refer by more columns than before have to agree in them, or the new key could not be proved once the other is gone. */
function agreesStep(
  { schema, table, key }: Conversion,
  incoming: Conversion["incoming"][number],
): readonly Step[] {
  const { constraint, becomes } = incoming;
  if (becomes === null || becomes.definition === constraint.definition) return [];
  const on = becomes.columns.map(
    (column, at) => `o.${ident(key[at]?.name ?? "")} = c.${ident(column)}`,
  );
  const filled = becomes.columns.map((column) => `c.${ident(column)} IS NOT NULL`);
  const from = { schema: constraint.schema, name: constraint.table };
  return [
    {
      kind: "check",
      id: `agrees/${constraint.table}/${constraint.name}`,
      title: `Each row of ${constraint.table} has the values of the row that ${constraint.name} refers to`,
      sql: `SELECT ${becomes.columns.map((column) => `c.${ident(column)}`).join(", ")}, 'refers to a row with other values' AS reason
FROM ${qualified(from.schema, from.name)} AS c
WHERE ${filled.join(" AND ")} AND NOT EXISTS (SELECT FROM ${qualified(schema, table.name)} AS o WHERE ${on.join(" AND ")}) LIMIT 20`,
      expect: "noRows",
      rows: [
        { ...from, access: "read" },
        { schema, name: table.name, access: "read" },
      ],
      transaction: "commitAfter",
      undo: NOTHING,
    },
  ];
}

/** A query of a table with policies locks what those look into. */
function consultedLocks({ consulted }: Conversion): readonly Lock[] {
  return consulted.map((each): Lock => ({ ...each, mode: "accessShare", indexes: false }));
}

/** Foreign keys that are dropped in the swap and come back with its undo are proved again as the last of it. */
function returningKeys(conversion: Conversion): readonly Step[] {
  const { schema, table, outgoing, incoming } = conversion;
  const keys = [
    ...outgoing.map(({ name, to }) => ({
      relation: { schema, name: table.name },
      name,
      to: { schema: to.schema, name: to.name },
    })),
    ...incoming.map(({ constraint }) => ({
      relation: { schema: constraint.schema, name: constraint.table },
      name: constraint.name,
      to: { schema, name: table.name },
    })),
  ];
  return keys.map(({ relation, name, to }): Step => {
    const path = qualified(relation.schema, relation.name);
    return {
      kind: "check",
      id: `key/${relation.name}/${name}`,
      title: `${name} of ${relation.name} is there and proved`,
      sql: `SELECT ${literal(name)} AS "foreign key", 'is not there, or not proved' AS reason WHERE NOT EXISTS (
  SELECT FROM pg_catalog.pg_constraint AS k WHERE k.conrelid = ${literal(path)}::regclass AND k.conname = ${literal(name)} AND k.contype = 'f' AND k.convalidated)`,
      expect: "noRows",
      transaction: "commitAfter",
      undo: {
        kind: "statement",
        sql: `ALTER TABLE ${path} VALIDATE CONSTRAINT ${ident(name)}`,
        locks: [
          { ...relation, mode: "shareUpdateExclusive" },
          { ...relation, mode: "accessShare" },
          { ...to, mode: "rowShare" },
          ...consultedLocks(conversion),
        ],
        rows: [
          { ...relation, access: "read" },
          { ...to, access: "read" },
        ],
        transaction: "commitAfter",
      },
    };
  });
}

function prepareStep(conversion: Conversion): Step {
  const { schema, table, names, indexes, sequences } = conversion;
  const lock = (name: string, mode: Lock["mode"]): Lock => ({ schema, name, mode });
  const identities = sequences.filter(({ ownedBy }) => ownedBy?.as === "identity");
  const loosened = conversion.loosened.map((each) => `; ${each}`).join("");
  return {
    kind: "sql",
    id: "prepare",
    title: `Make ${names.beside} beside ${table.name}, empty and closed${loosened}`,
    sql: prepareSql(conversion),
    locks: [
      { ...lock(table.name, "accessShare"), indexes: false },
      ...sequences.flatMap(({ name, ownedBy }) =>
        ownedBy?.as === "serial" ? [lock(name, "accessShare")] : [],
      ),
    ],
    creates: 3 + indexes.length + identities.length,
    transaction: "commitAfter",
    undo: {
      kind: "statement",
      sql: unprepareSql(conversion),
      locks: [
        lock(names.beside, "accessExclusive"),
        lock(names.log, "accessExclusive"),
        ...identities.map(({ name }) => lock(besideName(conversion, name), "accessExclusive")),
      ],
      // The indexes that are dropped, each a lock.
      creates: indexes.length + 1,
      transaction: "inside",
    },
  };
}

function watchStep(conversion: Conversion): Step {
  const { schema, table, names } = conversion;
  const lock = (mode: Lock["mode"]): Lock => ({ schema, name: table.name, mode });
  return {
    kind: "sql",
    id: "watch",
    title: `Log what changes in ${table.name}`,
    sql: [
      lockTwinsSql(schema, [table.name], "SHARE ROW EXCLUSIVE"),
      watchSql(conversion, table.name, names.watch),
    ].join(";\n"),
    locks: [lock("shareRowExclusive")],
    transaction: "commitAfter",
    undo: {
      kind: "statement",
      sql: [
        lockTwinsSql(schema, [table.name], "ACCESS EXCLUSIVE"),
        unwatchSql(conversion, table.name),
      ].join(";\n"),
      locks: [lock("accessExclusive")],
      transaction: "commitAfter",
    },
  };
}

function copyStep(
  conversion: Conversion,
  options: Pick<CopyToPartitionedOptions, "workers" | "batchSize" | "targetMs">,
): BackfillStep {
  const { schema, table, names, copyKey } = conversion;
  const { workers = 2, batchSize = 5_000, targetMs = 1_000 } = options;
  return {
    kind: "backfill",
    id: "copy",
    title: `Copy the rows of ${table.name} in batches`,
    table: { schema, name: table.name },
    key: copyKey,
    sql: copyBatchSql(conversion),
    lockRows: false,
    where: "true",
    batchSize,
    targetMs,
    pauseMs: 0,
    workers,
    rows: [{ schema, name: names.log, access: "read" }],
    undo: NOTHING,
  };
}

function toPartsStep(conversion: Conversion, id: string): Step {
  const { schema, table, names } = conversion;
  return {
    kind: "sql",
    id,
    title: "Copy again what changed meanwhile, and make the partitions that it needs",
    sql: toPartsSql(conversion, true),
    locks: [
      { schema, name: table.name, mode: "accessShare" },
      { schema, name: names.beside, mode: "rowExclusive" },
    ],
    rows: [{ schema, name: table.name, access: "read" }],
    transaction: "outside",
    probe: NOT_YET,
    undo: NOTHING,
  };
}

function writesBack({ schema, names }: Conversion): readonly RowAccess[] {
  return [
    { schema, name: names.parked, access: "delete" },
    { schema, name: names.parked, access: "insert" },
  ];
}

function swapStep(conversion: Conversion): Step {
  const { schema, table, names, indexes } = conversion;
  const lock = (name: string, mode: Lock["mode"]): Lock => ({ schema, name, mode });
  const reads: readonly RowAccess[] = [{ schema, name: table.name, access: "read" }];
  const keys = conversion.outgoing.length > 0;
  const triggers = ownTriggers(conversion).some(({ level }) => level === "row");
  const both = (
    plain: string,
    parts: string,
    onParts: Lock["mode"],
    otherName: (name: string) => string,
  ) => ({
    locks: [
      lock(plain, "accessExclusive"),
      lock(parts, "accessExclusive"),
      ...(keys || triggers ? [{ ...lock(parts, onParts), partitions: true } as const] : []),
      lock(names.log, "rowExclusive"),
      ...besideTables(conversion).map((each): Lock => ({ ...each, mode: "accessExclusive" })),
      ...conversion.views.map(
        (view): Lock => ({ schema: view.schema, name: view.name, mode: "accessExclusive" }),
      ),
      ...consultedLocks(conversion),
      ...conversion.sequences.flatMap(({ name, ownedBy }) =>
        ownedBy?.as === "identity"
          ? [lock(name, "accessExclusive"), lock(otherName(name), "accessExclusive")]
          : [lock(name, "shareRowExclusive")],
      ),
      ...indexes.map(({ name }) => lock(name, "shareUpdateExclusive")),
    ],
    creates: indexes.length,
  });
  const undo: Undo = {
    kind: "statement",
    sql: unswapSql(conversion),
    ...both(names.parked, table.name, "accessExclusive", (name) => parkedName(conversion, name)),
    rows: [...reads, ...writesBack(conversion)],
    transaction: "commitAfter",
  };
  return {
    kind: "sql",
    id: "swap",
    title: `Give ${names.beside} the name ${table.name}, with all that goes with it`,
    sql: swapSql(conversion),
    ...both(table.name, names.beside, "shareRowExclusive", (name) => besideName(conversion, name)),
    rows: reads,
    transaction: "commitAfter",
    phase: "swapped",
    undo,
  };
}

/** After the swap: what has to be proved of the partitioned table, and in the end what closes its partitions. */
function settleSteps(conversion: Conversion): readonly Step[] {
  const { schema, table, names, scheme, outgoing, incoming } = conversion;
  const root = { schema, name: table.name };
  const prove: readonly Step[] =
    outgoing.length === 0
      ? []
      : [
          {
            kind: "sql",
            id: "prove-keys",
            title: `Prove the foreign keys of ${table.name} while reads and writes go on, and at the end for a moment without those of ${outgoing.map(({ to }) => to.name).join(", ")}`,
            sql: proveKeysSql(conversion),
            locks: [
              { ...root, mode: "shareRowExclusive" },
              ...outgoing.map(({ to }): Lock => ({ ...to, mode: "shareRowExclusive" })),
            ],
            rows: outgoing.map(({ to }): RowAccess => ({ ...to, access: "read" })),
            transaction: "outside",
            probe: NOT_YET,
            undo: NOTHING,
          },
        ];
  const proveIncoming = incoming.flatMap(({ constraint, becomes }): readonly Step[] => {
    if (becomes === null) return [];
    const from = { schema: constraint.schema, name: constraint.table };
    return [
      {
        kind: "sql",
        id: `prove/${constraint.table}/${constraint.name}`,
        title: `Prove ${constraint.name} of ${constraint.table} while reads and writes go on`,
        sql: `ALTER TABLE ${qualified(from.schema, from.name)} VALIDATE CONSTRAINT ${ident(constraint.name)}`,
        locks: [
          { ...from, mode: "shareUpdateExclusive" },
          { ...from, mode: "accessShare" },
          { ...root, mode: "rowShare" },
          { ...root, mode: "accessShare", partitions: true },
          ...consultedLocks(conversion),
        ],
        rows: [
          { ...from, access: "read" },
          { ...root, access: "read" },
        ],
        transaction: "commitAfter",
        undo: NOTHING,
      },
    ];
  });
  const last: Step = {
    kind: "sql",
    id: "close",
    title: closesPartitions(scheme)
      ? `Close the partitions of ${table.name}: their rows are reached through it`
      : `${table.name} is partitioned`,
    sql: closesPartitions(scheme) ? closePartsSql(conversion) : "SELECT",
    locks: [],
    transaction: "outside",
    probe: NOT_YET,
    undo: {
      kind: "statement",
      sql: backSql(conversion, true),
      locks: [
        { ...root, mode: "accessShare" },
        { schema, name: names.parked, mode: "rowExclusive" },
      ],
      rows: [{ ...root, access: "read" }, ...writesBack(conversion)],
      transaction: "outside",
      probe: NOT_YET,
    },
  };
  return [...prove, ...proveIncoming, last];
}
