import type { Scheme } from "../definition/scheme.ts";
import { toExecutor, type DatabaseLike } from "../executor/connect.ts";
import { hashPlan } from "../plan/hash.ts";
import { apply } from "../run/apply.ts";
import type { RunOptions } from "../run/options.ts";
import type { Report } from "../run/report.ts";
import type { SchemeValues } from "./partition-types.ts";
import { planProvision } from "./plan-provision.ts";
import { readSurveys, type ProvisionWindow } from "./survey.ts";

/** For which interval partitions are made, and how the plan is run. */
export interface ProvisionOptions extends ProvisionWindow, RunOptions {
  /** Instead of the server's clock. */
  readonly now?: Date;
}

/** How often what another process finished in the same minute is looked at again. */
const ATTEMPTS = 3;

/**
 * Makes the partitions that are missing for one set of values, or for several, before their first row: in runs of at most twenty leaves a
 * transaction, built beside the table and attached once.
 *
 * Of many hosts that ask for the same at once one makes them, and each is told so. Not from within a transaction that wrote to a table which the
 * partitioned one points to: ATTACH waits for the other writers of that table, and two such transactions deadlock (40P01).
 *
 * @example
 * import { pgTable, primaryKey, text, timestamp } from "drizzle-orm/pg-core";
 * import { defineDatabase, planInstall } from "underpin";
 * import { list, partitionBy, provision, range } from "underpin/partitioning";
 *
 * const readings = pgTable(
 *   "readings",
 *   { siteId: text("site_id").notNull(), at: timestamp({ withTimezone: true }).notNull() },
 *   (t) => [primaryKey({ columns: [t.siteId, t.at] })],
 * );
 * const scheme = partitionBy(
 *   readings,
 *   list(readings.siteId),
 *   range(readings.at, { every: "1 month" }),
 * );
 * const tables = { readings };
 * await apply(db, planInstall(defineDatabase({ name: "field", tables, partitions: [scheme] })));
 * const report = await provision(db, scheme, { siteId: "s1" });
 * report.outcome; // "applied"
 */
export async function provision<S extends Scheme>(
  db: DatabaseLike,
  scheme: S,
  values: SchemeValues<S> | readonly SchemeValues<S>[],
  options: ProvisionOptions = {},
): Promise<Report> {
  const { from, until, now, ...run } = options;
  const begins = from ?? now;
  const window: ProvisionWindow = {
    ...(begins === undefined ? {} : { from: begins }),
    ...(until === undefined ? {} : { until }),
  };
  const all: readonly object[] = Array.isArray(values) ? values : [values];
  const executor = toExecutor(db);
  let report: Report | undefined;
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const surveys = await readSurveys(
      executor,
      scheme,
      all.map((each) => [each, window]),
    );
    const plan = planProvision(scheme, surveys, attempt === 1 ? undefined : attempt);
    if (plan.steps.length === 0) return report ?? nothingToDo(plan.name, hashPlan(plan));
    report = await apply(db, plan, run);
    // A run of the same minute and content ended before: what it made may be gone again.
    if (report.ranHere || report.outcome !== "applied") return report;
  }
  return report ?? nothingToDo("provision", "");
}

function nothingToDo(plan: string, hash: string): Report {
  return {
    plan,
    hash,
    outcome: "applied",
    ranHere: false,
    steps: [],
    next: "There was nothing to do: every partition that was asked for is there.",
  };
}
