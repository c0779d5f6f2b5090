import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import type { Executor } from "../../src/executor/executor.ts";
import { maintain } from "../../src/partitioning/maintenance/maintain.ts";
import { onEngines, onServers } from "../support/server.ts";
import { openTransaction, startTraffic } from "../server/run-traffic.ts";
import {
  byDay,
  byProgram,
  events,
  partitions,
  programs,
  readings,
  schema,
  setup,
  tables,
} from "./maintain-fixture.ts";

const january = "readings_program_p1_site_s_2025_01";

const fresh = `
  DROP SCHEMA IF EXISTS ${schema} CASCADE; DROP SCHEMA IF EXISTS underpin CASCADE;
  ${setup([programs, readings, events], [byProgram, byDay])};
  INSERT INTO ${schema}.programs VALUES ('p1');
  DO $do$ BEGIN PERFORM ${schema}.provision_readings('p1', 's', '2025-01-15', '2025-06-15'); END $do$;
  INSERT INTO ${schema}.readings SELECT 'p1', 's', d, 1, 'a "quoted", text'
  FROM pg_catalog.generate_series('2025-01-05'::timestamptz, '2025-05-05', '1 month') AS d`;

onEngines("retention", (engine) => {
  let db: Executor;
  let directory: string;
  const run = (now: string, options = {}) =>
    maintain(engine.db(), [byProgram], { now: `${now}T12:00:00Z`, ...options });
  const done = async (now: string, options = {}) => {
    const report = await run(now, options);
    expect(report.failure?.message).toBeUndefined();
    expect(report.outcome).toBe("applied");
    return report;
  };
  const checks = (report: { readonly findings: readonly { readonly check: string }[] }) =>
    report.findings.map(({ check }) => check);

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "underpin-archive-"));
  });
  afterAll(() => rm(directory, { recursive: true }));
  beforeEach(async () => {
    db = engine.executor();
    await db.query(fresh);
  }, 60_000);

  it("writes the rows to a file before it drops them, and every value comes back", async () => {
    await done("2025-05-06", { archive: { kind: "copy", directory } });
    await done("2025-05-20", { archive: { kind: "copy", directory } });
    expect(await tables(db, january)).toEqual([]);
    const file = await readFile(
      join(directory, `${encodeURIComponent('we"ird Schema')}.${january}.csv`),
      "utf8",
    );
    expect(file).toBe(
      `"program_id","site_id","at","n","value"\n"p1","s","2025-01-05 00:00:00+00","1","a ""quoted"", text"\n`,
    );
  });

  it("hands a partition to the host, and keeps it when the host fails", async () => {
    const archive = { kind: "handler", name: "to-cold-storage", version: 1 } as const;
    const handlers = (work: () => Promise<void>) => ({
      archive,
      handlers: { "to-cold-storage": { version: 1, run: work } },
    });
    await done(
      "2025-05-06",
      handlers(async () => {}),
    );
    const failed = await run(
      "2025-05-20",
      handlers(() => Promise.reject(new Error("no space left"))),
    );
    expect(failed.outcome).toBe("failed");
    expect(failed.failure?.message).toContain("no space left");
    expect(await tables(db, january)).toEqual([january]);
    await done(
      "2025-05-21",
      handlers(async () => {}),
    );
    expect(await tables(db, january)).toEqual([]);
  });

  it("drops nothing where nobody said where the rows go", async () => {
    await done("2025-05-06");
    const report = await done("2025-05-20");
    expect(checks(report)).toEqual(["partition-kept"]);
    expect(await tables(db, january)).toEqual([january]);
  });

  it("does not drop what somebody attached again", async () => {
    await done("2025-05-06");
    await db.query(
      `ALTER TABLE ${schema}.readings_program_p1_site_s ATTACH PARTITION ${schema}.${january} FOR VALUES FROM ('2025-01-01 00:00+00') TO ('2025-02-01 00:00+00')`,
    );
    await done("2025-05-06", {
      mayEmpty: true,
      archive: { kind: "none" },
      graceDays: 0,
      now: "2025-04-20T00:00:00Z",
    });
    expect(await partitions(db, "readings")).toContain(january);
    const [row] = await db.query(
      `SELECT pg_catalog.obj_description('${schema}.${january}'::regclass, 'pg_class') AS mark`,
    );
    expect(row).toEqual({ mark: null });
  });

  it("refuses to drop everything", async () => {
    const before = await partitions(db, "readings");
    const report = await done("2026-01-10");
    expect(checks(report)).toEqual(["retention-drops-everything"]);
    expect(await partitions(db, "readings")).toEqual(expect.arrayContaining([...before]));
    await done("2026-01-10", { mayEmpty: true });
    expect(await partitions(db, "readings")).not.toContain(january);
  });

  it("makes and drops nothing by a clock that is two years off", async () => {
    const before = await partitions(db, "readings");
    for (const now of ["2027-05-06", "2023-05-06"]) {
      const report = await run(now);
      expect(checks(report)).toEqual(["partition-clock"]);
      expect(report.steps.map(({ id }) => id).filter((id) => !id.startsWith("analyze"))).toEqual(
        [],
      );
    }
    expect(await partitions(db, "readings")).toEqual(before);
  });

  it("keeps a partition to whose rows others refer, and says so; the others leave", async () => {
    await db.query(`CREATE TABLE ${schema}.notes (program_id text, site_id text, at timestamptz, n integer,
      FOREIGN KEY (program_id, site_id, at, n) REFERENCES ${schema}.readings);
      INSERT INTO ${schema}.notes SELECT program_id, site_id, at, n FROM ${schema}.readings WHERE at < '2025-02-01'`);
    const report = await done("2025-06-06");
    expect(checks(report)).toEqual(["retention-referenced"]);
    const left = await partitions(db, "readings");
    expect(left).toContain(january);
    expect(left).not.toContain("readings_program_p1_site_s_2025_02");
  });

  it("detaches beside a default partition, too", async () => {
    await db.query(
      `DO $do$ BEGIN PERFORM ${schema}.provision_events('2025-03-01', '2025-03-15'); END $do$;
       INSERT INTO ${schema}.events VALUES ('2025-03-01 12:00+00', 1), ('2025-03-15 12:00+00', 2)`,
    );
    const report = await maintain(engine.db(), [byDay], {
      now: "2025-03-15T12:00:00Z",
      archive: { kind: "none" },
      graceDays: 0,
    });
    expect(report.failure).toBeUndefined();
    expect(await partitions(db, "events")).not.toContain("events_2025_03_01");
    expect(await partitions(db, "events")).toContain("events_2025_03_05");
  });

  it("lets go of partitions that have been empty for long enough", async () => {
    await db.query(
      `DO $do$ BEGIN PERFORM ${schema}.provision_readings('p1', 'quiet', '2025-04-15', '2025-06-15'); END $do$`,
    );
    await done("2025-06-20", { dropEmptyAfter: "30 days" });
    const left = await partitions(db, "readings");
    expect(left).not.toContain("readings_program_p1_site_quiet_2025_04");
    expect(left).toContain("readings_program_p1_site_quiet_2025_05");
    expect(left).toContain("readings_program_p1_site_s_2025_04");
  });

  it("closes partitions that were opened, and completes an index that was made on the root alone", async () => {
    await db.query(`ALTER TABLE ${schema}.${january} NO FORCE ROW LEVEL SECURITY;
      GRANT SELECT ON ${schema}.${january} TO PUBLIC;
      CREATE INDEX readings_n_idx ON ONLY ${schema}.readings (n)`);
    await done("2025-03-10");
    // The index of an inner table is made first, those below it by the next call.
    await done("2025-03-11");
    await done("2025-03-12");
    const [row] = await db.query(
      `SELECT c.relforcerowsecurity AS forced, c.relacl::text AS acl, i.indisvalid AS valid
       FROM pg_catalog.pg_class AS c, pg_catalog.pg_index AS i
       WHERE c.oid = '${schema}.${january}'::regclass AND i.indexrelid = '${schema}.readings_n_idx'::regclass`,
    );
    expect(row).toMatchObject({ forced: true, valid: true });
    expect(String((row as { acl: unknown }).acl)).not.toContain("{=");
    expect((await done("2025-03-12")).steps).toEqual([]);
  });
});

