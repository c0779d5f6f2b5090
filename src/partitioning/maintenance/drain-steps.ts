import type { Lock, RelationName, RowAccess, Step } from "../../plan/step.ts";
import { ident, qualified } from "../../sql/quote.ts";
import type { Drain } from "./drain.ts";
import type { DrainLeftover } from "./drain-leftovers.ts";
import { applyLogSql, copySql, differencesSql } from "./drain-sql.ts";
import {
  copied,
  logName,
  prepareSql,
  renameIndexesSql,
  stagesOf,
  swapSql,
  syncName,
} from "./drain-stages.ts";
import { ancestorsOf, dropForeignKeys } from "./leave-steps.ts";
import { nameOf, type MaintenanceState } from "./read-state.ts";

/**
 * Moves rows out of a default partition while each of them is in every query once, and writers go on.
 *
 * The new partitions, and a new default for what stays, are built beside it and filled in small transactions, while a trigger logs the
 * keys that change. One short transaction then works off the rest of the log and swaps: nothing is scanned in it, since a CHECK
 * says what each partition holds and its foreign keys are validated.
 */
export function drainSteps(state: MaintenanceState, drain: Drain): readonly Step[] {
  const { from, parent, foreignKeys, intervals } = drain;
  const { indexes } = state;
  const stages = stagesOf(state, drain);
  const above = ancestorsOf(state, parent);
  const id = `drain/${from.schema}.${from.name}`;
  const tables = [...stages.parts.map(({ name }) => name), stages.rest];
  const relations = tables.map((name): RelationName => ({ schema: from.schema, name }));
  const rows: readonly RowAccess[] = [{ schema: from.schema, name: from.name, access: "read" }];
  const old = { schema: from.schema, name: stages.old };
  const count = intervals.reduce((sum, each) => sum + each.rows, 0);
  const catchUp = (step: string, title: string) =>
    outside(`${id}/${step}`, title, applyLogSql(stages, true), rows);
  return [
    {
      kind: "sql",
      id: `${id}/prepare`,
      title: `Build ${intervals.map(({ name }) => name).join(", ")} beside ${from.name}, and log what changes`,
      sql: prepareSql(state, drain, stages),
      locks: [{ ...lock(parent, "accessShare"), indexes: false }, lock(from, "shareRowExclusive")],
      creates: tables.length * (1 + indexes) + 1,
      transaction: "commitAfter",
      undo: { kind: "irreversible", reason: "the rows are where they belong" },
    },
    outside(
      `${id}/copy`,
      `Copy ${count} rows in small transactions`,
      copySql(stages),
      rows,
      copied(stages),
    ),
    // The rest too: ATTACH would look for the keys of rows that have none proven.
    ...relations.flatMap((relation) =>
      foreignKeys.map((key): Step => addKeyStep(id, relation, key)),
    ),
    catchUp("catch-up", "Work off the log of what changed meanwhile"),
    ...relations.flatMap((relation) =>
      foreignKeys.map((key): Step => validateKeyStep(id, relation, key, indexes)),
    ),
    ...stages.parts.map(({ name }) =>
      analyzeStep(`${id}/analyze/${name}`, { schema: from.schema, name }, indexes),
    ),
    {
      kind: "check",
      id: `${id}/proof`,
      title: `Every row of ${from.name} is beside it once, but for those in the log`,
      sql: differencesSql(stages),
      expect: "noRows",
      rows,
      transaction: "commitAfter",
      undo: { kind: "nothing" },
    },
    // Statistics and proof take as long as all rows do: what is logged meanwhile would be worked off under the lock of the swap.
    catchUp("catch-up-again", "Work off what was logged since, so that the swap is short"),
    {
      kind: "sql",
      id: `${id}/swap`,
      title: `Put the new partitions in the place of ${from.name}`,
      sql: swapSql(state, drain, stages),
      locks: [
        ...above.map((each): Lock => ({ ...lock(each, "accessShare"), indexes: false })),
        lock(parent, "accessExclusive"),
        lock(from, "accessExclusive"),
        ...relations.map((relation) => lock(relation, "accessExclusive")),
        lock({ schema: from.schema, name: stages.log }, "rowExclusive"),
        ...foreignKeys.map((key) =>
          lock({ schema: key.schema, name: key.table }, "accessExclusive"),
        ),
      ],
      rows,
      // It creates none: these are the indexes of what is detached and of the parent, each a lock.
      creates: 2 * indexes,
      transaction: "commitAfter",
      undo: { kind: "irreversible", reason: "the rows are where they belong" },
    },
    ...leftoverSteps("drained", {
      ...old,
      isLog: false,
      indexes,
      foreignKeys: foreignKeys.map(({ name, schema, table }) => ({ name, schema, table })),
    }),
    ...leftoverSteps("drained", {
      schema: from.schema,
      name: stages.log,
      isLog: true,
      indexes: 0,
      foreignKeys: [],
    }),
    {
      kind: "sql",
      id: `${id}/names`,
      title: `Name the indexes of the new ${from.name} after it`,
      sql: renameIndexesSql(drain, stages),
      locks: [lock(from, "shareUpdateExclusive")],
      creates: indexes,
      transaction: "commitAfter",
      undo: { kind: "nothing" },
    },
    analyzeStep(`${id}/analyze`, from, indexes),
  ];
}

