import { namedPath } from "../catalog/path.ts";
import { literal, qualified } from "../sql/quote.ts";
import { cronOf, whereCron, type CronEvery } from "./cron.ts";
import { databaseObject, type DatabaseObject } from "./object.ts";

/** When a materialized view is refreshed. */
export interface RefreshScheduleOptions {
  /** @default "public" */
  readonly schema?: string;
  readonly view: string;
  /** Minutes that divide an hour, hours that divide a day, or a day. */
  readonly every: CronEvery;
  /**
   * A function of the same schema that refreshes it, where the view belongs to another role than the schedule: only its owner may
   * REFRESH (42501). For a view of an access that is `refresh_<view>`.
   */
  readonly through?: string;
}

/** A schedule, which the catalog cannot hold by itself. */
export interface RefreshSchedule extends DatabaseObject {
  readonly kind: "schedule";
  readonly refresh: Required<Omit<RefreshScheduleOptions, "through">> & {
    readonly through: string | null;
  };
}

/**
 * Refreshes a materialized view CONCURRENTLY, again and again.
 *
 * Where the extension `pg_cron` is installed, it does it; many managed servers have none, and there a worker of the host
 * does. REFRESH … CONCURRENTLY takes EXCLUSIVE on the view, so that reads go on, and needs a unique index on it.
 *
 * @example
 * import { pgRefreshSchedule } from "underpin";
 *
 * pgRefreshSchedule({ schema: "app", view: "daily_totals", every: "15 minutes" });
 */
export function pgRefreshSchedule(options: RefreshScheduleOptions): RefreshSchedule {
  const { schema = "public", view, every, through } = options;
  const name = literal(`refresh ${schema}.${view}`);
  const refresh = literal(
    through === undefined
      ? `REFRESH MATERIALIZED VIEW CONCURRENTLY ${qualified(schema, view)}`
      : `SELECT ${qualified(schema, through)}()`,
  );
  const path = namedPath("materialized view", schema, view);
  const object = databaseObject({
    kind: "schedule",
    id: `refresh schedule of ${path}`,
    create: whereCron(`PERFORM cron.schedule(${name}, ${literal(cronOf(every))}, ${refresh})`),
    drop: whereCron(
      `PERFORM cron.unschedule(jobid) FROM cron.job WHERE jobname = ${name} AND database = pg_catalog.current_database()`,
    ),
    dependsOn: [path],
    within: path,
  });
  return {
    ...object,
    kind: "schedule",
    refresh: { schema, view, every, through: through ?? null },
  };
}
