import { and, eq } from "drizzle-orm";
import { QueryBuilder } from "drizzle-orm/pg-core";
import { beforeAll, expect, it } from "vitest";
import type { Executor } from "../../src/executor/executor.ts";
import { adviceText } from "../../src/partitioning/advice-text.ts";
import { advise } from "../../src/partitioning/advise.ts";
import { onEngines } from "../support/server.ts";
import { nested, readings, schema, setup } from "./scheme-fixture.ts";

const builder = new QueryBuilder();
const all = builder.select({ value: readings.value }).from(readings).$dynamic();

onEngines("advise on a plain table", (engine) => {
  let db: Executor;
  beforeAll(async () => {
    db = engine.executor();
    // Half of the rows are of one of ten programs; each program has two sites of its own; two years.
    await db.query(`CREATE SCHEMA ${schema};
      CREATE TABLE ${schema}.readings (program_id text NOT NULL, site_id text NOT NULL, created_at timestamptz NOT NULL,
        reading_id uuid NOT NULL DEFAULT gen_random_uuid(), n integer, value integer, PRIMARY KEY (program_id, site_id, created_at, reading_id));
      INSERT INTO ${schema}.readings (program_id, site_id, created_at, value)
      SELECT 'p' || p, 's' || p || '-' || i / 7 % 2, timestamptz '2024-01-01 00:00+00' + i * interval '52 minutes', i
      FROM pg_catalog.generate_series(0, 19999) AS i CROSS JOIN LATERAL (SELECT CASE WHEN i % 4 < 2 THEN 0 ELSE i % 10 END AS p) AS skewed;
      CREATE INDEX ON ${schema}.readings (value);
      ANALYZE ${schema}.readings`);
  });

  it("foretells leaves and sizes from statistics, skew included", async () => {
    const { candidates, statistics, rowsPerYear, planning } = await advise(db, nested);
    expect(statistics).toMatchObject({ rows: 20_000, indexes: 2, partitioned: false });
    expect(rowsPerYear).toBeGreaterThan(9_500);
    expect(rowsPerYear).toBeLessThan(10_800);
    const [now, , , third] = candidates[0]?.forecasts ?? [];
    // 20 sites × 25 months, and 3 to come.
    expect(now).toMatchObject({ year: 0, rows: 20_000 });
    expect(now?.leaves).toBeGreaterThanOrEqual(20 * 27);
    expect(now?.leaves).toBeLessThanOrEqual(20 * 29);
    expect(now?.relations).toBe(1 + 10 + 20 + (now?.leaves ?? 0));
    expect(now?.unprunedLocks).toBe((now?.relations ?? 0) * 3);
    expect((now?.largestRows ?? 0) / (now?.averageRows ?? 1)).toBeGreaterThan(4);
    expect(third?.rows).toBeGreaterThan(48_000);
    expect(planning.how).toBe("measured");
    expect(planning.perRelationMs).toBeGreaterThan(0);
    expect(planning.perRelationMs).toBeLessThan(50);
  });

  it("says no where a table is small, and takes the scheme where it grows", async () => {
    expect(await advise(db, nested)).toMatchObject({ verdict: "index" });
    const grown = await advise(db, nested, { rowsPerYear: 200_000_000 });
    expect(grown.verdict).toBe("partition");
    expect(adviceText(grown)).toContain("the scheme suits it");
  });

  it("coarsens or drops a dimension where three are too many, and caps leaves", async () => {
    const some = await advise(db, nested, { rowsPerYear: 30_000_000, minRowsPerLeaf: 200_000 });
    expect(some).toMatchObject({ verdict: "simplify", best: { name: "by 3 months" } });
    const capped = await advise(db, nested, { rowsPerYear: 200_000_000, maxLeaves: 800 });
    expect(capped.best.name).toMatch(/^by |^without /);
    expect(capped.best.forecasts.at(-1)?.leaves).toBeLessThanOrEqual(800);
    expect(capped.findings.map(({ check }) => check)).toContain("partition-advice");
  });

  it("tells queries that prune from those that do not, and says what they lack", async () => {
    const { queries, findings } = await advise(db, nested, {
      queries: [
        all.where(and(eq(readings.programId, "p1"), eq(readings.siteId, "s1"))),
        `SELECT * FROM ${schema}.readings WHERE program_id = $1`,
        `SELECT * FROM ${schema}.readings WHERE reading_id = $1 AND value > 3`,
        `SELECT * FROM ${schema}.readings WHERE program_id = 'a' OR site_id = $1`,
        `UPDATE ${schema}.readings SET value = $1 WHERE site_id = ANY ($2) AND program_id IN ('a', 'b')`,
        `SELECT 1`,
        `SELECT nonsense`,
      ],
    });
    expect(queries.map(({ prunes, missing }) => [prunes, ...missing])).toEqual([
      ["yes"],
      ["partly", "site_id"],
      ["no", "program_id", "site_id"],
      ["no", "program_id", "site_id"],
      ["yes"],
      ["unknown"],
    ]);
    expect(queries[2]?.bound).toEqual(["reading_id"]);
    expect(findings.filter(({ check }) => check === "query-unpruned")).toHaveLength(3);
  });

  it("takes a hash of the column that queries ask by", async () => {
    const { best, verdict } = await advise(db, nested, {
      rowsPerYear: 200_000_000,
      queries: [`SELECT * FROM ${schema}.readings WHERE reading_id = $1`],
    });
    expect(verdict).toBe("simplify");
    expect(best.dimensions).toMatchObject([{ strategy: "hash", column: "reading_id" }]);
  });

  it("asks for statistics, leaves nothing behind, and says what the lock table needs", async () => {
    const {
      findings,
      locksPerTransactionNeeded: needed,
      lockTable,
    } = await advise(db, { ...nested, dimensions: [...nested.dimensions] }, { years: [30] });
    if (findings.some(({ check }) => check === "lock-table"))
      expect(needed).toBeGreaterThan(lockTable / 200);
    await db.query(
      `DELETE FROM pg_catalog.pg_statistic WHERE starelid = '${schema}.readings'::pg_catalog.regclass`,
    );
    expect((await advise(db, nested)).findings.map(({ check }) => check)).toContain(
      "statistics-missing",
    );
    const left = await db.query(
      `SELECT FROM pg_catalog.pg_class WHERE relname LIKE 'underpin_skeleton%'`,
    );
    expect(left).toEqual([]);
  });
});

onEngines("advise on a partitioned table", (engine) => {
  it("takes its leaves for rows, and reads queries without locking all of them", async () => {
    const db = engine.executor();
    await db.query(setup());
    await db.query(`INSERT INTO ${schema}.programs VALUES ('a'), ('b');
      SELECT ${schema}.provision_readings('a', 'x', '2025-01-01 00:00+00', '2025-04-01 00:00+00');
      INSERT INTO ${schema}.readings (program_id, site_id, created_at) SELECT 'a', 'x', '2025-01-02' FROM pg_catalog.generate_series(1, 500)`);
    // Rows that the server is told of after the ANALYZE count a second time.
    await db.query("SELECT pg_catalog.pg_stat_force_next_flush()");
    await db.query(`ANALYZE ${schema}.readings`);
    const { statistics, queries } = await advise(db, nested, {
      queries: [
        `SELECT * FROM ${schema}.readings WHERE program_id = $1 AND site_id = $2`,
        `SELECT * FROM ${schema}.readings WHERE site_id = $1`,
      ],
    });
    expect(statistics).toMatchObject({ partitioned: true, relations: 7, rows: 500 });
    expect(queries.map(({ prunes }) => prunes)).toEqual(["yes", "no"]);
  });
});
