import { sql } from "drizzle-orm";
import { integer, varchar } from "drizzle-orm/pg-core";
import { qualified } from "../../sql/quote.ts";
import type { Basis } from "./basis.ts";
import type { KeyKind } from "./keys.ts";

/** The view of the domain. It runs as who asks, so that row security is that of the asker. */
export function viewsOf<K extends KeyKind, S extends string>({ keys, space, enums }: Basis<K, S>) {
  const table = (name: string) => qualified(space.schemaName, name);
  const cycleReportProgress = space
    .view("cycle_report_progress", {
      lobId: keys.required("lob_id"),
      cycleId: keys.required("cycle_id"),
      reportId: keys.required("report_id"),
      reportName: varchar("report_name", { length: 200 }).notNull(),
      status: enums.cycleReportStatus("status").notNull(),
      phases: integer("phases").notNull(),
      completedPhases: integer("completed_phases").notNull(),
      currentPhase: enums.phaseName("current_phase"),
      openObservations: integer("open_observations").notNull(),
    })
    .with({ securityInvoker: true })
    .as(
      sql.raw(`select c.lob_id, c.cycle_id, c.report_id, r.name as report_name, c.status, p.phases, p.completed_phases, p.current_phase, o.open_observations
from ${table("cycle_reports")} c
join ${table("reports")} r on r.lob_id = c.lob_id and r.report_id = c.report_id
cross join lateral (
  select count(*)::integer as phases,
    (count(*) filter (where w.status in ('completed', 'skipped')))::integer as completed_phases,
    min(w.phase_name) filter (where w.status in ('in_progress', 'pending_review')) as current_phase
  from ${table("workflow_phases")} w
  where w.lob_id = c.lob_id and w.cycle_id = c.cycle_id and w.report_id = c.report_id
) p
cross join lateral (
  select count(*)::integer as open_observations
  from ${table("workflow_phases")} w
  join ${table("observations")} b on b.lob_id = w.lob_id and b.phase_id = w.phase_id
  where w.lob_id = c.lob_id and w.cycle_id = c.cycle_id and w.report_id = c.report_id and b.status not in ('resolved', 'closed')
) o`),
    );
  return { cycleReportProgress };
}
