import { pgFunction, type FunctionObject } from "../objects/pg-function.ts";
import { pgTrigger } from "../objects/pg-trigger.ts";
import type { DatabaseObject } from "../objects/object.ts";
import type { AccessData } from "../definition/access.ts";
import type { RelationName } from "../plan/step.ts";
import { ident, literal } from "../sql/quote.ts";

/** The setting by which the migrator, and nobody else, may change what is append-only: `off`, for its transaction. */
export const APPEND_ONLY_SETTING = "underpin.append_only";

/**
 * The trigger function that refuses to change rows.
 *
 * Grants and policies bind personas; a table's owner grants itself what it lacks. A trigger binds it too. Who is the migrator may say
 * `SET LOCAL underpin.append_only = 'off'` for the removal of what the law wants removed: that is seen in the statement log, and DISABLE TRIGGER would
 * open the table to everyone meanwhile.
 */
export function appendOnlyFunction(access: AccessData): FunctionObject {
  return pgFunction({
    schema: access.schema,
    name: "refuse_change",
    returns: "trigger",
    language: "plpgsql",
    volatility: "volatile",
    dependsOn: [`role ${ident(access.migratorRole)}`],
    comment: "Refuses to change or remove rows of an append-only table.",
    body: `BEGIN
  IF pg_catalog.current_setting(${literal(APPEND_ONLY_SETTING).trim()}, true) = 'off'
     AND pg_catalog.pg_has_role(${literal(access.migratorRole).trim()}, 'USAGE') THEN
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    RETURN NEW;
  END IF;
  RAISE insufficient_privilege USING
    MESSAGE = pg_catalog.format('%s on %I.%I: its rows are never changed or removed', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME),
    CONSTRAINT = 'append_only', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
    HINT = 'Write a new row that says what changed.';
END`,
  });
}

/**
 * The triggers of one append-only table.
 *
 * By row for UPDATE and DELETE: a cascade that meets no row is not refused, and partitions get a copy. TRUNCATE has no rows.
 */
export function appendOnlyTriggers(
  { schema, name }: RelationName,
  execute: FunctionObject,
): readonly DatabaseObject[] {
  const on = { schema, table: name, timing: "before", execute } as const;
  return [
    pgTrigger({ ...on, name: "append_only", events: ["update", "delete"] }),
    pgTrigger({
      ...on,
      name: "append_only_truncate",
      events: ["truncate"],
      forEach: "statement",
    }),
  ];
}
