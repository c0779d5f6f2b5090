import type { Lock, RelationName, RowAccess, Step } from "../../plan/step.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";
import { shorten } from "../../sql/shorten.ts";
import { namesOf } from "../provision-names.ts";
import type { Drain } from "./drain.ts";
import { drainMark, type DrainLeftover } from "./drain-leftovers.ts";
import { applyLogSql, copySql, differencesSql, syncSql, type Stages } from "./drain-sql.ts";
import { dropForeignKeys } from "./leave-steps.ts";
import { closesPartitions, nameOf, type MaintenanceState } from "./read-state.ts";

/**
 * Moves rows out of a default partition while each of them is in every query once, and writers go on.
 *
 * The new partitions, and a new default for what stays, are built beside it and filled in small transactions, while a trigger logs the
 * keys that change. One short transaction then works off the rest of the log and swaps: nothing is scanned in it, since a CHECK
 * says what each partition holds and its foreign keys are validated.
 */
export function drainSteps(state: MaintenanceState, drain: Drain): readonly Step[] {
  const { from, parent, foreignKeys, intervals } = drain;
  const stages = stagesOf(state, drain);
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
      locks: [lock(parent, "accessShare"), lock(from, "shareRowExclusive")],
      creates: (tables.length + 1) * 8,
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
    ...stages.parts.flatMap(({ name }) => [
      ...foreignKeys.flatMap((key): readonly Step[] => [
        {
          kind: "sql",
          id: `${id}/key/${name}/${key.name}`,
          title: `Add the foreign key ${key.name} to ${name} without a look at its rows`,
          sql: `ALTER TABLE ${qualified(from.schema, name)} ADD CONSTRAINT ${ident(key.name)} ${key.definition} NOT VALID`,
          locks: [
            lock({ schema: from.schema, name }, "shareRowExclusive"),
            lock({ schema: key.schema, name: key.table }, "shareRowExclusive"),
          ],
          transaction: "commitAfter",
          undo: { kind: "nothing" },
        },
      ]),
    ]),
    catchUp("catch-up", "Work off the log of what changed meanwhile"),
    ...stages.parts.flatMap(({ name }) => [
      ...foreignKeys.map(
        (key): Step => ({
          kind: "sql",
          id: `${id}/validate/${name}/${key.name}`,
          title: `Validate ${key.name} of ${name}`,
          sql: `ALTER TABLE ${qualified(from.schema, name)} VALIDATE CONSTRAINT ${ident(key.name)}`,
          locks: [
            lock({ schema: from.schema, name }, "shareUpdateExclusive"),
            lock({ schema: key.schema, name: key.table }, "rowShare"),
          ],
          rows: [
            { schema: from.schema, name, access: "read" },
            { schema: key.schema, name: key.table, access: "read" },
          ],
          transaction: "commitAfter",
          undo: { kind: "nothing" },
        }),
      ),
      analyzeStep(`${id}/analyze/${name}`, { schema: from.schema, name }),
    ]),
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
        lock(parent, "accessExclusive"),
        lock(from, "accessExclusive"),
        ...relations.map((relation) => lock(relation, "accessExclusive")),
        lock({ schema: from.schema, name: stages.log }, "rowExclusive"),
        ...foreignKeys.map((key) =>
          lock({ schema: key.schema, name: key.table }, "accessExclusive"),
        ),
      ],
      rows,
      creates: foreignKeys.length * 4,
      transaction: "commitAfter",
      undo: { kind: "irreversible", reason: "the rows are where they belong" },
    },
    ...leftoverSteps({
      ...old,
      isLog: false,
      foreignKeys: foreignKeys.map(({ name, schema, table }) => ({ name, schema, table })),
    }),
    ...leftoverSteps({ schema: from.schema, name: stages.log, isLog: true, foreignKeys: [] }),
    {
      kind: "sql",
      id: `${id}/names`,
      title: `Name the indexes of the new ${from.name} after it`,
      sql: renameIndexesSql(drain, stages),
      locks: [lock(from, "accessShare")],
      transaction: "commitAfter",
      undo: { kind: "nothing" },
    },
    analyzeStep(`${id}/analyze`, from),
  ];
}

function analyzeStep(id: string, relation: RelationName): Step {
  return {
    kind: "sql",
    id,
    title: `Read the statistics of ${relation.name}`,
    sql: `ANALYZE ${nameOf(relation)}`,
    locks: [lock(relation, "shareUpdateExclusive")],
    transaction: "commitAfter",
    undo: { kind: "nothing" },
  };
}

/** Takes away what a drain left: its log with the trigger, copies that were never attached, or the old partition after the swap. */
export function leftoverSteps({
  schema,
  name,
  isLog,
  foreignKeys,
}: DrainLeftover): readonly Step[] {
  const id = `drained/${schema}.${name}`;
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
      locks: [lock({ schema, name }, "accessExclusive")],
      transaction: "commitAfter",
      undo: { kind: "irreversible", reason: "it holds nothing that is not elsewhere" },
    },
  ];
}

