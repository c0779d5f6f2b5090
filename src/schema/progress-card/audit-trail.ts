import type { DatabaseObject } from "../../objects/object.ts";
import { pgFunction } from "../../objects/pg-function.ts";
import { pgTrigger } from "../../objects/pg-trigger.ts";
import { targetOf } from "../../plan/target.ts";
import { readerTrigger, readerWrites } from "../../rls/reader-writes.ts";
import { literal, qualified } from "../../sql/quote.ts";
import { actingUser } from "./acting-user.ts";
import type { ProgressCardParts } from "./parts.ts";
import { hpcTables } from "./table-groups.ts";

/** The setting that says why rows are written, for the transaction: it becomes `reason` in `hpc_context`. */
export const AUDIT_REASON_SETTING = "app.audit_reason";

/**
 * The log of every write to a progress card, in the transaction of the write: neither is there without the other.
 *
 * The trigger runs as the reader, and only so may entries be added under a context: personas have no INSERT, and what the migrator adds in a person's
 * context has no `hpc_context`. Who the caller is it reads from the settings, which a function with its owner's rights does not change. TRUNCATE shows a
 * trigger no rows, so it is refused.
 */
export function auditObjects(schema: string, parts: ProgressCardParts): readonly DatabaseObject[] {
  const actor = actingUser(parts.access);
  const write = readerTrigger(parts.access, {
    schema,
    name: "hpc_write_audit_log",
    language: "plpgsql",
    volatility: "volatile",
    comment: "Writes a change of a progress card to the log.",
    body: `DECLARE
  old_row jsonb := CASE WHEN TG_OP <> 'INSERT' THEN pg_catalog.to_jsonb(OLD) END;
  new_row jsonb := CASE WHEN TG_OP <> 'DELETE' THEN pg_catalog.to_jsonb(NEW) END;
  known jsonb := coalesce(new_row, old_row);
BEGIN
  INSERT INTO ${qualified(schema, "audit_logs")}
    (institution_id, actor_id, action, table_name, record_id, old_values, new_values, hpc_context)
  VALUES (
    (known ->> 'institution_id')::uuid,
    ${actor},
    pg_catalog.lower(TG_OP),
    TG_TABLE_NAME,
    (known ->> 'id')::uuid,
    old_row,
    new_row,
    pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
      'role', coalesce(nullif(pg_catalog.current_setting('role'), 'none'), session_user),
      'student_id', known -> 'student_id',
      'cycle_id', known -> 'cycle_id',
      'report_id', known -> 'report_id',
      'evaluation_id', known -> 'evaluation_id',
      'stakeholder', known -> 'stakeholder',
      'status', known -> 'status',
      'status_before', CASE WHEN TG_OP = 'UPDATE' AND old_row -> 'status' IS DISTINCT FROM new_row -> 'status' THEN old_row -> 'status' END,
      'reason', nullif(pg_catalog.current_setting(${literal(AUDIT_REASON_SETTING).trim()}, true), '')
    ))
  );
  RETURN NULL;
END`,
  });
  const seal = pgFunction({
    schema,
    name: "hpc_seal_audit_log",
    returns: "trigger",
    language: "plpgsql",
    volatility: "volatile",
    comment:
      "Keeps entries under a context in the name of its user, at their time, and not as if the trigger had made them.",
    body: `DECLARE
  actor uuid := ${actor};
BEGIN
  IF actor IS NOT NULL THEN
    NEW.actor_id := actor;
    NEW.created_at := pg_catalog.now();
    IF current_user <> ${literal(parts.access.readerRole).trim()} THEN
      NEW.hpc_context := NULL;
    END IF;
  END IF;
  RETURN NEW;
END`,
  });
  const refuse = pgFunction({
    schema,
    name: "hpc_refuse_truncate",
    returns: "trigger",
    language: "plpgsql",
    volatility: "volatile",
    comment: "Refuses TRUNCATE, which no row trigger sees.",
    body: `BEGIN
  RAISE insufficient_privilege USING
    MESSAGE = pg_catalog.format('TRUNCATE on %I.%I is refused: its rows would go without an entry in the log', TG_TABLE_SCHEMA, TG_TABLE_NAME),
    CONSTRAINT = 'hpc_refuse_truncate', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
    HINT = 'DELETE the rows.';
END`,
  });
  return [
    write,
    ...readerWrites(parts.access, targetOf({ table: parts.tables.auditLogs }), ["insert"]),
    seal,
    refuse,
    pgTrigger({
      table: parts.tables.auditLogs,
      name: "seal",
      timing: "before",
      events: ["insert"],
      execute: seal,
    }),
    ...hpcTables(parts.tables).flatMap((table) => [
      pgTrigger({
        table,
        name: "write_audit_log",
        timing: "after",
        events: ["insert", "update", "delete"],
        execute: write,
      }),
      pgTrigger({
        table,
        name: "refuse_truncate",
        timing: "before",
        events: ["truncate"],
        forEach: "statement",
        execute: refuse,
      }),
    ]),
  ];
}
