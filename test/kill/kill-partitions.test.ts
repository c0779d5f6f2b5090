import { afterAll, beforeAll, expect, it } from "vitest";
import { toExecutor } from "../../src/executor/connect.ts";
import type { Scheme } from "../../src/definition/scheme.ts";
import type { Executor } from "../../src/executor/executor.ts";
import { planMaintenance } from "../../src/partitioning/maintenance/plan-maintenance.ts";
import { readMaintenance } from "../../src/partitioning/maintenance/read-maintenance.ts";
import { planProvision } from "../../src/partitioning/plan-provision.ts";
import { readSurveys } from "../../src/partitioning/survey.ts";
import type { Plan } from "../../src/plan/step.ts";
import { ident } from "../../src/sql/quote.ts";
import { monthlyOf, visitsSql } from "../contract/partitions-fixture.ts";
import { onServers } from "../support/server.ts";
import { killEverywhere } from "./enumerate.ts";
import { openHosts, type Hosts } from "./host-process.ts";
import { SYNTHETIC_SCHEMA } from "./synthetic-plan.ts";

/** As in the other file: only `npm run test:kill` kills at every moment. */
const everyMoment = process.env.UNDERPIN_KILL === "all";
const MINUTES = 60_000;

const names = { schema: SYNTHETIC_SCHEMA, table: `ta"ble`, column: `co'l` };
const tables = `CREATE SCHEMA ${ident(names.schema)}; ${visitsSql(names, true)};
  INSERT INTO ${ident(names.schema)}.sites VALUES ('s3')`;
const scheme = monthlyOf(names, "1 month", true);
const at = (day: string) => new Date(`${day}T00:00:00Z`);

/** Plans that are made from what the tables are. */
const plans: readonly (readonly [what: string, make: (db: Executor) => Promise<Plan>])[] = [
  [
    "provision of a new and a known site beside default partitions",
    async (db) => {
      const window = { from: at("2026-03-15"), until: at("2026-04-15") };
      const sites = ["s3", "s1"].map((site) => [{ site }, window] as const);
      return planProvision(scheme, await readSurveys(db, scheme, sites));
    },
  ],
  [
    "a month that begins and one that leaves beside default partitions",
    async (db) => {
      const [site, month] = scheme.dimensions;
      if (month?.strategy !== "range") throw new Error("the second dimension is a range");
      const retained: Scheme = { ...scheme, dimensions: [site, { ...month, retain: "2 months" }] };
      const reading = await readMaintenance(db, retained, { now: at("2026-04-10") });
      const { plan } = planMaintenance([reading]);
      if (plan === undefined) throw new Error("there was nothing to do");
      // Statistics are no part of the end that is compared, and are most of the steps.
      return { ...plan, steps: plan.steps.filter(({ id }) => !id.startsWith("analyze/")) };
    },
  ],
];

onServers("a process that is killed while it looks after partitions", (server) => {
  let hosts: Hosts | undefined;
  beforeAll(async () => {
    if (everyMoment) hosts = await openHosts();
  });
  afterAll(() => hosts?.close());

  for (const [what, make] of plans)
    it.skipIf(!everyMoment)(
      `is gone on with to the same end, there and back: ${what}`,
      async () => {
        if (hosts === undefined) throw new Error("the host program was not bundled");
        const sql = server.sql();
        await sql.unsafe(`DROP SCHEMA IF EXISTS ${ident(names.schema)} CASCADE; ${tables}`);
        const plan = await make(toExecutor(sql));
        const { applyPoints, undoPoints, divergences } = await killEverywhere({
          server,
          hosts,
          plan,
          schema: names.schema,
          tables,
          everyMoment: false,
        });
        console.log(
          `PostgreSQL ${server.major}, ${what}: killed at ${applyPoints} points of apply and ${undoPoints} of undo, ${divergences.length} divergences`,
        );
        expect(divergences).toEqual([]);
        expect(applyPoints).toBeGreaterThan(20);
      },
      20 * MINUTES,
    );
});
