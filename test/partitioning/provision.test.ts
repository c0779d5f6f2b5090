import { beforeAll, expect, it } from "vitest";
import type { Executor } from "../../src/executor/executor.ts";
import { partitionBy, range } from "../../src/partitioning/partition-by.ts";
import { planProvision } from "../../src/partitioning/plan-provision.ts";
import { provision } from "../../src/partitioning/provision.ts";
import { readSurvey, readSurveys } from "../../src/partitioning/survey.ts";
import { undo } from "../../src/run/undo.ts";
import { expectLocks } from "../../src/testing/expect-locks.ts";
import { expectReversible } from "../../src/testing/expect-reversible.ts";
import { onEngines, onServers } from "../support/server.ts";
import { nested, readings, schema, setup } from "./scheme-fixture.ts";

const at = (day: string) => new Date(`${day}T00:00:00Z`);
const YEAR = { from: at("2025-01-01"), until: at("2025-12-31") };

async function leaves(db: Executor): Promise<number> {
  const [row] = await db.query<{ n: number }>(
    `SELECT pg_catalog.count(*)::int AS n FROM pg_catalog.pg_class AS c
     WHERE c.relispartition AND c.relkind = 'r' AND c.relname LIKE 'read\\_%'`,
  );
  return row?.n ?? -1;
}

