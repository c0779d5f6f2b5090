import { beforeAll, expect, it } from "vitest";
import type { Executor } from "../../src/executor/executor.ts";
import {
  inspectPartitions,
  type PartitionInspection,
} from "../../src/partitioning/inspect-partitions.ts";
import { onEngines } from "../support/server.ts";
import { nested, schema, setup } from "./scheme-fixture.ts";

onEngines("inspectPartitions", (engine) => {
  let db: Executor;
  let found: PartitionInspection;
  const part = (name: string) => found.partitions.find((each) => each.name === name);
  beforeAll(async () => {
    db = engine.executor();
    await db.query(setup());
    await db.query(`INSERT INTO ${schema}.programs VALUES ('a'), ('b');
      SELECT ${schema}.provision_readings('a', 'x', '2025-01-01 00:00+00', '2025-03-01 00:00+00');
      SELECT ${schema}.provision_readings('b', 'y', '2025-01-01 00:00+00', '2025-01-01 00:00+00');
      INSERT INTO ${schema}.readings (program_id, site_id, created_at)
        SELECT 'a', 'x', '2025-01-02' FROM pg_catalog.generate_series(1, 300);
      INSERT INTO ${schema}.readings (program_id, site_id, created_at) VALUES ('b', 'y', '2025-01-02')`);
    await db.query(`ANALYZE ${schema}.read_prog_a_site_x_2025_01`);
    found = await inspectPartitions(db, nested, { measure: "all" });
  });

  it("names every member with its level and its bound", () => {
    expect(found.partitions.map(({ level, name }) => `${level} ${name}`)).toEqual([
      "1 read_prog_a",
      "1 read_prog_b",
      "2 read_prog_a_site_x",
      "2 read_prog_b_site_y",
      "3 read_prog_a_site_x_2025_01",
      "3 read_prog_a_site_x_2025_02",
      "3 read_prog_a_site_x_2025_03",
      "3 read_prog_b_site_y_2025_01",
    ]);
    expect(part("read_prog_a")?.bound).toEqual({ strategy: "list", values: ["a"] });
  });

  it("sums rows, leaves and bytes up to the root", () => {
    expect(part("read_prog_a")).toMatchObject({ rows: 300, leaves: 3, isLeaf: false });
    expect(part("read_prog_a_site_x_2025_02")).toMatchObject({ rows: 0, leaves: 1 });
    expect(found.root.leaves).toBe(4);
    const leaves = found.partitions.filter(({ isLeaf }) => isLeaf);
    for (const kind of ["table", "indexes", "toast", "total"] as const)
      expect(found.root.bytes[kind]).toBe(leaves.reduce((sum, { bytes }) => sum + bytes[kind], 0));
  });

  it("agrees with the server about bytes", async () => {
    const [row] = await db.query<{ heap: string; indexes: string }>(
      `SELECT pg_catalog.pg_relation_size(c.oid) AS heap, pg_catalog.pg_indexes_size(c.oid) AS indexes
       FROM pg_catalog.pg_class AS c WHERE c.relname = 'read_prog_a_site_x_2025_01'`,
    );
    const bytes = part("read_prog_a_site_x_2025_01")?.bytes;
    expect(bytes?.table).toBe(Number(row?.heap));
    expect(bytes?.indexes).toBe(Number(row?.indexes));
  });

  it("takes from the catalog what nobody wrote to since it was noted, and finds the same", async () => {
    await db.query(`VACUUM ANALYZE ${schema}.read_prog_a_site_x_2025_01`);
    const [noted, measured] = [
      await inspectPartitions(db, nested),
      await inspectPartitions(db, nested, { measure: "all" }),
    ].map(({ partitions }) => partitions.find(({ name }) => name === "read_prog_a_site_x_2025_01"));
    expect(noted?.bytes.table).toBeGreaterThan(0);
    expect(noted?.bytes).toEqual(measured?.bytes);
    expect(noted?.rows).toBe(300);
  });

  it("says when a partition was analysed, and nothing of a write that nobody counted", () => {
    expect(part("read_prog_a_site_x_2025_01")?.writes.lastAnalyzed).toMatch(/^\d{4}-.*Z$/);
    expect(part("read_prog_a_site_x_2025_02")?.writes).toMatchObject({
      inserted: 0,
      lastAnalyzed: null,
      writtenAfter: null,
    });
  });

  it("names an index that is invalid", async () => {
    await db.query(`UPDATE pg_catalog.pg_index SET indisvalid = false
      WHERE indexrelid = '${schema}.read_prog_a_site_x_2025_03_pkey'::pg_catalog.regclass`);
    const { partitions } = await inspectPartitions(db, nested);
    expect(partitions.filter(({ invalidIndexes }) => invalidIndexes.length > 0)).toMatchObject([
      { name: "read_prog_a_site_x_2025_03", invalidIndexes: ["read_prog_a_site_x_2025_03_pkey"] },
    ]);
  });

  it("refuses a table that is not partitioned", async () => {
    await expect(
      inspectPartitions(db, { ...nested, table: (await import("./scheme-fixture.ts")).programs }),
    ).rejects.toThrow("is no partitioned table");
  });
});
