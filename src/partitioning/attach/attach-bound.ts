import { partitionSql } from "../../definition/emit/table.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";
import { shorten } from "../../sql/shorten.ts";
import { scaleOf } from "../range-scale.ts";
import { notedType } from "./attach-note.ts";
import type { Attach } from "./attach-of.ts";
import { lockSql, PRINTED } from "./attach-sql.ts";

/** What the function of the CHECK says of every row until the swap. */
export function openBoundSql(attach: Attach): string {
  const { schema, table, names, column } = attach;
  const bound = qualified(schema, names.bound);
  return [
    `${boundHeadSql(attach)} RETURN true`,
    `ALTER FUNCTION ${bound}(${column.type}) OWNER TO ${ident(table.owner)}`,
    // Whoever writes evaluates it, whatever default privileges are.
    `GRANT EXECUTE ON FUNCTION ${bound}(${column.type}) TO PUBLIC`,
    lockSql(schema, [table.name], "ACCESS EXCLUSIVE"),
    `ALTER TABLE ${qualified(schema, table.name)} ADD CONSTRAINT ${ident(names.bound)} CHECK (${bound}(${ident(column.name)})) NOT VALID`,
  ].join(";\n");
}

/** A body that PostgreSQL reads when it is made, and puts in the place of the call: so that ATTACH sees through it. */
export function boundHeadSql({ schema, names, column }: Attach): string {
  return `CREATE OR REPLACE FUNCTION ${qualified(schema, names.bound)}(${ident(column.name)} ${column.type}) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE`;
}

/** Takes {@link openBoundSql} back. */
export function unboundSql({ schema, names, column }: Attach, table: string): string {
  return [
    `ALTER TABLE ${qualified(schema, table)} DROP CONSTRAINT IF EXISTS ${ident(names.bound)}`,
    `DROP FUNCTION IF EXISTS ${qualified(schema, names.bound)}(${column.type})`,
  ].join(";\n");
}

/** PL/pgSQL that puts the bound of the noted values into `v_bound`. */
export function boundOfSql(attach: Attach): string {
  const { schema, names, column, dimension, scheme } = attach;
  const values = qualified(schema, names.values);
  if (dimension.strategy === "list")
    return `  SELECT pg_catalog.string_agg(pg_catalog.format('%L', v.value), ', ' ORDER BY v.value) INTO v_bound
  FROM (SELECT DISTINCT v.value FROM ${values} AS v) AS v;
  -- An empty table: its partition takes no value that a row may have.
  v_bound := pg_catalog.format('FOR VALUES IN (%s)', coalesce(v_bound, 'NULL'));`;
  const { write, isFinite, type } = scaleOf(scheme, dimension);
  return `  SELECT coalesce(pg_catalog.max(v.value), ${type === "numeric" ? "0" : "pg_catalog.now()"}) INTO v_until FROM ${values} AS v;
  IF NOT ${isFinite("v_until")} THEN
    RAISE EXCEPTION ${literal(`there are rows of which ${column.name} is infinity: no range ends after them`)}
      USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Change those rows, or take the strategy copy.';
  END IF;
  v_bound := pg_catalog.format('FOR VALUES FROM (MINVALUE) TO (%s)', ${write("v_until")});`;
}

/** The variables of {@link boundOfSql}. */
export function boundVariables(attach: Attach): string {
  return `  v_bound text;${attach.dimension.strategy === "list" ? "" : `\n  v_until ${notedType(attach)};`}`;
}

/** PL/pgSQL that puts into `v_means` what `v_bound` means for a row, in PostgreSQL's own words: only such it knows again, whatever the type. */
export function meaningSql({ schema, names, dimension }: Attach): string {
  const part = qualified(schema, shorten(`${names.cut}_1`));
  const cut = literal(` ${partitionSql(dimension)}`);
  return `  EXECUTE ${literal(`CREATE TABLE ${part} PARTITION OF ${qualified(schema, names.cut)} `)} || v_bound || ${cut};
  v_means := pg_catalog.pg_get_partition_constraintdef(${literal(part)}::regclass);
  DROP TABLE ${part};`;
}

/**
 * Tries on tables without rows whether ATTACH will know the bound again: a bound has room for some hundred values (8 kB in all), and of varchar
 * PostgreSQL sees no more than a hundred through. Otherwise the swap would read every row while everybody waits.
 */
export function fitsSql(attach: Attach): string {
  const { schema, names, column } = attach;
  const own = ident(column.name);
  const cut = qualified(schema, names.cut);
  const part = qualified(schema, shorten(`${names.cut}_2`));
  const trial = qualified(schema, shorten(`${names.bound}_trial`));
  return `${PRINTED};
DO ${literal(`
DECLARE
${boundVariables(attach)}
  v_means text;
  v_scans bigint;
BEGIN
${boundOfSql(attach)}
  BEGIN
${meaningSql(attach)}
    EXECUTE ${literal(`CREATE FUNCTION ${trial}(${own} ${column.type}) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN `)} || v_means;
    CREATE TABLE ${part} (LIKE ${cut}, CHECK (${trial}(${own})));
    EXECUTE ${literal(`ALTER TABLE ${cut} ATTACH PARTITION ${part} `)} || v_bound;
    v_scans := pg_catalog.pg_stat_get_xact_numscans(${literal(part)}::regclass);
    -- Nothing of it stays.
    RAISE EXCEPTION USING ERRCODE = 'UP001';
  EXCEPTION
    WHEN SQLSTATE 'UP001' THEN
      NULL;
    WHEN program_limit_exceeded THEN
      v_scans := NULL;
  END;
  IF v_scans IS NULL OR v_scans > 0 THEN
    RAISE EXCEPTION ${literal(`${column.name} has too many values for one partition: PostgreSQL has room for some hundred (8 kB) in a bound, and sees through 100 of varchar`)}
      USING ERRCODE = 'program_limit_exceeded', HINT = 'Undo this run, and take the strategy copy; or partition by a range first.';
  END IF;
END`)}`;
}
