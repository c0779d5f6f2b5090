import type { AccessData } from "../../definition/access.ts";
import type { DatabaseObject } from "../../objects/object.ts";
import type { FunctionObject } from "../../objects/pg-function.ts";
import { pgTrigger } from "../../objects/pg-trigger.ts";
import { searchFunctions, triggerFunctions } from "./functions.ts";
import type { ReportingTables } from "./tables.ts";

/** The columns of an organization that are its contract with the provider, or its public name. */
const TERMS = [
  "name",
  "slug",
  "is_active",
  "subscription_tier",
  "subscription_expires_at",
  "max_users",
  "max_reports",
  "storage_limit_gb",
] as const;

/** The functions and triggers of the domain. */
export function reportingTriggers(
  access: AccessData,
  tables: ReportingTables,
): readonly DatabaseObject[] {
  const functions = triggerFunctions(access);
  const { organizations, users, templates, templateFields, reports, reportShares } = tables;
  const { reportExecutions } = tables;
  const touched = { organizations, users, templates, template_fields: templateFields };
  const row = (of: "OLD" | "NEW") => `(${TERMS.map((column) => `${of}.${column}`).join(", ")})`;
  return [
    ...Object.values<FunctionObject>({ ...functions }),
    ...searchFunctions(access),
    ...Object.entries(touched).map(([name, table]) =>
      pgTrigger({
        table,
        name: `update_${name}_updated_at`,
        timing: "before",
        events: ["update"],
        execute: functions.touch,
      }),
    ),
    pgTrigger({
      table: reports,
      name: "update_reports_updated_at",
      timing: "before",
      events: ["update"],
      // To run a report is not to edit it.
      when: "OLD.execution_count = NEW.execution_count",
      execute: functions.touch,
    }),
    ...[templates, reports].map((table) =>
      pgTrigger({
        table,
        name: "keep_created_by",
        timing: "before",
        events: ["update"],
        when: "OLD.created_by <> NEW.created_by",
        execute: functions.keepAuthor,
      }),
    ),
    pgTrigger({
      table: reportShares,
      name: "keep_shared_by",
      timing: "before",
      events: ["update"],
      when: "OLD.shared_by <> NEW.shared_by",
      execute: functions.keepAuthor,
    }),
    pgTrigger({
      table: organizations,
      name: "guard_organization",
      timing: "before",
      events: ["update"],
      when: `${row("OLD")} IS DISTINCT FROM ${row("NEW")}`,
      execute: functions.guardOrganization,
    }),
    pgTrigger({
      table: users,
      name: "guard_user",
      timing: "before",
      events: ["insert", "update"],
      execute: functions.guardUser,
    }),
    pgTrigger({
      table: reportExecutions,
      name: "count_execution",
      timing: "after",
      events: ["insert"],
      execute: functions.countExecution,
    }),
  ];
}
