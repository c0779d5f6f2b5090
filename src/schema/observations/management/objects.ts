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

/** At two in the morning, where the extension `pg_cron` is; elsewhere the host's scheduler calls the same. */
function dailySchedule({ schema }: Management): DatabaseObject {
  const name = literal(`maintain ${schema}`);
  const work = literal(
    `CALL ${qualified(schema, "provision_requested")}(); SELECT ${qualified(schema, "schedule_maintenance")}()`,
  );
  const whereCron = (statement: string) =>
    `DO $schedule$ BEGIN IF EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'pg_cron') THEN ${statement}; END IF; END $schedule$`;
  return databaseObject({
    kind: "schedule",
    id: `maintenance schedule of ${schemaPath(schema)}`,
    create: whereCron(`PERFORM cron.schedule(${name}, '0 2 * * *', ${work})`),
    drop: whereCron(
      `PERFORM cron.unschedule(jobid) FROM cron.job WHERE jobname = ${name} AND database = pg_catalog.current_database()`,
    ),
    dependsOn: [schemaPath(schema), namedPath("view", schema, "v_partition_stats")],
  });
}
