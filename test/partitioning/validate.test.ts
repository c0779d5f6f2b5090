import { beforeAll, expect, it } from "vitest";
import type { Executor } from "../../src/executor/executor.ts";
import { validatePartitions } from "../../src/partitioning/validate-partitions.ts";
import { onEngines } from "../support/server.ts";
import { nested, schema, setup } from "./scheme-fixture.ts";

/** The fixture's months begin then. */
const NOW = new Date("2025-01-15T12:00:00Z");
const JANUARY = `${schema}.read_prog_a_site_x_2025_01`;

onEngines("validatePartitions", (engine) => {
  let db: Executor;
  const checks = async (now = NOW) =>
    (await validatePartitions(db, nested, { now })).map(({ check }) => check);
  const findings = (now = NOW) => validatePartitions(db, nested, { now });
  beforeAll(async () => {
    db = engine.executor();
    await db.query(setup());
    await db.query(`INSERT INTO ${schema}.programs VALUES ('a'), ('b');
      SELECT ${schema}.provision_readings('a', 'x', '2025-01-01 00:00+00', '2025-04-01 00:00+00');
      SELECT ${schema}.provision_readings('b', 'y', '2025-01-01 00:00+00', '2025-04-01 00:00+00');
      CREATE FUNCTION ${schema}.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
      CREATE TRIGGER touch AFTER INSERT ON ${schema}.readings FOR EACH ROW EXECUTE FUNCTION ${schema}.touch()`);
  });

  it("finds nothing where all is as the scheme says", async () => {
    expect(await findings()).toEqual([]);
  });

  const sabotages: readonly (readonly [check: string, sql: string])[] = [
    ["partition-row-security", `ALTER TABLE ${JANUARY} NO FORCE ROW LEVEL SECURITY`],
    ["partition-policy", `CREATE POLICY "le""ak" ON ${JANUARY} USING (true)`],
    ["partition-privileges", `GRANT SELECT ON ${JANUARY} TO PUBLIC`],
    ["partition-trigger", `ALTER TABLE ${JANUARY} DISABLE TRIGGER touch`],
    ["partition-gap", `DROP TABLE ${schema}.read_prog_a_site_x_2025_02`],
    ["partition-missing", `DROP TABLE ${JANUARY}`],
    ["partition-premake", `DROP TABLE ${schema}.read_prog_a_site_x_2025_04`],
    ["partition-constraint", `ALTER TABLE ${JANUARY} ADD CONSTRAINT own CHECK (value > 0)`],
    [
      "partition-index",
      `CREATE INDEX later ON ONLY ${schema}.readings (value) WHERE value > 0;
       CREATE INDEX ready ON ${JANUARY} (value) WHERE value > 0`,
    ],
    ["partition-unlogged", `ALTER TABLE ${JANUARY} SET UNLOGGED`],
    [
      "partition-leftover",
      `CREATE TABLE ${schema}.read_prog_c (LIKE ${schema}.readings EXCLUDING IDENTITY)`,
    ],
  ];
  for (const [check, sabotage] of sabotages)
    it(`finds and mends: ${check}`, async () => {
      await db.query(sabotage);
      for (let round = 0; round < 4; round++) {
        const found = await findings();
        if (round === 0) expect(found.map((finding) => finding.check)).toContain(check);
        for (const { repair } of found)
          for (const statement of repair?.split(";\n") ?? []) await db.query(statement);
      }
      await db.query(`DROP INDEX IF EXISTS ${schema}.later`);
      expect(await findings()).toEqual([]);
    });

  it("finds a year without any partition, and a clock that went wrong", async () => {
    expect(new Set(await checks(new Date("2026-06-01T00:00:00Z")))).toEqual(
      new Set(["partition-missing"]),
    );
    expect(new Set(await checks(new Date("2022-06-01T00:00:00Z")))).toEqual(
      new Set(["partition-far-future", "partition-missing"]),
    );
  });

  it("finds what is cut otherwise, and a level that the scheme does not have", async () => {
    const weekly = {
      ...nested,
      overrides: [{ values: { program_id: "b" }, every: "1 week" as const, premake: 1 }],
    };
    expect(await validatePartitions(db, weekly, { now: NOW })).toMatchObject([
      { check: "partition-cut", message: expect.stringContaining("4 of its 4") as string },
    ]);
    const [program, site, month] = nested.dimensions;
    if (site === undefined || month === undefined) throw new Error("the fixture has three levels");
    const turned = await validatePartitions(
      db,
      { ...nested, dimensions: [site, program, month] },
      { now: NOW },
    );
    expect(turned.map(({ check, object }) => `${check} ${object}`)).toContain(
      `partition-dimension table ${schema}."readings"`,
    );
  });

  it("counts the rows of a default partition by value", async () => {
    await db.query(`CREATE TABLE ${schema}.read_rest PARTITION OF ${schema}.readings DEFAULT;
      ALTER TABLE ${schema}.read_rest ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
      INSERT INTO ${schema}.programs VALUES ('new');
      INSERT INTO ${schema}.readings (program_id, site_id, created_at) SELECT 'new', 'n', '2025-01-01' FROM pg_catalog.generate_series(1, 3)`);
    expect(await findings()).toMatchObject([
      {
        check: "partition-default-rows",
        message: "it holds 3 rows whose own partition is missing: 3 of new",
      },
    ]);
    await db.query(`DROP TABLE ${schema}.read_rest`);
  });

  it("tells a detached partition with rows from an empty one, and leaves both to a person", async () => {
    await db.query(`INSERT INTO ${schema}.readings (program_id, site_id, created_at) VALUES ('a', 'x', '2025-04-02');
      ALTER TABLE ${schema}.read_prog_a_site_x DETACH PARTITION ${schema}.read_prog_a_site_x_2025_04;
      ANALYZE ${schema}.read_prog_a_site_x_2025_04`);
    const found = await findings();
    expect(found.find(({ check }) => check === "partition-orphan")).toMatchObject({ repair: null });
    expect(found.map(({ check }) => check)).toContain("partition-premake");
    await db.query(`DROP TABLE ${schema}.read_prog_a_site_x_2025_04`);
  });
});
