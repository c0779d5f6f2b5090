import type { AccessData } from "../../../definition/access.ts";
import type { DatabaseObject } from "../../../objects/object.ts";
import { pgFunction } from "../../../objects/pg-function.ts";
import { pgTrigger, type TriggerEvent } from "../../../objects/pg-trigger.ts";
import { guardReport, recordReport } from "./reports.ts";
import {
  guardComment,
  guardDistribution,
  guardExportJob,
  guardInsight,
  guardSession,
  guardTemplate,
  touch,
} from "./rest.ts";

/** The tables that are changed after they are written: all but the two that are append-only. */
const CHANGED = [
  "pmr_templates",
  "pmr_reports",
  "ai_insights",
  "collaboration_sessions",
  "edit_sessions",
  "export_jobs",
  "pmr_distribution_log",
  "pmr_comments",
] as const;

/**
 * The triggers with their functions: for each table a guard before it is written, and `updated_at`; for reports the record of what
 * changed.
 *
 * Triggers of one table fire in the order of their names: the guard before the touch.
 */
export function triggersOf(access: AccessData, schema: string): readonly DatabaseObject[] {
  const on = (
    table: string,
    name: string,
    timing: "before" | "after",
    events: readonly [TriggerEvent, ...TriggerEvent[]],
    body: string,
  ): readonly DatabaseObject[] => {
    const execute = triggerFunction(schema, `${name}_${table}`, body);
    return [
      execute,
      pgTrigger({ schema, table, name: `${table}_${name}`, timing, events, execute }),
    ];
  };
  const guard = (table: string, body: string) =>
    on(table, "guard", "before", ["insert", "update"], body);
  const setUpdatedAt = triggerFunction(schema, "set_updated_at", touch);
  return [
    ...guard("pmr_templates", guardTemplate),
    ...guard("pmr_reports", guardReport(access)),
    ...on("pmr_reports", "record", "after", ["update"], recordReport(access, schema)),
    ...guard("ai_insights", guardInsight(access)),
    ...guard(
      "collaboration_sessions",
      guardSession(access, "collaboration_sessions", "started_by"),
    ),
    ...guard("edit_sessions", guardSession(access, "edit_sessions", "user_id")),
    ...guard("export_jobs", guardExportJob(access)),
    ...guard("pmr_distribution_log", guardDistribution(access)),
    ...guard("pmr_comments", guardComment(access, schema)),
    setUpdatedAt,
    ...CHANGED.map((table) =>
      pgTrigger({
        schema,
        table,
        name: `${table}_touch`,
        timing: "before",
        events: ["update"],
        execute: setUpdatedAt,
      }),
    ),
  ];
}

/** A trigger function needs no right to be called by a trigger. */
function triggerFunction(schema: string, name: string, body: string) {
  return pgFunction({
    schema,
    name,
    returns: "trigger",
    language: "plpgsql",
    volatility: "volatile",
    body,
  });
}
