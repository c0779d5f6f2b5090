import { databaseObject, type DatabaseObject } from "../../../objects/object.ts";
import { pgGrant, pgSchemaGrant } from "../../../objects/pg-grant.ts";
import { namedPath, schemaPath } from "../../../catalog/path.ts";
import { literal, qualified } from "../../../sql/quote.ts";
import { checks } from "./checks.ts";
import { partitionsSql, type Management } from "./management.ts";
import { migration } from "./migration.ts";
import { maintenance, provisioning } from "./provisioning.ts";
import { requireAllRows } from "./visibility.ts";
import { doBlock } from "../../../sql/dollar-quoted.ts";

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
 * Two jobs, each one statement that commits after each piece: several statements in one are one transaction, in which nothing can
 * commit (2D000). They run as whoever installed, whom row security hides all rows from: the pieces have the rights of the migrator.
 */
function dailySchedule({ schema }: Management): DatabaseObject {
  const loop = (declared: string, piece: string) =>
    doBlock(`${declared}BEGIN FOR v_round IN 1 .. 1000 LOOP ${piece}; COMMIT; END LOOP; END`);
  const provisionNext = qualified(schema, "provision_next");
  const maintainNext = qualified(schema, "maintain_next");
  const jobs = [
    [
      `provision ${schema}`,
      loop(
        "DECLARE v_failed uuid[] := '{}'; ",
        `v_failed := ${provisionNext}(v_failed); EXIT WHEN v_failed IS NULL`,
      ),
    ],
    [`maintain ${schema}`, loop("", `EXIT WHEN NOT ${maintainNext}()`)],
  ] as const;
  const names = jobs.map(([name]) => literal(name)).join(", ");
  const scheduled = jobs.map(
    ([name, work]) => `PERFORM cron.schedule(${literal(name)}, '0 2 * * *', ${literal(work)})`,
  );
  const whereCron = (statement: string) =>
    doBlock(
      `BEGIN IF EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'pg_cron') THEN ${statement}; END IF; END`,
    );
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
