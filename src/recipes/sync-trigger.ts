import type { Lock, RelationName, SqlStep } from "../plan/step.ts";
import { columnsIn } from "../sql/column-references.ts";
import { dollarQuoted } from "../sql/dollar-quoted.ts";
import { ident, literal, qualified } from "../sql/quote.ts";
import { shorten } from "../sql/shorten.ts";

/** One column that is kept like those of the other side. */
export interface SyncedColumn {
  readonly name: string;
  /** As `format_type` prints it. */
  readonly type: string;
  /**
   * Its value, as an SQL expression over the columns of the row: `split_part(full_name, ' ', 1)`. Functions and types that are
   * not built in are written with their schema.
   */
  readonly value: string;
  /**
   * What an INSERT that does not name it puts there; null where that cannot be told, as of a sequence: its side then counts as
   * written by nobody. @default "NULL"
   */
  readonly unwritten?: string | null;
}

/** Columns of one table that are kept alike while versions of an application write either. */
export interface SyncTrigger {
  readonly table: RelationName;
  /** Tells it from other sync triggers of the table. */
  readonly name: string;
  /** Every column of the table: those that an expression names are handed to it. */
  readonly columns: readonly string[];
  readonly old: readonly SyncedColumn[];
  readonly new: readonly SyncedColumn[];
  /** `up`: the new columns follow the old. `down`: the old follow the new. `both`: whichever was written. */
  readonly direction: "up" | "down" | "both";
  /** Of `both`: the side that an INSERT which names neither is filled from. @default "old" */
  readonly leader?: "old" | "new";
  /** Of `both`: what is done when one statement writes both sides, and not alike. @default "newWins" */
  readonly onConflict?: SyncConflict;
  /** `always`: also for what a subscription applies and what is restored (`session_replication_role`). @default "always" */
  readonly fires?: "origin" | "always" | "replica";
  /** `definer`: the expressions run with the rights of the migration's login. @default "invoker" */
  readonly security?: "invoker" | "definer";
}

/** When one statement writes both sides, and not alike: the new side counts, or the statement fails (23000). */
export type SyncConflict = "newWins" | "error";

/** The trigger of a sync and the function that it calls. Row triggers fire by name: `zzz` comes after an application's own. */
export function syncNames({ table, name }: Pick<SyncTrigger, "table" | "name">): {
  readonly trigger: string;
  readonly function: string;
} {
  return {
    trigger: shorten(`zzz_underpin_sync_${name}`),
    function: shorten(`underpin_sync_${table.name}_${name}`),
  };
}

/**
 * Begins to keep both sides alike, in each row that is written from now on.
 *
 * A BEFORE row trigger writes no other row, so that it needs no right of its own and cannot call itself. COPY fires it; DELETE
 * and TRUNCATE take both sides with the row.
 */
export function createSyncStep(sync: SyncTrigger, id: string, title: string): SqlStep {
  const { table, fires = "always" } = sync;
  const names = syncNames(sync);
  const path = qualified(table.schema, table.name);
  const function_ = qualified(table.schema, names.function);
  return {
    kind: "sql",
    id,
    title,
    sql: [
      syncFunctionSql(sync, "CREATE"),
      `REVOKE ALL ON FUNCTION ${function_}() FROM PUBLIC`,
      `CREATE TRIGGER ${ident(names.trigger)} BEFORE INSERT OR UPDATE ON ${path} FOR EACH ROW EXECUTE FUNCTION ${function_}()`,
      ...(fires === "origin"
        ? []
        : [`ALTER TABLE ${path} ENABLE ${fires.toUpperCase()} TRIGGER ${ident(names.trigger)}`]),
    ].join(";\n"),
    locks: locksOn(table, "shareRowExclusive"),
    transaction: "inside",
    undo: {
      kind: "statement",
      sql: dropSyncSql(sync),
      locks: locksOn(table, "accessExclusive"),
      transaction: "inside",
    },
  };
}

/** Ends it: the sides are left as they are. */
export function dropSyncSql(sync: Pick<SyncTrigger, "table" | "name">): string {
  const { schema, name } = sync.table;
  const names = syncNames(sync);
  return `DROP TRIGGER ${ident(names.trigger)} ON ${qualified(schema, name)};\nDROP FUNCTION ${qualified(schema, names.function)}()`;
}

/**
 * What a backfill sets, and where: the new columns of rows that were there before the trigger.
 *
 * Where both sides are written, a row whose old columns follow its new ones is not turned back to what the old ones yield.
 */
export function syncBackfill({ old, new: columns, direction }: SyncTrigger): {
  readonly set: string;
  readonly where: string;
} {
  const names = (side: readonly SyncedColumn[]) =>
    side.map(({ name }) => `target.${ident(name)}`).join(", ");
  const differs = (side: readonly SyncedColumn[]) =>
    `pg_catalog.record_image_ne(ROW(${names(side)}), ROW(${side.map(({ value, type }) => `(${value})::${type}`).join(", ")}))`;
  const unfilled = `(pg_catalog.num_nonnulls(${names(columns)}) = 0 OR ${differs(old)})`;
  return {
    set: columns.map(({ name, value }) => `${ident(name)} = (${value})`).join(", "),
    where: [differs(columns), ...(direction === "both" ? [unfilled] : [])].join(" AND "),
  };
}

/**
 * The function of a sync, to be made or, when its columns change their names or its direction turns, made anew.
 *
 * What was written is told by the image of a value, not by its equality: json has none, 1.0 equals 1.00, and a citext
 * equals itself in capitals. A new value that is what the old ones yield, as a backfill writes it, is never turned back.
 */
