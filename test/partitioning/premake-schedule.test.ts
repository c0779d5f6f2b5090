import { integer, pgTable, primaryKey, text, timestamp, uuid } from "drizzle-orm/pg-core";
import { beforeEach, expect, it } from "vitest";
import { defineDatabase } from "../../src/definition/define-database.ts";
import { planInstall } from "../../src/install/plan-install.ts";
import { planUninstall } from "../../src/install/plan-uninstall.ts";
import { hash, partitionBy, range } from "../../src/partitioning/partition-by.ts";
import { premakeSchedule } from "../../src/partitioning/premake-schedule.ts";
import { apply } from "../../src/run/apply.ts";
import { onEngines } from "../support/server.ts";
import { app, byProgram, programs, readings, schema } from "./maintain-fixture.ts";

const NESTED = { ...byProgram, overrides: [] };
const events = app.table(
  "events",
  { id: uuid().notNull(), region: integer(), at: timestamp().notNull() },
  (t) => [primaryKey({ columns: [t.id, t.at] })],
);
const byHash = partitionBy(
  events,
  hash(events.id, { modulus: 3 }),
  range(events.at, { every: "1 week", premake: 1 }),
);
const definition = defineDatabase({
  name: "scheduled",
  tables: { app, programs, readings, events },
  partitions: [NESTED, byHash],
  objects: [
    ...premakeSchedule(NESTED, { every: "15 minutes" }),
    ...premakeSchedule(byHash, { every: "1 day" }),
  ],
});

/** What of pg_cron a schedule uses. It is only there where the test says so. */
const STAND_IN = `
  CREATE SCHEMA cron;
  CREATE TABLE cron.job (jobid bigint GENERATED ALWAYS AS IDENTITY, jobname text UNIQUE, schedule text, command text,
    database text DEFAULT current_database());
  CREATE FUNCTION cron.schedule(job_name text, schedule text, command text) RETURNS bigint LANGUAGE sql AS
    'INSERT INTO cron.job (jobname, schedule, command) VALUES ($1, $2, $3)
     ON CONFLICT (jobname) DO UPDATE SET schedule = excluded.schedule, command = excluded.command RETURNING jobid';
  CREATE FUNCTION cron.unschedule(job_id bigint) RETURNS boolean LANGUAGE sql AS
    'DELETE FROM cron.job WHERE jobid = $1 RETURNING true';
  INSERT INTO pg_catalog.pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
    VALUES (4999999, 'pg_cron', 10, 'cron'::regnamespace, false, '1.6');`;

