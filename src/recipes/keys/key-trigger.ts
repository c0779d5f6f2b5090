import type { Lock, RelationName, SqlStep } from "../../plan/step.ts";
import { dollarQuoted } from "../../sql/dollar-quoted.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";
import { shorten } from "../../sql/shorten.ts";
import { isOf } from "../own-column.ts";
import { familyOf } from "../table-facts.ts";
import { uuidSql, type Conversion, type Twin } from "./conversion.ts";

/** The columns of one table that are kept alike by one function. */
export interface KeyTrigger {
  readonly table: RelationName;
  /** Not empty. */
  readonly twins: readonly Twin[];
  /**
   * Whether it fires before the application's own row triggers too: they would look at an integer that is not yet carried over. It always fires after
   * them, for what they change.
   */
  readonly isFirst: boolean;
}

/** The trigger that keeps the columns of a table and a phase alike. */
export function keyTriggerOf(
  { facts, twins: all }: Pick<Conversion, "facts" | "twins">,
  table: RelationName,
  phase: number,
): KeyTrigger {
  const family = familyOf(facts, table);
  const twins = all.filter(
    (each) =>
      each.phase === phase && each.table.schema === table.schema && each.table.name === table.name,
  );
  const isFirst = facts.triggers.some(
    (each) =>
      family.some((member) => isOf(each, member)) &&
      each.timing === "before" &&
      each.level === "row" &&
      each.events.some((event) => event !== "delete"),
  );
  return { table, twins, isFirst };
}

/** The names of a trigger and its function: row triggers fire in the order of their names. */
export function keyTriggerNames({ table, twins }: Pick<KeyTrigger, "table" | "twins">): {
  readonly first: string;
  readonly last: string;
  readonly function: string;
} {
  const of = `keys_${twins[0]?.called ?? ""}`;
  return {
    first: shorten(`!underpin_sync_${of}`),
    last: shorten(`zzz_underpin_sync_${of}`),
    function: shorten(`underpin_sync_${table.name}_${of}`),
  };
}

/** Begins to keep integers and UUIDs alike in each row that is written from now on, whichever of both is written. */
export function keyTriggerStep(conversion: Conversion, trigger: KeyTrigger): SqlStep {
  const { table, twins } = trigger;
  const names = keyTriggerNames(trigger);
  const path = qualified(table.schema, table.name);
  const called = qualified(table.schema, names.function);
  const lock = (mode: Lock["mode"]): readonly Lock[] => [{ ...table, mode, partitions: true }];
  return {
    kind: "sql",
    id: "follow",
    title: `${twins.map(({ name }) => name).join(", ")} of ${table.name} follow, and are followed`,
    sql: [
      keyFunctionSql(conversion, trigger, "CREATE"),
      `REVOKE ALL ON FUNCTION ${called}() FROM PUBLIC`,
      ...triggersOf(trigger).flatMap((name) => [
        `CREATE TRIGGER ${ident(name)} BEFORE INSERT OR UPDATE ON ${path} FOR EACH ROW EXECUTE FUNCTION ${called}(${name === names.first ? "'first'" : ""})`,
        // Also for what a subscription applies and what is restored.
        `ALTER TABLE ${path} ENABLE ALWAYS TRIGGER ${ident(name)}`,
      ]),
    ].join(";\n"),
    locks: lock("shareRowExclusive"),
    transaction: "commitAfter",
    undo: {
      kind: "statement",
      sql: dropKeyTriggerSql(trigger).join(";\n"),
      locks: lock("accessExclusive"),
      transaction: "inside",
    },
  };
}

/** Ends it: both sides are left as they are. */
export function dropKeyTriggerSql(trigger: KeyTrigger): readonly string[] {
  const { schema, name } = trigger.table;
  return [
    ...triggersOf(trigger).map(
      (made) => `DROP TRIGGER ${ident(made)} ON ${qualified(schema, name)}`,
    ),
    `DROP FUNCTION ${qualified(schema, keyTriggerNames(trigger).function)}()`,
  ];
}

function triggersOf(trigger: KeyTrigger): readonly string[] {
  const { first, last } = keyTriggerNames(trigger);
  return trigger.isFirst ? [first, last] : [last];
}

/**
 * The function of the trigger.
 *
 * It runs with the rights of the migration's login, for the mapping alone: it writes no other row, and reads no table that row security
 * could hide. So a key is found also where the row that it means does not yet exist (a deferred foreign key) or is not yet seen
 * (REPEATABLE READ).
 */
export function keyFunctionSql(
  conversion: Conversion,
  trigger: KeyTrigger,
  how: "CREATE" | "CREATE OR REPLACE",
): string {
  const { table, twins } = trigger;
  const name = qualified(table.schema, keyTriggerNames(trigger).function);
  return `${how} FUNCTION ${name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS ${dollarQuoted(`
DECLARE
  v_key uuid;
  v_id bigint;
  id_written boolean;
  key_written boolean;
BEGIN
${twins.map((twin) => carrySql(conversion, twin)).join("\n")}
  RETURN NEW;
END`)}`;
}

function carrySql(conversion: Conversion, twin: Twin): string {
  const { cases } = twin;
  if (cases === undefined) return carryOneSql(conversion, twin);
  const uuid = ident(twin.name);
  const branches = cases.map(
    ({ key, when }, at) =>
      `  ${at === 0 ? "IF" : "ELSIF"} (SELECT (${when}) FROM (SELECT NEW.*) AS target) THEN
${carryOneSql(conversion, { ...twin, key })}`,
  );
  return `${branches.join("\n")}
  ELSIF TG_OP = 'UPDATE' THEN
    -- It means something else by now.
    IF NEW.${uuid} IS NOT DISTINCT FROM OLD.${uuid} THEN
      NEW.${uuid} := NULL;
    END IF;
  END IF;`;
}

