import type { RelationName, SqlStep, Step } from "../../plan/step.ts";
import { dollarQuoted } from "../../sql/dollar-quoted.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";
import { shorten } from "../../sql/shorten.ts";
import { backfillSteps } from "../backfill.ts";
import { isOf, isSame, refuse } from "../own-column.ts";
import type { BackfillPace } from "../shadow-column.ts";
import { placeOf, twinName, uuidSql, type Conversion, type JsonReference } from "./conversion.ts";

/** As the user names it. */
export interface NamedJsonReference {
  readonly table: RelationName;
  readonly column: string;
  readonly path: readonly string[];
  readonly to: RelationName;
  readonly when: string;
}

/** Finds what is meant; refused by name where it cannot be followed. */
export function jsonReferencesOf(
  { facts, twins }: Pick<Conversion, "facts" | "twins">,
  named: readonly NamedJsonReference[],
): readonly JsonReference[] {
  return named.map(({ table, column, path, to, when }) => {
    const of = `${qualified(table.schema, table.name)}.${column}`;
    const fact = facts.columns.find((each) => isOf(each, table) && each.name === column);
    const target = twins.find((each) => each.isRoot && isSame(each.table, to));
    const last = path.at(-1);
    if (fact?.type !== "jsonb" || last === undefined)
      return refuse(
        `${of} is no column of jsonb, or no path in it is named`,
        'Name both: { table, column: "payload", path: ["user_id"], to }.',
      );
    if (target === undefined)
      return refuse(
        `${of} refers to ${qualified(to.schema, to.name)}, whose key is not converted`,
        "Name that table in tables too, or leave the reference out.",
      );
    const beside = [...path.slice(0, -1), twinName(last)];
    return { table, column, path, beside, key: target.key, phase: target.phase, when };
  });
}

/** Puts the UUID beside each integer, in what is written from now on and in what was there before. */
export function jsonSteps(
  conversion: Conversion,
  phase: number,
  pace: BackfillPace,
): readonly Step[] {
  return conversion.json
    .filter((each) => each.phase === phase)
    .flatMap((reference): readonly Step[] => {
      const { table, column, beside } = reference;
      const prefix = `${placeOf(conversion, table)}/${column}.${beside.join(".")}`;
      const value = `target.${ident(column)}`;
      const id = numberSql(value, reference.path);
      const filled = backfillSteps(
        {
          facts: conversion.facts,
          ...table,
          table: table.name,
          set: `${ident(column)} = ${putSql(value, beside, `${uuidSql(conversion, reference.key, id)}::text`)}`,
          where: `(${reference.when}) AND ${id} IS NOT NULL AND ${value} #> ${arraySql(beside)} IS NULL`,
          ...pace,
        },
        table,
      );
      return [followStep(conversion, reference), ...filled].map((step) => ({
        ...step,
        id: `${prefix}/${step.id}`,
      }));
    });
}

/** Ends it: what is in the values stays. */
export function dropJsonSql(reference: JsonReference): readonly string[] {
  const { table } = reference;
  const names = namesOf(reference);
  return [
    `DROP TRIGGER ${ident(names.trigger)} ON ${qualified(table.schema, table.name)}`,
    `DROP FUNCTION ${qualified(table.schema, names.function)}()`,
  ];
}

function followStep(conversion: Conversion, reference: JsonReference): SqlStep {
  const { table, beside } = reference;
  const path = qualified(table.schema, table.name);
  const names = namesOf(reference);
  const called = qualified(table.schema, names.function);
  return {
    kind: "sql",
    id: "follow",
    title: `${beside.join(".")} in ${reference.column} of ${table.name} follows, and is followed`,
    sql: [
      `CREATE FUNCTION ${called}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS ${dollarQuoted(bodyOf(conversion, reference))}`,
      `REVOKE ALL ON FUNCTION ${called}() FROM PUBLIC`,
      `CREATE TRIGGER ${ident(names.trigger)} BEFORE INSERT OR UPDATE ON ${path} FOR EACH ROW EXECUTE FUNCTION ${called}()`,
      `ALTER TABLE ${path} ENABLE ALWAYS TRIGGER ${ident(names.trigger)}`,
    ].join(";\n"),
    locks: [{ ...table, mode: "shareRowExclusive", partitions: true }],
    transaction: "commitAfter",
    undo: {
      kind: "statement",
      sql: dropJsonSql(reference).join(";\n"),
      locks: [{ ...table, mode: "accessExclusive", partitions: true }],
      transaction: "inside",
      residue: "the UUIDs that were put into values of jsonb stay there",
    },
  };
}

/** A UUID that is written alone gets its integer where it is known; nothing is put aside for one that is not. */
function bodyOf(
  conversion: Conversion,
  { column, path, beside, key, when }: JsonReference,
): string {
  const value = `NEW.${ident(column)}`;
  const old = `OLD.${ident(column)}`;
  const known = `${qualified(conversion.schema, "underpin_id_of_key")}(${literal(key.mapped)}, ${literal(key.namespace)}, v_key)`;
  return `
DECLARE
  v_id bigint := ${numberSql(value, path)};
  v_key uuid := ${keySql(value, beside)};
  v_changed boolean := true;
BEGIN
  IF (SELECT (${when}) FROM (SELECT NEW.*) AS target) IS NOT TRUE THEN
    RETURN NEW;
  END IF;
  IF TG_OP = 'UPDATE' THEN
    IF v_id IS NOT DISTINCT FROM ${numberSql(old, path)} AND v_key IS NOT DISTINCT FROM ${keySql(old, beside)} AND (v_key IS NOT NULL OR v_id IS NULL) THEN
      RETURN NEW;
    END IF;
    v_changed := v_id IS DISTINCT FROM ${numberSql(old, path)} AND v_key IS NOT DISTINCT FROM ${keySql(old, beside)};
  ELSE
    v_changed := v_key IS NULL;
  END IF;
  IF v_id IS NOT NULL AND (v_changed OR v_key IS NULL) THEN
    ${value} := ${putSql(value, beside, `${uuidSql(conversion, key, "v_id")}::text`)};
  ELSIF v_key IS NOT NULL AND ${known} IS NOT NULL THEN
    ${value} := ${putSql(value, path, known)};
  END IF;
  RETURN NEW;
END`;
}

function namesOf({ table, column, beside }: JsonReference) {
  const of = `json_${column}_${beside.join("_")}`;
  return {
    trigger: shorten(`zzz_underpin_sync_${of}`),
    function: shorten(`underpin_sync_${table.name}_${of}`),
  };
}

function arraySql(path: readonly string[]): string {
  return `ARRAY[${path.map(literal).join(", ")}]::text[]`;
}

/** A whole number of a bigint's size, or NULL. */
function numberSql(value: string, path: readonly string[]): string {
  const text = `${value} #>> ${arraySql(path)}`;
  // In brackets: PL/pgSQL takes a bare THEN for that of its IF.
  return `(CASE WHEN ${text} ~ '^-?[0-9]{1,18}$' THEN (${text})::bigint END)`;
}

function keySql(value: string, path: readonly string[]): string {
  const text = `${value} #>> ${arraySql(path)}`;
  return `(CASE WHEN ${text} ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN (${text})::uuid END)`;
}

function putSql(value: string, path: readonly string[], what: string): string {
  return `pg_catalog.jsonb_set(${value}, ${arraySql(path)}, pg_catalog.to_jsonb(${what}))`;
}
