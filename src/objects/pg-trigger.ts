import { namedPath, partPath, schemaPath } from "../catalog/path.ts";
import { columnName, targetOf, type DrizzleColumn, type TableTarget } from "../plan/target.ts";
import { ident, literal, qualified } from "../sql/quote.ts";
import { databaseObject, type DatabaseObject } from "./object.ts";
import type { FunctionObject } from "./pg-function.ts";

/** What a trigger fires on. */
export type TriggerEvent =
  | "insert"
  | "update"
  | "delete"
  | "truncate"
  /** Only when one of these columns is named in SET. */
  | { readonly updateOf: readonly (string | DrizzleColumn)[] };

/** A trigger as it is declared. */
export interface TriggerOptions extends TableTarget {
  readonly name: string;
  readonly timing: "before" | "after" | "insteadOf";
  readonly events: readonly [TriggerEvent, ...TriggerEvent[]];
  /** @default "row" */
  readonly forEach?: "row" | "statement";
  /** A condition as SQL, about OLD and NEW. */
  readonly when?: string;
  readonly execute: FunctionObject;
  readonly arguments?: readonly string[];
  /** Names for the changed rows of a statement, for REFERENCING. */
  readonly transitionTables?: { readonly old?: string; readonly new?: string };
  /** Fires also where `session_replication_role` is `replica`. @default false */
  readonly always?: boolean;
  /** Makes it a constraint trigger, which fires at the end of the transaction. */
  readonly deferred?: boolean;
}

/**
 * A trigger on a table or view; on a partitioned table, of its partitions too.
 *
 * CREATE TRIGGER takes SHARE ROW EXCLUSIVE, DROP TRIGGER takes ACCESS EXCLUSIVE (15 and 18).
 */
export function pgTrigger(options: TriggerOptions): DatabaseObject {
  const { schema, name: table } = targetOf(options);
  const { name, timing, events, execute, when, transitionTables, deferred = false } = options;
  const on = namedPath(timing === "insteadOf" ? "view" : "table", schema, table);
  const referencing = [
    ...(transitionTables?.old === undefined ? [] : [`OLD TABLE AS ${ident(transitionTables.old)}`]),
    ...(transitionTables?.new === undefined ? [] : [`NEW TABLE AS ${ident(transitionTables.new)}`]),
  ].join(" ");
  const create = [
    `CREATE ${deferred ? "CONSTRAINT " : ""}TRIGGER ${ident(name)}`,
    timing === "insteadOf" ? "INSTEAD OF" : timing.toUpperCase(),
    events.map(eventSql).join(" OR "),
    `ON ${qualified(schema, table)}`,
    ...(deferred ? ["DEFERRABLE INITIALLY DEFERRED"] : []),
    ...(referencing === "" ? [] : [`REFERENCING ${referencing}`]),
    `FOR EACH ${(options.forEach ?? "row").toUpperCase()}`,
    ...(when === undefined ? [] : [`WHEN (${when})`]),
    `EXECUTE FUNCTION ${qualified(execute.schema, execute.name)}(${(options.arguments ?? []).map(literal).join(", ")})`,
  ].join(" ");
  const always =
    options.always === true
      ? `;\nALTER TABLE ${qualified(schema, table)} ENABLE ALWAYS TRIGGER ${ident(name)}`
      : "";
  return databaseObject({
    kind: "trigger",
    id: partPath("trigger", name, on),
    create: create + always,
    drop: `DROP TRIGGER IF EXISTS ${ident(name)} ON ${qualified(schema, table)}`,
    dependsOn: [schemaPath(schema), on, execute.id],
    within: on,
    locks: [{ schema, name: table, mode: "shareRowExclusive" }],
    dropLocks: [{ schema, name: table, mode: "accessExclusive" }],
  });
}

function eventSql(event: TriggerEvent): string {
  if (typeof event === "string") return event.toUpperCase();
  return `UPDATE OF ${event.updateOf.map((column) => ident(columnName(column))).join(", ")}`;
}
