import { databaseObject, type DatabaseObject } from "../../../objects/object.ts";
import { pgGrant, pgSchemaGrant } from "../../../objects/pg-grant.ts";
import { namedPath, schemaPath } from "../../../catalog/path.ts";
import { literal, qualified } from "../../../sql/quote.ts";
import { checks } from "./checks.ts";
import { partitionsSql, type Management } from "./management.ts";
import { migration } from "./migration.ts";
import { maintenance, provisioning } from "./provisioning.ts";
import { requireAllRows } from "./visibility.ts";

/** The functions, procedures and privileges of who looks after partitions. Personas have none of them. */
export function managementObjects(management: Management): readonly DatabaseObject[] {
  const { schema, access } = management;
  const to = access.migratorRole;
  return [
    pgSchemaGrant({ schema, to }),
    pgGrant({ schema, table: "v_partition_stats", on: "view", to, privileges: ["select"] }),
    requireAllRows(management),
    ...provisioning(management),
    ...checks(management),
    ...maintenance(management, partitionsSql(management)),
    ...migration(management),
    dailySchedule(management),
  ];
}

/**
 * At two in the morning, where the extension `pg_cron` is; elsewhere the host's scheduler calls the same.
 *
 * Two jobs: several statements in one are one transaction, in which a procedure cannot commit (2D000).
 */
function dailySchedule({ schema }: Management): DatabaseObject {
  const jobs = [
    [`provision ${schema}`, `CALL ${qualified(schema, "provision_requested")}()`],
    [`maintain ${schema}`, `SELECT ${qualified(schema, "schedule_maintenance")}()`],
  ] as const;
  const names = jobs.map(([name]) => literal(name)).join(", ");
  const scheduled = jobs.map(
    ([name, work]) => `PERFORM cron.schedule(${literal(name)}, '0 2 * * *', ${literal(work)})`,
  );
  const whereCron = (statement: string) =>
    `DO $schedule$ BEGIN IF EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'pg_cron') THEN ${statement}; END IF; END $schedule$`;
  return databaseObject({
    kind: "schedule",
    id: `maintenance schedule of ${schemaPath(schema)}`,
    create: whereCron(scheduled.join("; ")),
    drop: whereCron(
      `PERFORM cron.unschedule(jobid) FROM cron.job WHERE jobname IN (${names}) AND database = pg_catalog.current_database()`,
    ),
    dependsOn: [schemaPath(schema), namedPath("view", schema, "v_partition_stats")],
  });
}
