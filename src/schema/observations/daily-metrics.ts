import { sql } from "drizzle-orm";
import { bigint, date, numeric, text, uuid, type PgSchema } from "drizzle-orm/pg-core";
import { namedPath } from "../../catalog/path.ts";
import type { AccessData } from "../../definition/access.ts";
import { databaseObject, type DatabaseObject } from "../../objects/object.ts";
import { pgMaterializedViewIndex } from "../../objects/pg-materialized-view-index.ts";
import { pgRefreshSchedule } from "../../objects/pg-refresh-schedule.ts";
import { asReader } from "../../rls/reader-ownership.ts";
import { ident, qualified } from "../../sql/quote.ts";
import type { GasifierObservations, PetriObservations } from "./tables/observations.ts";

const VIEW = "daily_metrics";
const MATERIALIZED = "mv_daily_metrics";

function metricColumns() {
  return {
    companyId: uuid("company_id"),
    programId: text("program_id"),
    siteId: text("site_id"),
    day: date("day"),
    petriCount: bigint("petri_count", { mode: "number" }),
    gasifierCount: bigint("gasifier_count", { mode: "number" }),
    submissionCount: bigint("submission_count", { mode: "number" }),
    averageGrowthIndex: numeric("average_growth_index"),
    highestGrowthIndex: numeric("highest_growth_index"),
    averagePetriTemperatureC: numeric("average_petri_temperature_c"),
    averageGasifierTemperatureC: numeric("average_gasifier_temperature_c"),
    averageCarbonDioxidePercent: numeric("average_carbon_dioxide_percent"),
  };
}

/**
 * Observations by company, program, site and day (in UTC, as the months of the partitions are), and the view by which a company sees its own.
 *
 * A materialized view has no row security, so that nobody but its owner reads it; the view shows the rows of the company in
 * the context.
 */
export function dailyMetrics<S extends string>(
  space: PgSchema<S>,
  access: AccessData,
  petri: PetriObservations,
  gasifier: GasifierObservations,
) {
  const mvDailyMetrics = space.materializedView(MATERIALIZED, metricColumns()).as(sql`
    SELECT o.company_id, o.program_id, o.site_id, (o.created_at AT TIME ZONE 'UTC')::date AS day,
      count(*) FILTER (WHERE o.is_petri) AS petri_count,
      count(*) FILTER (WHERE NOT o.is_petri) AS gasifier_count,
      count(DISTINCT o.submission_id) AS submission_count,
      avg(o.growth_index) AS average_growth_index,
      max(o.growth_index) AS highest_growth_index,
      avg(o.temperature_c) FILTER (WHERE o.is_petri) AS average_petri_temperature_c,
      avg(o.temperature_c) FILTER (WHERE NOT o.is_petri) AS average_gasifier_temperature_c,
      avg(o.carbon_dioxide_percent) AS average_carbon_dioxide_percent
    FROM (
      SELECT company_id, program_id, site_id, created_at, submission_id, true AS is_petri,
        growth_index, temperature_c, NULL::numeric AS carbon_dioxide_percent FROM ${petri}
      UNION ALL
      SELECT company_id, program_id, site_id, created_at, submission_id, false,
        NULL::numeric, temperature_c, carbon_dioxide_percent FROM ${gasifier}
    ) AS o
    GROUP BY 1, 2, 3, 4`);
  const dailyMetricsView = space
    .view(VIEW, metricColumns())
    .with({ securityBarrier: true })
    .as(
      sql`SELECT * FROM ${mvDailyMetrics} WHERE company_id = (SELECT ${sql.raw(qualified(access.schema, "current_tenant_id"))}())`,
    );
  return { mvDailyMetrics, dailyMetrics: dailyMetricsView };
}

/** The unique index, without which REFRESH … CONCURRENTLY is refused (55000), the schedule, and who may read. */
export function dailyMetricsObjects(access: AccessData, schema: string): readonly DatabaseObject[] {
  const path = namedPath("view", schema, VIEW);
  const view = qualified(schema, VIEW);
  const roles = [...new Set(Object.values(access.roles))];
  return [
    pgMaterializedViewIndex({
      schema,
      view: MATERIALIZED,
      name: "mv_daily_metrics_key",
      columns: ["company_id", "program_id", "site_id", "day"],
      unique: true,
    }),
    pgRefreshSchedule({
      schema,
      view: MATERIALIZED,
      every: "1 hour",
      through: `refresh_${MATERIALIZED}`,
    }),
    // Who reads a view reads what is below it as the view's owner; only the reader may read the materialized view.
    databaseObject({
      kind: "grant",
      id: `owner of ${path}`,
      create: asReader(access, schema, [
        ...roles.map((role) => `GRANT SELECT ON ${view} TO ${ident(role)}`),
        `ALTER VIEW ${view} OWNER TO ${ident(access.readerRole)}`,
      ]).join(";\n"),
      dependsOn: [
        path,
        `owner of ${namedPath("materialized view", schema, MATERIALIZED)}`,
        `withdrawn privileges on ${path}`,
        `privileges of ${ident(access.migratorRole)} on ${path}`,
        ...[...roles, access.readerRole].map((role) => `role ${ident(role)}`),
      ],
      within: path,
    }),
  ];
}