onServers("retention beside an application", (server) => {
  it("finishes the detach that a killed call left, and makes no writer wait", async () => {
    const sql = server.sql();
    await sql.unsafe(fresh);
    const old = await openTransaction(server, `SELECT 1 FROM ${schema}.readings`);
    const killed = server.connect({ max: 1 });
    await killed.unsafe(`SET statement_timeout = '300ms'`);
    await killed
      .unsafe(
        `ALTER TABLE ${schema}.readings_program_p1_site_s DETACH PARTITION ${schema}.${january} CONCURRENTLY`,
      )
      .catch(() => {});
    await old.commit();
    const [pending] = await sql.unsafe<{ n: number }[]>(
      `SELECT pg_catalog.count(*)::int AS n FROM pg_catalog.pg_inherits WHERE inhdetachpending`,
    );
    expect(pending?.n).toBe(1);
    const traffic = await startTraffic(server, [
      `INSERT INTO ${schema}.readings SELECT 'p1', 's', '2025-05-07', pg_catalog.floor(pg_catalog.random() * 1e9)::int`,
      `SELECT pg_catalog.count(*) FROM ${schema}.readings WHERE program_id = 'p1' AND at > '2025-05-01'`,
      `UPDATE ${schema}.programs SET program_id = program_id`,
    ]);
    const first = await maintain(sql, [byProgram], { now: "2025-05-06T12:00:00Z" });
    expect(first.failure).toBeUndefined();
    const second = await maintain(sql, [byProgram], { now: "2025-06-06T12:00:00Z" });
    expect(second.failure).toBeUndefined();
    const longestMs = await traffic.stop();
    expect(longestMs).toBeLessThan(2_000);
    const left = await sql.unsafe(
      `SELECT inhrelid::regclass::text FROM pg_catalog.pg_inherits WHERE inhdetachpending`,
    );
    expect(left).toHaveLength(0);
    console.info(
      `retention on PostgreSQL ${server.major}: the longest statement beside it took ${Math.round(longestMs)} ms`,
    );
  });

  it("is done once by twenty hosts that call at once", async () => {
    const sql = server.sql();
    await sql.unsafe(fresh);
    const hosts = Array.from({ length: 20 }, () => server.connect({ max: 2 }));
    const reports = await Promise.all(
      hosts.map((host) => maintain(host, [byProgram], { now: "2025-06-06T12:00:00Z" })),
    );
    expect(
      reports.filter(({ outcome, steps }) => outcome === "applied" && steps.length > 0),
    ).toHaveLength(1);
    expect(reports.filter(({ outcome }) => !["applied", "busy"].includes(outcome))).toEqual([]);
    await Promise.all(hosts.map((host) => host.end()));
    const [runs] = await sql.unsafe(`SELECT pg_catalog.count(*)::int AS n FROM underpin.runs`);
    expect(runs).toEqual({ n: 1 });
  });
});
