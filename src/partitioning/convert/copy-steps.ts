import type { BackfillStep, Lock, Step } from "../../plan/step.ts";
import { lockTwinsSql } from "../flat/twin-beside.ts";
import { unwatchSql, watchSql } from "../flat/twin-log.ts";
import { besideName } from "../flat/twins.ts";
import type { Conversion } from "./conversion.ts";
import type { CopyToPartitionedOptions } from "./copy-options.ts";
import { copyBatchSql, toPartsSql } from "./copy-sql.ts";
import { prepareSql, unprepareSql } from "./prepare-sql.ts";

const NOTHING = { kind: "nothing" } as const;
const NOT_YET = { sql: "SELECT 'absent' AS state" } as const;

/** Makes what stands beside the table, empty. */
export function prepareStep(conversion: Conversion): Step {
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

/** Logs what changes in the table from now on. */
export function watchStep(conversion: Conversion): Step {
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

/** Copies the rows. */
export function copyStep(
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

/** Works off the log. */
export function toPartsStep(conversion: Conversion, id: string): Step {
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
