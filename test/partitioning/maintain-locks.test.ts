import { beforeEach, expect, it } from "vitest";
import { toExecutor } from "../../src/executor/connect.ts";
import { maintain } from "../../src/partitioning/maintenance/maintain.ts";
import { planMaintenance } from "../../src/partitioning/maintenance/plan-maintenance.ts";
import { readMaintenance } from "../../src/partitioning/maintenance/read-maintenance.ts";
import type { Scheme } from "../../src/definition/scheme.ts";
import type { Plan } from "../../src/plan/step.ts";
import { apply } from "../../src/run/apply.ts";
import { measureRun } from "../../src/testing/expect-locks.ts";
import { onEngines } from "../support/server.ts";
import { byDay, byProgram, events, programs, readings, schema, setup } from "./maintain-fixture.ts";

onEngines("the steps of maintenance", (engine) => {
  const db = () => toExecutor(engine.db());

  beforeEach(async () => {
    await db().query(
      `DROP SCHEMA IF EXISTS ${schema} CASCADE; DROP SCHEMA IF EXISTS underpin CASCADE;
       ${setup([programs, readings, events], [byProgram, byDay])};
       INSERT INTO ${schema}.programs VALUES ('p1')`,
    );
    await db().query(
      `SELECT ${schema}.provision_readings('p1', 's', '2025-01-15', '2025-06-15'), ${schema}.provision_events('2025-03-01', '2025-03-05')`,
    );
    await db().query(
      `INSERT INTO ${schema}.readings SELECT 'p1', 's', d, 1 FROM pg_catalog.generate_series('2025-01-05'::timestamptz, '2025-05-05', '1 month') AS d;
       INSERT INTO ${schema}.events VALUES ('2025-03-01 12:00+00', 1), ('2025-03-05 12:00+00', 2)`,
    );
  }, 60_000);

  const planOf = async (
    scheme: Scheme,
    now: string,
    options: { readonly archive?: { readonly kind: "none" }; readonly mayEmpty?: boolean } = {},
  ): Promise<Plan> => {
    const reading = await readMaintenance(db(), scheme, { now, graceDays: 0, ...options });
    const { plan } = planMaintenance([reading], options);
    if (plan === undefined) throw new Error("there was nothing to do");
    return plan;
  };
  /** What it would do once the partitions that are missing are made. */
  const leavePlan = async (scheme: Scheme, now: string): Promise<Plan> => {
    const plan = await planOf(scheme, now);
    await apply(db(), {
      ...plan,
      name: "before",
      steps: plan.steps.filter(({ id }) => !id.startsWith("leave")),
    });
    return planOf(scheme, now);
  };

  it("take the locks that they declare when a partition leaves from the third level, and bring it back", async () => {
    const plan = await leavePlan(byProgram, "2025-06-06T12:00:00Z");
    expect(plan.steps.some(({ id }) => id.endsWith("/detach"))).toBe(true);
    // The locks of DETACH … CONCURRENTLY come in a second transaction: the contract of upkeep looks at them.
    const applied = await measureRun(db(), plan, "apply", {});
    expect(applied.problems.filter((line) => !/^apply leave.*detach:/.test(line))).toEqual([]);
    expect((await measureRun(db(), plan, "undo", {})).problems).toEqual([]);
  });

  it("go on where they were killed, by what the catalog says", async () => {
    const plan = await planOf(byProgram, "2025-06-06T12:00:00Z");
    for (let cut = 1; cut < plan.steps.length; cut++) {
      const { steps } = await planOf(byProgram, "2025-06-06T12:00:00Z").catch(() => ({
        steps: [],
      }));
      if (steps.length === 0) break;
      await apply(db(), { format: 1, name: `killed-${cut}`, steps: steps.slice(0, 1) });
    }
    for (const now of ["2025-06-06T12:00:00Z", "2025-06-06T12:01:00Z"])
      await maintain(engine.db(), [byProgram], { now, archive: { kind: "none" }, graceDays: 0 });
    const rows = await db().query(
      `SELECT c.relname AS name FROM pg_catalog.pg_class AS c WHERE c.relkind = 'r' AND c.relname LIKE 'readings\\_%' AND NOT c.relispartition`,
    );
    expect(rows).toEqual([]);
  });
});