onEngines("premakeSchedule", (engine) => {
  const db = () => engine.executor();

  beforeEach(async () => {
    await db().query(
      `DELETE FROM pg_catalog.pg_extension WHERE extname = 'pg_cron'; DROP SCHEMA IF EXISTS cron CASCADE;
       DROP SCHEMA IF EXISTS ${schema} CASCADE; DROP SCHEMA IF EXISTS underpin CASCADE;`,
    );
  }, 60_000);

  const install = async () => {
    const report = await apply(engine.db(), planInstall(definition));
    expect(report.failure?.message).toBeUndefined();
  };
  const premake = async (now: string) => {
    const [row] = await db().query<{ n: number }>(
      `SELECT ${schema}.premake_readings('${now}') AS n`,
    );
    return row?.n;
  };
  const ends = async () =>
    (
      await db().query<{ name: string }>(
        `SELECT c.relname::text AS name FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
         WHERE c.relkind = 'r' AND c.relispartition AND pg_catalog.starts_with(c.relname, 'readings_') ORDER BY 1`,
      )
    ).map(({ name }) => name.slice("readings_program_".length));

  it("has no job where pg_cron is not, and the function all the same", async () => {
    await install();
    await db().query(`INSERT INTO ${schema}.programs VALUES ('p')`);
    expect(await premake("2025-01-15")).toBe(0);
    await db().query(
      `SELECT ${schema}.provision_readings('p', 's', '2025-01-15', '2025-01-15'), ${schema}.provision_readings('p', E'it''s \\\\', '2025-01-15', '2025-01-15')`,
    );
    expect(await premake("2025-01-20")).toBe(4);
    expect(await premake("2025-01-20")).toBe(0);
    expect(await premake("2025-02-01")).toBe(2);
    // Nobody called for some time: what lies between comes first.
    expect(await premake("2025-06-02")).toBe(4);
    expect(await premake("2025-06-02")).toBe(4);
    expect(await premake("2025-06-02")).toBe(0);
    expect((await ends()).filter((name) => name.startsWith("p_site_s_"))).toEqual(
      ["01", "02", "03", "04", "05", "06", "07", "08"].map((month) => `p_site_s_2025_${month}`),
    );
  });

  it("makes nothing by a clock that is years ahead, and what it can where one set of values cannot have its own", async () => {
    await install();
    await db().query(
      `SELECT ${schema}.provision_readings('p', s, '2025-01-15', '2025-01-15') FROM pg_catalog.unnest(ARRAY['a', 'b']) AS s;
       CREATE TABLE ${schema}.half PARTITION OF ${schema}.readings FOR VALUES IN ('half') PARTITION BY LIST (site_id);
       CREATE TABLE ${schema}.odd PARTITION OF ${schema}.half FOR VALUES IN ('s') PARTITION BY RANGE (n);
       CREATE TABLE ${schema}.ten PARTITION OF ${schema}.odd FOR VALUES FROM (1) TO (10)`,
    );
    expect(await premake("2028-01-20")).toBe(0);
    await db().query(`INSERT INTO ${schema}.programs VALUES ('p');
      CREATE TABLE ${schema}.rest PARTITION OF ${schema}.readings_program_p_site_a DEFAULT;
      INSERT INTO ${schema}.readings VALUES ('p', 'a', '2025-02-03', 1)`);
    expect(await premake("2025-01-20")).toBe(2);
    expect((await ends()).filter((name) => name.startsWith("p_site_"))).toEqual([
      "p_site_a_2025_01",
      ...["01", "02", "03"].map((month) => `p_site_b_2025_${month}`),
    ]);
  });

  it("makes at most twenty in one transaction", async () => {
    await install();
    await db().query(
      `SELECT ${schema}.provision_readings('p', 's' || g, '2025-01-15', '2025-01-15') FROM pg_catalog.generate_series(1, 25) AS g`,
    );
    const made: (number | undefined)[] = [];
    do made.push(await premake("2025-01-20"));
    while (made.at(-1) !== 0);
    expect(made).toEqual([18, 18, 14, 0]);
  });

  it("is a job where pg_cron is, which makes all that is missing and goes when it is uninstalled", async () => {
    await db().query(STAND_IN);
    await install();
    const jobs = () =>
      db().query<{ jobname: string; schedule: string; command: string }>(
        "SELECT jobname, schedule, command FROM cron.job ORDER BY 1",
      );
    const [first, second] = await jobs();
    expect(first).toMatchObject({ jobname: 'premake we"ird Schema.events', schedule: "0 0 * * *" });
    expect(second).toMatchObject({
      jobname: `premake we"ird Schema.readings`,
      schedule: "*/15 * * * *",
    });
    const month = `(pg_catalog.now() - interval '2 months')`;
    await db().query(
      `SELECT ${schema}.provision_readings('p', 's' || g, ${month}, ${month}) FROM pg_catalog.generate_series(1, 25) AS g`,
    );
    await db().query(first?.command ?? "");
    await db().query(second?.command ?? "");
    expect(await ends()).toHaveLength(25 * 5);
    expect(await premake(new Date().toISOString())).toBe(0);
    const gone = await apply(engine.db(), planUninstall(definition));
    expect(gone.failure?.message).toBeUndefined();
    expect(await jobs()).toEqual([]);
  }, 60_000);

  it("refuses a table that no time cuts, and intervals that are not evenly spaced", () => {
    const numbered = pgTable("numbered", { id: integer().primaryKey(), label: text() });
    const byNumber = partitionBy(numbered, range(numbered.id, { every: 1000 }));
    expect(() => premakeSchedule(byNumber)).toThrow("it is cut along no time");
    expect(() => premakeSchedule(byHash, { every: "7 minutes" })).toThrow("evenly spaced");
  });
});
