import { beforeEach, expect, it } from "vitest";
import type { Executor } from "../../src/executor/executor.ts";
import { maintain } from "../../src/partitioning/maintenance/maintain.ts";
import { list, partitionBy, range } from "../../src/partitioning/partition-by.ts";
import { onEngines, onServers } from "../support/server.ts";
import {
  byDay,
  events,
  partitions,
  programs,
  readings,
  schema,
  setup,
  tables,
} from "./maintain-fixture.ts";

const besideDefault = partitionBy(
  readings,
  list(readings.programId),
  list(readings.siteId),
  range(readings.at, { every: "1 month", premake: 1, default: true }),
);

onEngines("a default partition", (engine) => {
  let db: Executor;
  const run = (now: string, options = {}) =>
    maintain(engine.db(), [byDay], { now: `${now}T12:00:00Z`, ...options });

  beforeEach(async () => {
    db = engine.executor();
    await db.query(
      `DROP SCHEMA IF EXISTS ${schema} CASCADE; DROP SCHEMA IF EXISTS underpin CASCADE`,
    );
    await db.query(setup([programs, readings, events], [byDay, besideDefault]));
    await db.query(`SELECT ${schema}.provision_events('2025-06-01')`);
  }, 60_000);

  it("gives its rows to the partitions that they should be in, and stays for those that have none", async () => {
    await db.query(
      `INSERT INTO ${schema}.events SELECT '2025-06-08 00:00+00'::timestamptz + n * interval '3 minutes', n, 'x' FROM pg_catalog.generate_series(1, 600) AS n`,
    );
    await db.query(
      `INSERT INTO ${schema}.events VALUES ('2199-01-01', 1, 'far'), ('infinity', 2, 'never')`,
    );
    const before = await db.query(`SELECT * FROM ${schema}.events ORDER BY 1, 2`);
    const report = await run("2025-06-09");
    expect(report.failure).toBeUndefined();
    expect(report.outcome).toBe("applied");
    expect(await db.query(`SELECT * FROM ${schema}.events ORDER BY 1, 2`)).toEqual(before);
    expect(await db.query(`SELECT n FROM ${schema}.events_default ORDER BY 1`)).toEqual([
      { n: 1 },
      { n: 2 },
    ]);
    expect(await partitions(db, "events")).toEqual(
      expect.arrayContaining(["events_2025_06_08", "events_2025_06_10", "events_2025_06_11"]),
    );
    expect((await tables(db, "events")).filter((name) => /drain|rest/.test(name))).toEqual([]);
    const indexes = await db.query<{ name: string }>(
      `SELECT c.relname AS name FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
       WHERE i.indrelid = '${schema}.events_default'::regclass`,
    );
    expect(indexes).toEqual([{ name: "events_default_pkey" }]);
    const again = await run("2025-06-09");
    expect(again.steps.map(({ id }) => id)).toEqual([]);
  });

  it("is caught up with right before the swap: statistics and proof take as long as all rows do", async () => {
    await db.query(`INSERT INTO ${schema}.events VALUES ('2025-06-08 12:00+00', 1, 'x')`);
    const { steps } = await run("2025-06-09", { dryRun: true });
    const ids = steps.map(({ id }) => id.split("/").at(-1));
    expect(ids.slice(ids.indexOf("proof"), ids.indexOf("swap") + 1)).toEqual([
      "proof",
      "catch-up-again",
      "swap",
    ]);
  });

  it("is drained with foreign keys, row security and values that hold quotes", async () => {
    await db.query(`INSERT INTO ${schema}.programs VALUES ('it''s')`);
    await db.query(`SELECT ${schema}.provision_readings('it''s', 's', '2025-01-01', '2025-01-01')`);
    await db.query(
      `INSERT INTO ${schema}.readings SELECT 'it''s', 's', '2025-02-01'::timestamptz + n * interval '1 hour', n FROM pg_catalog.generate_series(1, 1500) AS n`,
    );
    const report = await maintain(engine.db(), [besideDefault], { now: "2025-03-01T00:00:00Z" });
    expect(report.failure).toBeUndefined();
    const [row] = await db.query<{ parts: number; held: number; keys: number; closed: boolean }>(
      `SELECT pg_catalog.count(DISTINCT c.oid)::int AS parts, pg_catalog.count(DISTINCT k.oid) FILTER (WHERE k.conparentid <> 0 AND k.convalidated)::int AS keys,
         pg_catalog.bool_and(c.relrowsecurity AND c.relforcerowsecurity) AS closed, (SELECT pg_catalog.count(*)::int FROM ${schema}.readings) AS held
       FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_constraint AS k ON k.conrelid = c.oid AND k.contype = 'f'
       WHERE c.relispartition AND c.relkind = 'r'`,
    );
    expect(row).toEqual({ parts: 5, keys: 5, closed: true, held: 1500 });
    expect(
      await db.query(`SELECT 1 FROM ONLY ${schema}.readings_program_its_site_s_default`),
    ).toEqual([]);
  });
});