export function syncFunctionSql(sync: SyncTrigger, how: "CREATE" | "CREATE OR REPLACE"): string {
  const { table, security = "invoker" } = sync;
  const name = qualified(table.schema, syncNames(sync).function);
  return `${how} FUNCTION ${name}() RETURNS trigger LANGUAGE plpgsql${security === "definer" ? " SECURITY DEFINER" : ""}
SET search_path = pg_catalog, pg_temp AS ${dollarQuoted(bodyOf(sync))}`;
}

function bodyOf(sync: SyncTrigger): string {
  const { direction } = sync;
  const variables = [
    ...sync.new.map(({ type }, at) => `  ${variable("up", at)} ${type};`),
    ...sync.old.map(({ type }, at) => `  ${variable("down", at)} ${type};`),
  ];
  return `
#variable_conflict use_column
DECLARE
  old_written boolean;
  new_written boolean;
${variables.join("\n")}
BEGIN
${direction === "both" ? bothWays(sync) : oneWay(sync)}
  RETURN NEW;
END`;
}

function oneWay(sync: SyncTrigger): string {
  const [from, way] =
    sync.direction === "up" ? ([sync.old, "up"] as const) : ([sync.new, "down"] as const);
  return `  IF TG_OP = 'UPDATE' THEN
    IF pg_catalog.record_image_eq(${rowOf("NEW", from)}, ${rowOf("OLD", from)}) THEN
      RETURN NEW;
    END IF;
  END IF;
${computeSql(sync, way, "  ")}
${assignSql(sync, way, "  ")}`;
}

function bothWays(sync: SyncTrigger): string {
  const { leader = "old", onConflict = "newWins" } = sync;
  const yielded = (way: "up" | "down") =>
    `ROW(${targetsOf(sync, way)
      .map((_, at) => variable(way, at))
      .join(", ")})`;
  const conflict =
    onConflict === "newWins"
      ? assignSql(sync, "down", "    ")
      : `    RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = ${literal(`one statement wrote ${listOf(sync.old)} and ${listOf(sync.new)} of ${sync.table.name}, and not alike`)}, HINT = 'Write one side only: the other follows.';`;
  return `  IF TG_OP = 'INSERT' THEN
    old_written := ${insertedOf(sync.old)};
    new_written := ${insertedOf(sync.new)};
    IF NOT old_written AND NOT new_written THEN
      ${leader}_written := true;
    END IF;
  ELSE
    old_written := pg_catalog.record_image_ne(${rowOf("NEW", sync.old)}, ${rowOf("OLD", sync.old)});
    new_written := pg_catalog.record_image_ne(${rowOf("NEW", sync.new)}, ${rowOf("OLD", sync.new)});
    IF NOT old_written AND NOT new_written THEN
      RETURN NEW;
    END IF;
  END IF;
  IF old_written OR TG_OP = 'UPDATE' THEN
${computeSql(sync, "up", "    ")}
    IF pg_catalog.record_image_eq(${rowOf("NEW", sync.new)}, ${yielded("up")}) THEN
      RETURN NEW;
    END IF;
  END IF;
  IF NOT new_written THEN
${assignSql(sync, "up", "    ")}
    RETURN NEW;
  END IF;
${computeSql(sync, "down", "  ")}
  IF old_written AND pg_catalog.record_image_ne(${rowOf("NEW", sync.old)}, ${yielded("down")}) THEN
${conflict}
  ELSE
${assignSql(sync, "down", "    ")}
  END IF;`;
}

function computeSql(sync: SyncTrigger, way: "up" | "down", indent: string): string {
  return targetsOf(sync, way)
    .map(({ value }, at) => {
      const used = columnsIn(value, sync.columns).map(
        (column) => `NEW.${ident(column)} AS ${ident(column)}`,
      );
      const row = ["SELECT", ...(used.length === 0 ? [] : [used.join(", ")])].join(" ");
      return `${indent}${variable(way, at)} := (SELECT ${value} FROM (${row}) AS target);`;
    })
    .join("\n");
}

function assignSql(sync: SyncTrigger, way: "up" | "down", indent: string): string {
  return targetsOf(sync, way)
    .map(({ name }, at) => `${indent}NEW.${ident(name)} := ${variable(way, at)};`)
    .join("\n");
}

function targetsOf(sync: SyncTrigger, way: "up" | "down"): readonly SyncedColumn[] {
  return way === "up" ? sync.new : sync.old;
}

function variable(way: "up" | "down", at: number): string {
  return `${way}_${at + 1}`;
}

function rowOf(row: "NEW" | "OLD", columns: readonly SyncedColumn[]): string {
  return `ROW(${columns.map(({ name }) => `${row}.${ident(name)}`).join(", ")})`;
}

/** Whether an INSERT named one of these columns, as far as that can be told. */
function insertedOf(columns: readonly SyncedColumn[]): string {
  const told = columns.filter(({ unwritten }) => unwritten !== null);
  if (told.length === 0) return "false";
  const values = told.map(({ unwritten = "NULL", type }) => `(${unwritten})::${type}`);
  return `pg_catalog.record_image_ne(${rowOf("NEW", told)}, ROW(${values.join(", ")}))`;
}

function listOf(columns: readonly SyncedColumn[]): string {
  return columns.map(({ name }) => name).join(", ");
}

function locksOn(table: RelationName, mode: Lock["mode"]): readonly Lock[] {
  return [{ ...table, mode, partitions: true }];
}
