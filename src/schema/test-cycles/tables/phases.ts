import { sql } from "drizzle-orm";
import {
  check,
  date,
  index,
  jsonb,
  primaryKey,
  text,
  timestamp,
  unique,
} from "drizzle-orm/pg-core";
import { among, tenant } from "../../../rls/row-class.ts";
import { writtenAt, type Basis } from "../basis.ts";
import { GIVEN_OUT, type KeyKind } from "../keys.ts";

const KEPT = "the trigger keep_identity refuses personas to make a phase that of another report";

/** The phases of each report in each cycle; everything that is done in one points to it. */
export function phaseTables<K extends KeyKind, S extends string>({
  keys,
  space,
  enums,
  access,
  points,
}: Basis<K, S>) {
  const workflowPhases = space
    .table(
      "workflow_phases",
      {
        phaseId: keys.generated("phase_id"),
        lobId: keys.required("lob_id"),
        cycleId: keys.required("cycle_id"),
        reportId: keys.required("report_id"),
        phaseName: enums.phaseName("phase_name").notNull(),
        status: enums.phaseStatus("status").notNull().default("not_started"),
        plannedStartDate: date("planned_start_date"),
        plannedEndDate: date("planned_end_date"),
        startedAt: timestamp("started_at", { withTimezone: true }),
        completedAt: timestamp("completed_at", { withTimezone: true }),
        completedBy: keys.optional("completed_by"),
        notes: text("notes"),
        metadata: jsonb("metadata")
          .$type<Readonly<Record<string, unknown>>>()
          .notNull()
          .default(sql`'{}'::jsonb`),
        ...writtenAt(),
      },
      (t) => [
        primaryKey({ name: "workflow_phases_pkey", columns: [t.phaseId] }),
        unique("workflow_phases_lob_id_phase_id_key").on(t.lobId, t.phaseId),
        unique("workflow_phases_phase_name_key").on(t.lobId, t.cycleId, t.reportId, t.phaseName),
        points(
          "workflow_phases_cycle_report_fkey",
          [t.lobId, t.cycleId, t.reportId],
          "cycle_reports",
          ["lob_id", "cycle_id", "report_id"],
        ),
        points("workflow_phases_completed_by_fkey", [t.lobId, t.completedBy], "users", [
          "lob_id",
          "user_id",
        ]),
        check("workflow_phases_planned_in_order", sql`planned_end_date >= planned_start_date`),
        check(
          "workflow_phases_completed_when_done",
          sql`(status = 'completed') = (completed_at is not null)`,
        ),
        check("workflow_phases_metadata_is_object", sql`jsonb_typeof(metadata) = 'object'`),
        index("idx_workflow_phases_completed_by").on(t.lobId, t.completedBy),
        ...access.rules(t, {
          globalKeys: { workflow_phases_pkey: GIVEN_OUT },
          lookupColumns: { cycleId: KEPT, reportId: KEPT },
          select: {
            tester: among("assigned_phases", "phaseId"),
            test_manager: tenant,
            report_owner: among("assigned_phases", "phaseId"),
            data_provider: among("assigned_phases", "phaseId"),
            admin: tenant,
          },
          insert: { test_manager: tenant, admin: tenant },
          update: {
            tester: among("assigned_phases", "phaseId"),
            test_manager: tenant,
            admin: tenant,
          },
        }),
      ],
    )
    .enableRLS();
  return { workflowPhases };
}
