import { beforeEach, expect, it } from "vitest";
import type { Scheme } from "../../src/definition/scheme.ts";
import type { Executor } from "../../src/executor/executor.ts";
import { maintain } from "../../src/partitioning/maintenance/maintain.ts";
import { list, partitionBy, range } from "../../src/partitioning/partition-by.ts";
import { schemeObjects } from "../../src/partitioning/scheme-objects.ts";
import { onEngines } from "../support/server.ts";
import { byProgram, partitions, programs, readings, schema, setup } from "./maintain-fixture.ts";

/** With a default partition for programs that nobody named, and one for sites. */
const besideOthers = partitionBy(
  readings,
  list(readings.programId, { default: true }),
  list(readings.siteId, { default: true }),
  range(readings.at, { every: "1 month", premake: 1 }),
);

onEngines("what maintenance leaves to a person", (engine) => {
  let db: Executor;
  const rows = () =>
    db.query(`SELECT program_id, site_id, n FROM ${schema}.readings ORDER BY 1, 2, 3`);
  const found = async (scheme: Scheme, now: string) => {
    const report = await maintain(engine.db(), [scheme], { now: `${now}T12:00:00Z` });
    expect(report.failure?.message).toBeUndefined();
    return report;
  };

  beforeEach(async () => {
    db = engine.executor();
    await db.query(
      `DROP SCHEMA IF EXISTS ${schema} CASCADE; DROP SCHEMA IF EXISTS underpin CASCADE`,
    );
  }, 60_000);

  it("names a default partition of values above deeper levels, and its rows stay where everybody sees them", async () => {
    await db.query(setup([programs, readings], [besideOthers]));
    await db.query(`INSERT INTO ${schema}.programs VALUES ('p1'), ('p2')`);
    await db.query(`SELECT ${schema}.provision_readings('p1', 's', '2025-01-15', '2025-02-15')`);
    await db.query(
      `INSERT INTO ${schema}.readings VALUES ('p1', 's', '2025-01-05', 1), ('p1', 'unnamed', '2025-01-05', 2), ('p2', 's', '2025-01-05', 3)`,
    );
    const before = await rows();
    const { findings } = await found(besideOthers, "2025-01-10");
    const defaults = findings.filter(({ check }) => check === "partition-default-rows");
    expect(defaults.map(({ object }) => object.replace(/^.*"\./, "")).sort()).toEqual([
      '"readings_default"',
      '"readings_program_p1_default"',
    ]);
    for (const { message } of defaults) expect(message).toContain("provision their values");
    expect(await rows()).toEqual(before);
  });

  it("names a table that is cut otherwise since its scheme was changed, makes nothing below it, and loses no row", async () => {
    await db.query(setup([programs, readings], [byProgram]));
    await db.query(`INSERT INTO ${schema}.programs VALUES ('p1')`);
    await db.query(`SELECT ${schema}.provision_readings('p1', 's', '2025-01-15', '2025-02-15')`);
    await db.query(`INSERT INTO ${schema}.readings VALUES ('p1', 's', '2025-01-05', 1)`);
    const before = { rows: await rows(), parts: await partitions(db, "readings") };
    const [program, , months = program] = byProgram.dimensions;
    const otherwise: readonly (readonly [Scheme["dimensions"], string])[] = [
      [[program, months], "range of at comes there"],
      [[program], "nothing is below that level"],
    ];
    for (const [dimensions, said] of otherwise) {
      const { findings } = await found({ ...byProgram, dimensions }, "2025-03-10");
      expect(findings.map(({ check }) => check)).toEqual(Array(2).fill("partition-dimension"));
      expect(findings[0]?.message).toContain(`LIST (site_id)`);
      expect(findings[0]?.message).toContain(said);
    }
    expect({ rows: await rows(), parts: await partitions(db, "readings") }).toEqual(before);
  });

  it("goes on with the new intervals beside those of a scheme that was cut by months", async () => {
    await db.query(setup([programs, readings], [byProgram]));
    await db.query(`INSERT INTO ${schema}.programs VALUES ('p1')`);
    await db.query(`SELECT ${schema}.provision_readings('p1', 's', '2025-01-15', '2025-01-15')`);
    await db.query(`INSERT INTO ${schema}.readings VALUES ('p1', 's', '2025-01-05', 1)`);
    const before = await rows();
    const weekly = partitionBy(
      readings,
      list(readings.programId),
      list(readings.siteId),
      range(readings.at, { every: "1 week", premake: 1 }),
    );
    for (const { kind, create } of schemeObjects(weekly))
      if (kind === "function")
        await db.query(create.replaceAll("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"));
    await found(weekly, "2025-01-30");
    // The first week of February begins in January: only what is left of it.
    expect((await partitions(db, "readings")).map((name) => name.slice(-8))).toEqual([
      "_2025_01",
      "2025_w05",
      "2025_w06",
    ]);
    expect(await rows()).toEqual(before);
    await db.query(`INSERT INTO ${schema}.readings VALUES ('p1', 's', '2025-02-01', 2)`);
  });

  it("makes again a month that was deleted by hand, where it is still to come", async () => {
    await db.query(setup([programs, readings], [byProgram]));
    await db.query(`INSERT INTO ${schema}.programs VALUES ('p1')`);
    await db.query(`SELECT ${schema}.provision_readings('p1', 's', '2025-01-15', '2025-04-15')`);
    await db.query(`DROP TABLE ${schema}.readings_program_p1_site_s_2025_03`);
    await found(byProgram, "2025-02-10");
    expect(await partitions(db, "readings")).toContain("readings_program_p1_site_s_2025_03");
  });

  it("makes a month under another name where a view has taken its own", async () => {
    await db.query(setup([programs, readings], [byProgram]));
    await db.query(`INSERT INTO ${schema}.programs VALUES ('p1')`);
    await db.query(`SELECT ${schema}.provision_readings('p1', 's', '2025-01-15', '2025-02-15')`);
    await db.query(`CREATE VIEW ${schema}.readings_program_p1_site_s_2025_03 AS SELECT 1 AS one`);
    await found(byProgram, "2025-01-10");
    const made = await partitions(db, "readings");
    expect(made).toHaveLength(3);
    expect(made.some((name) => /^readings_program_p1_site_s_[0-9a-f]{8}_2025_03$/.test(name))).toBe(
      true,
    );
  });
});
