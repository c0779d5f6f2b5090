import { ident, literal, qualified } from "../../sql/quote.ts";
import { shorten } from "../../sql/shorten.ts";
import { namesOf } from "../provision-names.ts";
import { lockAboveSql } from "../reshape-sql.ts";
import type { Drain } from "./drain.ts";
import { drainMark } from "./drain-leftovers.ts";
import { applyLogSql, syncSql, type Stages } from "./drain-sql.ts";
import { ancestorsOf } from "./leave-steps.ts";
import { closesPartitions, nameOf, type MaintenanceState } from "./read-state.ts";

/** The log of what changes in a default partition while it is drained. */
export function logName(from: string): string {
  return shorten(`${from}_drain_log`);
}

/** The function that fills a log. */
export function syncName(log: string): string {
  return shorten(`${log}_sync`);
}

/** The tables of a drain, by name. */
export function stagesOf(state: MaintenanceState, drain: Drain): Stages {
  const { from, column, columns, key, intervals } = drain;
  const log = logName(from.name);
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

/** Makes the new partitions and what logs the changes, all beside the default partition. */
export function prepareSql({ scheme }: MaintenanceState, drain: Drain, stages: Stages): string {
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

/** Puts the new partitions, and a new default partition, in the place of the old. */
export function swapSql(state: MaintenanceState, drain: Drain, stages: Stages): string {
  const { scheme } = state;
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
  const above = ancestorsOf(state, parent).map(({ name }) => name);
  return [
    `${lockAboveSql(schema, above)}LOCK TABLE ONLY ${p}, ${nameOf(from)} IN ACCESS EXCLUSIVE MODE`,
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
export function renameIndexesSql({ from }: Drain, { rest }: Stages): string {
  return `DO $names$
DECLARE
  v_index record;
BEGIN
  LOCK TABLE ONLY ${nameOf(from)} IN SHARE UPDATE EXCLUSIVE MODE;
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
export function copied({ schema, log, mark }: Stages): string {
  return `pg_catalog.obj_description(pg_catalog.to_regclass(${literal(qualified(schema, log))}), 'pg_class') = ${literal(`${mark}, copied, as log`)}`;
}