onServers("a drain beside readers and writers", (server) => {
  it("hides no row and shows none twice", { timeout: 120_000 }, async () => {
    const sql = server.sql();
    await sql.unsafe(setup([events], [byDay]));
    await sql.unsafe(`SELECT ${schema}.provision_events('2025-06-01')`);
    await sql.unsafe(
      `INSERT INTO ${schema}.events SELECT '2025-06-08 00:00+00'::timestamptz + n * interval '1 second', n, 'x' FROM pg_catalog.generate_series(1, 100000) AS n`,
    );
    let stop = false;
    let longestMs = 0;
    let writes = 0;
    const seen = new Set<string>();
    const timed = async (work: () => Promise<unknown>) => {
      const began = performance.now();
      await work();
      longestMs = Math.max(longestMs, performance.now() - began);
    };
    // Each row is inserted and another deleted in one statement, or moved to another day: the number of rows never changes.
    const writer = async (isolation: string) => {
      const own = server.connect({ max: 1 });
      await own.unsafe(`SET default_transaction_isolation = '${isolation}'`);
      for (let n = 0; !stop; n++) {
        const at = 1 + ((n * 7919 + (isolation === "read committed" ? 0 : 50_000)) % 100_000);
        await timed(() =>
          own
            .unsafe(
              n % 2 === 0
                ? `WITH gone AS (DELETE FROM ${schema}.events WHERE n = ${at} RETURNING at, n)
                 INSERT INTO ${schema}.events SELECT at, n + 1000000, 'again' FROM gone`
                : `UPDATE ${schema}.events SET value = value || '+', at = at + interval '1 day' * ${(n % 3) - 1} WHERE n = ${at}`,
            )
            .catch((error: unknown) => {
              if (!["40001", "23505"].includes((error as { code: string }).code)) throw error;
            }),
        );
        writes++;
      }
      await own.end();
    };
    await sql.unsafe(`CREATE INDEX ON ${schema}.events (n)`);
    const reader = async () => {
      const own = server.connect({ max: 1 });
      while (!stop) {
        const [row] = await own.unsafe<{ rows: string }[]>(
          `SELECT pg_catalog.count(*)::text || '/' || pg_catalog.count(DISTINCT n % 1000000) AS rows FROM ${schema}.events`,
        );
        if (row !== undefined) seen.add(row.rows);
      }
      await own.end();
    };
    const traffic = [writer("read committed"), writer("repeatable read"), reader(), reader()];
    const beganMs = performance.now();
    const report = await maintain(sql, [byDay], { now: "2025-06-09T12:00:00Z" });
    const tookMs = performance.now() - beganMs;
    stop = true;
    await Promise.all(traffic);
    expect(report.failure).toBeUndefined();
    expect(report.outcome).toBe("applied");
    expect([...seen]).toEqual(["100000/100000"]);
    expect(await sql.unsafe(`SELECT 1 FROM ONLY ${schema}.events_default LIMIT 1`)).toHaveLength(0);
    expect(longestMs).toBeLessThan(2_000);
    console.info(
      `drain on PostgreSQL ${server.major}: 100,000 rows in ${Math.round(tookMs)} ms beside ${writes} writes, the longest ${Math.round(longestMs)} ms`,
    );
  });
});