function syncName(log: string): string {
  return shorten(`${log}_sync`);
}

function stagesOf(state: MaintenanceState, drain: Drain): Stages {
  const { from, column, columns, key, intervals } = drain;
  const log = shorten(`${from.name}_drain_log`);
  return {
    schema: from.schema,
    from: nameOf(from),
    old: shorten(`${from.name}_drained`),
    rest: shorten(`${from.name}_rest`),
    log,
    sync: syncName(log),
    columns,
    key,
    parts: intervals.map(({ name, lower, upper }) => ({
      name,
      lower,
      upper,
      condition: [
        ...(lower === "MINVALUE" ? [] : [`${ident(column)} >= ${lower}`]),
        ...(upper === "MAXVALUE" ? [] : [`${ident(column)} < ${upper}`]),
      ].join(" AND "),
    })),
    mark: drainMark(state.scheme),
  };
}

const CHECK = "underpin_drain_bound";

function prepareSql({ scheme }: MaintenanceState, drain: Drain, stages: Stages): string {
  const { parent, column, parentCondition } = drain;
  const { schema, make } = namesOf(scheme);
  const { parts, rest, mark } = stages;
  const made = [...parts.map(({ name }) => name), rest].map((name) => {
    const table = qualified(schema, name);
    // Nobody may reach it, and our own role writes to it: row security comes with the swap.
    return `SELECT ${qualified(schema, make)}(${literal(nameOf(parent))}::regclass, ${literal(name)}, 'DEFAULT', '', true);
ALTER TABLE ${table} NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY;
COMMENT ON TABLE ${table} IS ${literal(`${mark} as copy`)}`;
  });
  const checks = parts.map(
    ({ name, condition }) =>
      `ALTER TABLE ${qualified(schema, name)} ADD CONSTRAINT ${ident(CHECK)} CHECK (${[`${ident(column)} IS NOT NULL`, condition, ...(parentCondition === null ? [] : [`(${parentCondition})`])].join(" AND ")})`,
  );
  return [...made, ...checks, syncSql(stages)].join(";\n");
}

function swapSql({ scheme }: MaintenanceState, drain: Drain, stages: Stages): string {
  const { from, parent } = drain;
  const { schema, parts, rest, old, sync, mark } = stages;
  const p = nameOf(parent);
  const close = (table: string) =>
    closesPartitions(scheme)
      ? [`ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY`]
      : [];
  const attached = parts.flatMap(({ name, lower, upper }) => {
    const table = qualified(schema, name);
    return [
      ...close(table),
      `ALTER TABLE ${p} ATTACH PARTITION ${table} FOR VALUES FROM (${lower}) TO (${upper})`,
      `ALTER TABLE ${table} DROP CONSTRAINT ${ident(CHECK)}`,
      `COMMENT ON TABLE ${table} IS NULL`,
    ];
  });
  const newDefault = qualified(schema, rest);
  return [
    `LOCK TABLE ONLY ${p}, ${nameOf(from)} IN ACCESS EXCLUSIVE MODE`,
    applyLogSql(stages, false),
    `DROP FUNCTION ${qualified(schema, sync)}() CASCADE`,
    `ALTER TABLE ${p} DETACH PARTITION ${nameOf(from)}`,
    ...attached,
    ...close(newDefault),
    `ALTER TABLE ${p} ATTACH PARTITION ${newDefault} DEFAULT`,
    `COMMENT ON TABLE ${newDefault} IS NULL`,
    `ALTER TABLE ${nameOf(from)} RENAME TO ${ident(old)}`,
    `COMMENT ON TABLE ${qualified(schema, old)} IS ${literal(`${mark} as what was drained`)}`,
    `ALTER TABLE ${newDefault} RENAME TO ${ident(from.name)}`,
  ].join(";\n");
}

/** Indexes are named after their table when it is made, and keep the name. */
function renameIndexesSql({ from }: Drain, { rest }: Stages): string {
  return `DO $names$
DECLARE
  v_index record;
BEGIN
  FOR v_index IN
    SELECT i.indexrelid::regclass AS named, c.relname AS name
    FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
    WHERE i.indrelid = pg_catalog.to_regclass(${literal(nameOf(from))}) AND pg_catalog.starts_with(c.relname, ${literal(`${rest}_`)})
  LOOP
    EXECUTE pg_catalog.format('ALTER INDEX %s RENAME TO %I', v_index.named,
      ${literal(from.name)} || pg_catalog.substr(v_index.name, ${rest.length + 1}));
  END LOOP;
END
$names$`;
}

/** The log says by its comment that everything was copied, so that a killed copy begins again and a finished one does not. */
function copied({ schema, log, mark }: Stages): string {
  return `pg_catalog.obj_description(pg_catalog.to_regclass(${literal(qualified(schema, log))}), 'pg_class') = ${literal(`${mark}, copied, as log`)}`;
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
