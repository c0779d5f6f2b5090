import { partitionSql } from "../../definition/emit/table.ts";
import type { FunctionObject } from "../../objects/pg-function.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";
import { makeBesideSql, makeLogSql } from "../flat/twin-beside.ts";
import { watchFunctionSql } from "../flat/twin-log.ts";
import { makePartition, namePartition } from "../make-partition.ts";
import { provisionFunction, surveyFunction } from "../scheme-objects.ts";
import { allCellsSql, CELL_VARIABLES, provisionCellsSql } from "./cells.ts";
import type { Conversion } from "./conversion.ts";
import type { ConvertFacts } from "./copy-options.ts";
import { shapeSql } from "./key-shapes.ts";
import { membersSql } from "./tree-sql.ts";

/** Makes the partitioned table, empty and closed, with its indexes and the functions that make its partitions, and the log of keys. */
export function prepareSql(conversion: Conversion): string {
  const { schema, names, scheme, shapes } = conversion;
  const beside = qualified(schema, names.beside);
  return [
    ...makeBesideSql(conversion, partitionSql(scheme.dimensions[0])),
    ...shapes.map((shape) => shapeSql(conversion, shape)),
    ...makeLogSql(conversion),
    // The copy asks of each row whether it is in the log.
    `CREATE INDEX ON ${qualified(schema, names.log)} (${conversion.key.map(({ name }) => ident(name)).join(", ")})`,
    watchFunctionSql(conversion, names.watchBack, false),
    // Partitions get it as they are made; that of rows comes after the copy, which it would slow.
    `CREATE TRIGGER ${ident(`${names.trigger}_truncate`)} AFTER TRUNCATE ON ${beside} FOR EACH STATEMENT EXECUTE FUNCTION ${qualified(schema, names.watchBack)}()`,
    ...asideFunctions(conversion).map(({ create }) => create),
  ].join(";\n");
}

/** Takes {@link prepareSql} back. Its partitions are gone by then. */
export function unprepareSql(conversion: Conversion): string {
  const { schema, names } = conversion;
  return [
    `DROP TABLE ${qualified(schema, names.beside)}`,
    `DROP TABLE ${qualified(schema, names.log)}`,
    ...dropFunctionsSql(conversion),
  ].join(";\n");
}

/** Drops what only the conversion needed. */
export function dropFunctionsSql(conversion: Conversion): readonly string[] {
  const { schema, names } = conversion;
  return [
    ...[names.watch, names.watchBack].map(
      (name) => `DROP FUNCTION IF EXISTS ${qualified(schema, name)}()`,
    ),
    ...asideFunctions(conversion).flatMap(({ drop }) => drop ?? []),
  ];
}

/**
 * The functions that make partitions beside the table. A foreign key is proved by a query of the partition: one whose owner is under FORCE
 * would hide its rows (15 and 18), so that they are closed at the end.
 */
function asideFunctions({ aside, options }: Conversion): readonly FunctionObject[] {
  return [
    namePartition(aside),
    makePartition(aside, { forced: false, options }),
    provisionFunction(aside),
  ];
}

/** The functions of the scheme that are not there yet. */
export function schemeFunctions(
  { scheme, schema }: Conversion,
  { functions }: Pick<ConvertFacts, "functions">,
): readonly FunctionObject[] {
  return [
    namePartition(scheme),
    makePartition(scheme),
    provisionFunction(scheme),
    surveyFunction(scheme),
  ].filter(({ name }) => !functions.some((each) => each.schema === schema && each.name === name));
}

/** Makes the partitions of all values that rows have, and of the intervals to come, each call in a transaction of its own. */
export function provisionSql(conversion: Conversion, values: readonly object[]): string {
  const { schema, table, aside } = conversion;
  const cells = allCellsSql(aside, `${qualified(schema, table.name)} AS b`, values);
  return `DO ${literal(`
DECLARE
  v_made bigint := 0;
${CELL_VARIABLES}BEGIN
${provisionCellsSql(aside, cells, { commits: true, until: "column" })}END`)}`;
}

/** Drops the partitions, at most twenty in one transaction, so that the lock table holds them. */
export function unprovisionSql({ schema, names }: Conversion): string {
  return `DO ${literal(`
DECLARE
  v_member regclass;
  v_dropped integer := 0;
BEGIN
  FOR v_member IN SELECT m.member FROM (${membersSql(schema, names.beside, "all")}) AS m LOOP
    EXECUTE pg_catalog.format('DROP TABLE %s', v_member);
    v_dropped := v_dropped + 1;
    IF v_dropped % 20 = 0 THEN
      COMMIT;
    END IF;
  END LOOP;
END`)}`;
}