onEngines("provision", (engine) => {
  let db: Executor;
  beforeAll(async () => {
    db = engine.executor();
    await db.query(setup());
    await db.query(`INSERT INTO ${schema}.programs VALUES ('p1'), ('p2'), ('p3'), ('p4'), ('p5')`);
  }, 60_000);

  it("makes a site's year in one step, says so, and writes no run where nothing is missing", async () => {
    const site = { programId: "p1", siteId: "s1" };
    const report = await provision(db, nested, site, YEAR);
    expect(report).toMatchObject({ outcome: "applied", ranHere: true });
    expect(report.plan).toMatch(/^provision-we"ird Schema\.readings-\d{12}-[0-9a-f]{8}$/);
    expect(report.steps).toHaveLength(1);
    expect(await leaves(db)).toBe(12);
    const again = await provision(db, nested, site, YEAR);
    expect(again).toMatchObject({ outcome: "applied", ranHere: false, steps: [] });
    const runs = await db.query("SELECT pg_catalog.count(*)::int AS n FROM underpin.runs");
    expect(runs).toEqual([{ n: 1 }]);
  });

  it("holds the locks that it declares, as many, and the undo leaves the catalog as it was", async () => {
    for (const [sites, steps] of [
      [[{ programId: "p2", siteId: "s1" }], 1],
      [[{ programId: "p1", siteId: "s2" }], 1],
      // A program with two sites: the second is attached below what the first step made.
      [
        [
          { programId: "p3", siteId: "a" },
          { programId: "p3", siteId: "b" },
        ],
        2,
      ],
    ] as const) {
      const surveys = [];
      for (const site of sites) surveys.push(await readSurvey(db, nested, site, YEAR));
      const plan = planProvision(nested, surveys);
      expect(plan.steps).toHaveLength(steps);
      expect(await expectLocks(plan, { on: db })).toHaveLength(2 * steps);
      await expectReversible(plan, { on: db });
    }
    const long = await readSurvey(
      db,
      nested,
      { programId: "p1", siteId: "long" },
      {
        from: at("2020-01-01"),
        until: at("2023-12-31"),
      },
    );
    const plan = planProvision(nested, [long]);
    expect(plan.steps.map(({ id }) => id)).toEqual(["p1 long", "p1 long 2", "p1 long 3"]);
    expect(await expectLocks(plan, { on: db })).toHaveLength(6);
    await expectReversible(plan, { on: db });
  }, 120_000);

  it("keeps a row that was written meanwhile when it is taken back, and drops the rest", async () => {
    const before = await leaves(db);
    const report = await provision(db, nested, { programId: "p4", siteId: "s" }, YEAR);
    await db.query(
      `INSERT INTO ${schema}.readings (program_id, site_id, created_at) VALUES ('p4', 's', '2025-02-03')`,
    );
    expect(await undo(db, report.plan)).toMatchObject({ outcome: "undone" });
    expect(await leaves(db)).toBe(before + 1);
    // In the same minute, with the same content: a new run all the same.
    expect(await provision(db, nested, { programId: "p4", siteId: "s" }, YEAR)).toMatchObject({
      outcome: "applied",
      ranHere: true,
    });
    expect(await leaves(db)).toBe(before + 12);
  });

  it("makes again what a person dropped in the same minute", async () => {
    const site = { programId: "p5", siteId: "s" };
    const once = { from: at("2025-01-05"), until: at("2025-01-05") };
    for (let round = 0; round < 2; round += 1) {
      await provision(db, nested, site, once);
      await db.query(`DROP TABLE ${schema}.read_prog_p5`);
    }
    expect(await provision(db, nested, site, once)).toMatchObject({ ranHere: true });
    await db.query(`DROP TABLE ${schema}.read_prog_p5`);
  });

  it("begins with the interval of the clock that it is given", async () => {
    await provision(db, nested, { programId: "p5", siteId: "clock" }, { now: at("2031-11-30") });
    const rows = await db.query<{ name: string }>(
      `SELECT relname::text AS name FROM pg_catalog.pg_class WHERE relname LIKE 'read\\_prog\\_p5\\_site\\_clock\\_%' AND relkind = 'r' ORDER BY 1`,
    );
    expect(rows.map(({ name }) => name.slice(-7))).toEqual([
      "2031_11",
      "2031_12",
      "2032_01",
      "2032_02",
    ]);
  });

  it("refuses values that no partition takes, with what to give", async () => {
    const bad: object = { programId: "p1", siteId: null };
    await expect(readSurvey(db, nested, bad)).rejects.toMatchObject({
      code: "invalidInput",
      message: expect.stringContaining("siteId has no value") as string,
    });
    await expect(
      readSurvey(db, nested, { programId: "p", siteId: "s", tenantId: 1 }),
    ).rejects.toThrow("tenantId is no column");
    await expect(
      readSurvey(db, nested, { programId: "p", siteId: "s" }, { from: at("nonsense") }),
    ).rejects.toThrow("invalid Date");
    await expect(
      readSurvey(db, nested, { programId: "p", siteId: "s" }, { until: at("9999-01-01") }),
    ).rejects.toMatchObject({ message: expect.stringContaining("more than 5000") as string });
  });

  it("asks for many sets of values at once, in their order, and names the one that is refused", async () => {
    const sites = Array.from({ length: 60 }, (_, n) => ({ programId: "many", siteId: `s${n}` }));
    const surveys = await readSurveys(
      db,
      nested,
      sites.map((site) => [site, YEAR]),
    );
    expect(surveys.map(({ values }) => values["p_site_id"])).toEqual(
      sites.map(({ siteId }) => siteId),
    );
    expect(surveys.map(({ partitions }) => partitions.length)).toEqual(Array(60).fill(14));
    expect(surveys[59]).toEqual(
      await readSurvey(db, nested, { programId: "many", siteId: "s59" }, YEAR),
    );
    expect(await readSurveys(db, nested, [])).toEqual([]);
    await expect(
      readSurveys(db, nested, [
        [{ programId: "good", siteId: "s" }],
        [{ programId: "bad", siteId: "s" }, { until: 12 }],
      ]),
    ).rejects.toMatchObject({
      code: "invalidInput",
      message: expect.stringContaining(`for {"program_id":"bad","site_id":"s"}`) as string,
    });
  });

  it("knows the tables that point to the partitioned one", async () => {
    await db.query(`CREATE TABLE ${schema}.notes (program_id text, site_id text, created_at timestamptz, reading_id uuid,
      FOREIGN KEY (program_id, site_id, created_at, reading_id) REFERENCES ${schema}.readings)`);
    const { related } = await readSurvey(db, nested, { programId: "p1", siteId: "related" });
    await db.query(`DROP TABLE ${schema}.notes`);
    expect(related.map(({ name }) => name).sort()).toEqual(["notes", "programs"]);
  });

  it("refuses a scheme that its table is not cut by, and makes nothing", async () => {
    const otherwise = { ...nested, dimensions: [...nested.dimensions].reverse() } as never;
    const [{ sql: broken = "" } = {}] = planProvision(nested, [
      await readSurvey(db, nested, { programId: "p1", siteId: "cut" }),
    ]).steps as readonly { sql?: string }[];
    expect(broken).toContain("provision_readings");
    await db.query(`
      CREATE TABLE ${schema}.half PARTITION OF ${schema}.readings FOR VALUES IN ('half') PARTITION BY LIST (site_id);
      CREATE TABLE ${schema}.half_leaf PARTITION OF ${schema}.half FOR VALUES IN ('leaf')`);
    await expect(
      readSurvey(db, nested, { programId: "half", siteId: "leaf" }),
    ).rejects.toMatchObject({
      code: "inDoubt",
      message: expect.stringContaining("is not partitioned as its scheme says") as string,
      hint: expect.stringContaining("Give the scheme the dimensions that the table has") as string,
    });
    await expect(
      readSurvey(db, otherwise, { programId: "p1", siteId: "s" }),
    ).resolves.toBeDefined();
    await db.query(`DROP TABLE ${schema}.half`);
  });

  it("says what to install where the functions are not there", async () => {
    const lone = partitionBy(readings, range(readings.createdAt, { every: "1 month" }));
    await db.query(`ALTER FUNCTION ${schema}.survey_readings RENAME TO survey_away`);
    await expect(provision(db, lone, {})).rejects.toMatchObject({
      code: "inDoubt",
      hint: expect.stringContaining("planInstall") as string,
    });
    await db.query(`ALTER FUNCTION ${schema}.survey_away RENAME TO survey_readings`);
  });
});

onServers("provision from ten hosts", (server) => {
  it("makes everything once while others read and write, and everybody succeeds", async () => {
    const sql = server.sql();
    await sql.unsafe(setup());
    await sql.unsafe(`INSERT INTO ${schema}.programs VALUES ('p'), ('busy')`);
    await sql.unsafe(`SELECT ${schema}.provision_readings('busy', 's')`);
    let running = true;
    let longest = 0;
    let writes = 0;
    const writer = async () => {
      const own = server.connect({ max: 1 });
      while (running) {
        const began = performance.now();
        await own.unsafe(
          `INSERT INTO ${schema}.readings (program_id, site_id) VALUES ('busy', 's')`,
        );
        longest = Math.max(longest, performance.now() - began);
        writes += 1;
      }
    };
    const writers = [writer(), writer(), writer()];
    const hosts = Array.from({ length: 10 }, () => server.connect({ max: 3 }));
    const reports = await Promise.all(
      hosts.map((host) => provision(host, nested, { programId: "p", siteId: "s" }, YEAR)),
    );
    running = false;
    await Promise.all(writers);
    expect(reports.map(({ outcome }) => outcome)).toEqual(Array(10).fill("applied"));
    const [row] = await sql.unsafe<{ n: number }[]>(
      `SELECT pg_catalog.count(*)::int AS n FROM pg_catalog.pg_class WHERE relispartition AND relkind = 'r' AND relname LIKE 'read\\_prog\\_p\\_%'`,
    );
    expect(row?.n).toBe(12);
    expect(writes).toBeGreaterThan(0);
    expect(longest).toBeLessThan(2000);
    if (process.env["UNDERPIN_FIGURES"] !== undefined)
      console.log(`longest wait of a writer: ${Math.round(longest)} ms in ${writes} writes`);
  }, 120_000);
});