function addKeyStep(id: string, relation: RelationName, key: Drain["foreignKeys"][number]): Step {
  return {
    kind: "sql",
    id: `${id}/key/${relation.name}/${key.name}`,
    title: `Add the foreign key ${key.name} to ${relation.name} without a look at its rows`,
    sql: `ALTER TABLE ${nameOf(relation)} ADD CONSTRAINT ${ident(key.name)} ${key.definition} NOT VALID`,
    locks: [
      lock(relation, "shareRowExclusive"),
      lock({ schema: key.schema, name: key.table }, "shareRowExclusive"),
    ],
    transaction: "commitAfter",
    undo: { kind: "nothing" },
  };
}

function validateKeyStep(
  id: string,
  relation: RelationName,
  key: Drain["foreignKeys"][number],
  indexes: number,
): Step {
  const { schema, name } = relation;
  return {
    kind: "sql",
    id: `${id}/validate/${name}/${key.name}`,
    title: `Validate ${key.name} of ${name}`,
    sql: `ALTER TABLE ${nameOf(relation)} VALIDATE CONSTRAINT ${ident(key.name)}`,
    locks: [
      lock(relation, "shareUpdateExclusive"),
      lock({ schema: key.schema, name: key.table }, "rowShare"),
    ],
    // It makes none: these are the indexes that it opens.
    creates: indexes,
    rows: [
      { schema, name, access: "read" },
      { schema: key.schema, name: key.table, access: "read" },
    ],
    transaction: "commitAfter",
    undo: { kind: "nothing" },
  };
}

function analyzeStep(id: string, relation: RelationName, indexes: number): Step {
  return {
    kind: "sql",
    id,
    title: `Read the statistics of ${relation.name}`,
    sql: `ANALYZE ${nameOf(relation)}`,
    locks: [lock(relation, "shareUpdateExclusive")],
    // It makes none: these are the indexes that it opens.
    creates: indexes,
    transaction: "commitAfter",
    undo: { kind: "nothing" },
  };
}

/** Takes away what interrupted drains left: their next begins anew. The trigger of a log is on the default partition still. */
export function interruptedSteps({ leftovers, partitions }: MaintenanceState): readonly Step[] {
  return leftovers.flatMap((left) =>
    leftoverSteps(
      "interrupted",
      left,
      partitions.filter(
        ({ schema, name, bound }) =>
          left.isLog &&
          schema === left.schema &&
          bound?.strategy === "default" &&
          logName(name) === left.name,
      ),
    ),
  );
}

/** Takes away what a drain left: its log with the trigger, copies that were never attached, or the old partition after the swap. */
function leftoverSteps(
  prefix: string,
  { schema, name, isLog, foreignKeys, indexes }: DrainLeftover,
  logged: readonly RelationName[] = [],
): readonly Step[] {
  const id = `${prefix}/${schema}.${name}`;
  const table = qualified(schema, name);
  return [
    ...dropForeignKeys(id, { schema, name }, foreignKeys),
    {
      kind: "sql",
      id: `${id}/drop`,
      title: isLog ? `Drop the log ${name} and its trigger` : `Drop ${name}: its rows have moved`,
      sql: isLog
        ? `DROP FUNCTION IF EXISTS ${qualified(schema, syncName(name))}() CASCADE; DROP TABLE IF EXISTS ${table}`
        : `DROP TABLE IF EXISTS ${table}`,
      locks: [{ schema, name }, ...logged].map((each) => lock(each, "accessExclusive")),
      // It creates none: these are the indexes that are dropped, each a lock.
      creates: indexes,
      transaction: "commitAfter",
      undo: { kind: "irreversible", reason: "it holds nothing that is not elsewhere" },
    },
  ];
}

function outside(
  id: string,
  title: string,
  sql: string,
  rows: readonly RowAccess[],
  done = "false",
): Step {
  return {
    kind: "sql",
    id,
    title,
    sql,
    locks: [],
    rows,
    transaction: "outside",
    probe: { sql: `SELECT CASE WHEN ${done} THEN 'done' ELSE 'absent' END AS state` },
    undo: { kind: "nothing" },
  };
}

function lock({ schema, name }: RelationName, mode: Lock["mode"]): Lock {
  return { schema, name, mode };
}