function carryOneSql(conversion: Conversion, twin: Twin): string {
  const { schema } = conversion;
  const { column, name, key } = twin;
  const [id, uuid] = [`NEW.${ident(column.name)}`, `NEW.${ident(name)}`];
  const [oldId, oldUuid] = [`OLD.${ident(column.name)}`, `OLD.${ident(name)}`];
  const known = `${qualified(schema, "underpin_key_of")}(${literal(key.mapped)}, ${literal(key.namespace)}, ${id})`;
  // By chance there is none before it is asked for.
  const look =
    conversion.strategy === "random"
      ? `(SELECT m.new_id FROM ${qualified(schema, "uuid_migration_mapping")} AS m WHERE m.table_name = ${literal(key.mapped)} AND m.old_id = ${id})`
      : known;
  // What an INSERT did not name cannot be told from what it did where the column has a default: then the UUID counts.
  const told = column.default === null && column.identity === null;
  // A row that was there before, or, by cases, one that means something else by now.
  const untouched =
    twin.cases === undefined
      ? `(${uuid} IS NULL AND ${oldUuid} IS NULL)`
      : `${uuid} IS NOT DISTINCT FROM ${oldUuid}`;
  return `  IF TG_OP = 'INSERT' THEN
    id_written := ${told ? `${id} IS NOT NULL` : `${uuid} IS NULL`};
    key_written := ${uuid} IS NOT NULL;
  ELSE
    id_written := ${id} IS DISTINCT FROM ${oldId} OR ${untouched};
    key_written := ${uuid} IS DISTINCT FROM ${oldUuid};
  END IF;
  -- What fires first only carries what new versions write: the application's own triggers may change an integer yet.
  IF key_written OR (id_written AND TG_NARGS = 0) THEN
    v_key := ${look};
    IF v_key IS NULL AND NOT key_written AND ${id} IS NOT NULL THEN
      ${uuid} := ${uuidSql(conversion, key, id)};
    ELSIF ${uuid} IS DISTINCT FROM v_key THEN
      IF NOT key_written THEN
        ${uuid} := v_key;
      ELSE
${twin.isRoot ? ownSql(conversion, twin) : otherSql(conversion, twin)}
      END IF;
    END IF;
  END IF;`;
}

/** Which integer a UUID has, as the mapping or the UUID itself says. */
function idSql({ schema }: Conversion, { key, name }: Twin): string {
  return `${qualified(schema, "underpin_id_of_key")}(${literal(key.mapped)}, ${literal(key.namespace)}, NEW.${ident(name)})`;
}

/** A row gives itself a UUID: it is remembered, unless it was known before the row was. */
function ownSql(conversion: Conversion, twin: Twin): string {
  const { schema } = conversion;
  const { column, name, key, table } = twin;
  const [id, uuid] = [`NEW.${ident(column.name)}`, `NEW.${ident(name)}`];
  const remember = `PERFORM ${qualified(schema, "underpin_remember_key")}(${literal(key.mapped)}, ${id}, ${uuid});`;
  // An integer that was brought along may be another row's, which ON CONFLICT DO NOTHING would leave as it is: one is drawn anew.
  const draw = key.alwaysDrawn || key.next === null ? "" : `${id} := ${key.next};\n            `;
  const unknown =
    key.next === null
      ? raise(
          "foreign_key_violation",
          `the UUID of a row of ${table.name} is not that of its ${column.name}`,
          `Leave ${name} out: it is derived from ${column.name}, which the application assigns.`,
        )
      : `${draw}${remember}`;
  return `        v_id := ${idSql(conversion, twin)};
        IF v_id IS NULL THEN
          IF TG_OP = 'INSERT' THEN
            ${unknown}
          ELSE
            ${remember}
          END IF;
        ELSIF id_written AND ${id} <> v_id THEN
          ${conflict(twin)}
        ELSE
          ${id} := v_id;
        END IF;`;
}

/** A row refers to a UUID: to one that is known, or to one that is yet to come, for which an integer is put aside. */
function otherSql(conversion: Conversion, twin: Twin): string {
  const { schema } = conversion;
  const { column, name, key } = twin;
  const [id, uuid] = [`NEW.${ident(column.name)}`, `NEW.${ident(name)}`];
  const unknown =
    key.next === null
      ? raise(
          "foreign_key_violation",
          `the ${name} of a row of ${twin.table.name} is no key of ${key.root.name}`,
          `Write the row of ${key.root.name} first.`,
        )
      : `v_id := ${qualified(schema, "underpin_reserve_key")}(${literal(key.mapped)}, ${key.next}, ${uuid});`;
  return `        v_id := ${idSql(conversion, twin)};
        WHILE v_id IS NULL AND ${uuid} IS NOT NULL LOOP
          ${unknown}
        END LOOP;
        IF id_written AND ${id} IS DISTINCT FROM v_id THEN
          ${conflict(twin)}
        ELSE
          ${id} := v_id;
        END IF;`;
}

function conflict({ table, column, name }: Twin): string {
  return raise(
    "integrity_constraint_violation",
    `one statement wrote ${column.name} and ${name} of ${table.name}, and not alike`,
    "Write one of both: the other follows.",
  );
}

function raise(condition: string, message: string, hint: string): string {
  return `RAISE EXCEPTION USING ERRCODE = ${literal(condition)}, MESSAGE = ${literal(message)}, HINT = ${literal(hint)};`;
}
