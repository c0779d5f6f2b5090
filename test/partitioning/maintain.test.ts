import { beforeEach, expect, it } from "vitest";
import type { Executor } from "../../src/executor/executor.ts";
import { maintain } from "../../src/partitioning/maintenance/maintain.ts";
import { explain } from "../../src/plan/explain.ts";
import { onEngines } from "../support/server.ts";
import {
  byProgram,
  partitions,
  programs,
  readings,
  schema,
  setup,
  tables,
} from "./maintain-fixture.ts";

onEngines("maintain", (engine) => {
  let db: Executor;

  beforeEach(async () => {
    db = engine.executor();
    await db.query(
      `DROP SCHEMA IF EXISTS ${schema} CASCADE; DROP SCHEMA IF EXISTS underpin CASCADE`,
    );
    await db.query(setup([programs, readings], [byProgram]));
    await db.query(`INSERT INTO ${schema}.programs VALUES ('p1')`);
    await db.query(`SELECT ${schema}.provision_readings('p1', 's', '2025-01-15', NULL)`);
    await db.query(
      `INSERT INTO ${schema}.readings SELECT 'p1', 's', d, 1 FROM pg_catalog.generate_series('2025-01-05'::timestamptz, '2025-02-05', '1 month') AS d`,
    );
  }, 60_000);

  const at = (now: string) => ({ now: `${now}T12:00:00Z`, graceDays: 7 });
  const done = async (now: string, options = {}) => {
    const report = await maintain(engine.db(), [byProgram], { ...at(now), ...options });
    expect(report.failure?.message).toBeUndefined();
    expect(report.outcome).toBe("applied");
    return report;
  };

  it("makes the months that are about to begin, and nothing the second time", async () => {
    await done("2025-02-10");
    expect(await partitions(db, "readings")).toEqual(
      ["01", "02", "03", "04"].map((month) => `readings_program_p1_site_s_2025_${month}`),
    );
    const again = await done("2025-02-10");
    expect(again.steps).toEqual([]);
    const [runs] = await db.query(`SELECT pg_catalog.count(*)::int AS n FROM underpin.runs`);
    // The statistics; the partitions were made with them.
    expect(runs).toEqual({ n: 1 });
  });

  it("makes what lies between, when nobody was here for some time", async () => {
    await done("2025-08-10");
    const made = await partitions(db, "readings");
    expect(made.filter((name) => /2025_0[4-9]|2025_10/.test(name))).toHaveLength(7);
  });

  it("prints what it would do, and does nothing of it", async () => {
    const before = await partitions(db, "readings");
    const report = await maintain(engine.db(), [byProgram], { ...at("2025-05-02"), dryRun: true });
    expect(report.planned && explain(report.planned)).toContain(
      "Detach readings_program_p1_site_s_2025_01",
    );
    expect(report.steps.every(({ state }) => state === "unapplied")).toBe(true);
    expect(await partitions(db, "readings")).toEqual(before);
  });

  it("lets go of what is no longer retained, keeps it for its grace period, and drops it then", async () => {
    await done("2025-05-02", { archive: { kind: "none" } });
    const name = "readings_program_p1_site_s_2025_01";
    expect(await partitions(db, "readings")).not.toContain(name);
    expect(await tables(db, name)).toEqual([name]);
    const left = await db.query(
      `SELECT conname FROM pg_catalog.pg_constraint WHERE conrelid = $1::text::regclass AND contype IN ('f', 'c')`,
      [`${schema}.${name}`],
    );
    expect(left).toEqual([]);
    await done("2025-05-08", { archive: { kind: "none" } });
    expect(await tables(db, name)).toEqual([name]);
    await done("2025-05-10", { archive: { kind: "none" } });
    expect(await tables(db, name)).toEqual([]);
  });
});
