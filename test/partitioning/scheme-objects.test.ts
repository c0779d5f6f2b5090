import { text, timestamp, uuid } from "drizzle-orm/pg-core";
import { beforeAll, describe, expect, it } from "vitest";
import type { Executor } from "../../src/executor/executor.ts";
import { dropPartitions } from "../../src/partitioning/drop-partitions.ts";
import { hash, list, partitionBy, range } from "../../src/partitioning/partition-by.ts";
import { onEngines, onServers } from "../support/server.ts";
import { app, nested, programs, readings, schema, setup } from "./scheme-fixture.ts";

async function partitions(db: Executor, table: string): Promise<readonly string[]> {
  const rows = await db.query<{ name: string }>(
    `SELECT c.relname || ' ' || pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS name
     FROM pg_catalog.pg_partition_tree($1::text::regclass) AS t JOIN pg_catalog.pg_class AS c ON c.oid = t.relid
     WHERE t.level > 0 ORDER BY t.level, c.relname`,
    [`${schema}.${table}`],
  );
  return rows.map(({ name }) => name);
}

const provision = async (
  db: Executor,
  program: string,
  site: string,
  from: string,
  until: string | null,
) => {
  const [row] = await db.query<{ n: number }>(
    `SELECT ${schema}.provision_readings($1, $2, $3::timestamptz, $4::timestamptz) AS n`,
    [program, site, `${from} 00:00+00`, until === null ? null : `${until} 00:00+00`],
  );
  return row?.n;
};

onEngines("the functions of a scheme", (engine) => {
  let db: Executor;
  beforeAll(async () => {
    db = engine.executor();
    await db.query(setup());
    await db.query(`SET TIME ZONE 'Pacific/Auckland'`);
  });

  it("make the first months of a table that only time cuts, at install", async () => {
    const [row] = await db.query<{ months: string }>(
      `SELECT pg_catalog.string_agg(pg_catalog.to_char((pg_catalog.now() AT TIME ZONE 'UTC') + n * interval '1 month', '"monthly_"YYYY_MM'), ' ' ORDER BY n) AS months
       FROM pg_catalog.generate_series(0, 2) AS n`,
    );
    const made = await partitions(db, "monthly");
    expect(made.map((name) => name.split(" ")[0]).join(" ")).toBe(row?.months);
  });

  it("make every remainder, and name weeks below them", async () => {
    const made = await partitions(db, "spread");
    expect(made).toHaveLength(24);
    expect(made[3]).toBe("spread_h03 FOR VALUES WITH (modulus 12, remainder 3)");
    expect(made[13]).toMatch(/^spread_h01_\d{4}_w\d\d FOR VALUES FROM/);
  });

  it("make program, site and months under the names of the design, and nothing the second time", async () => {
    await db.query(`INSERT INTO ${schema}.programs VALUES ('abc-123')`);
    expect(await provision(db, "abc-123", "DEF-456", "2025-01-31", null)).toBe(4);
    expect(await provision(db, "abc-123", "DEF-456", "2025-01-31", null)).toBe(0);
    const rows = await db.query<{ name: string; kind: string }>(
      `SELECT c.relname AS name, c.relkind AS kind FROM pg_catalog.pg_partition_tree($1::text::regclass) AS t
       JOIN pg_catalog.pg_class AS c ON c.oid = t.relid ORDER BY t.level, 1`,
      [`${schema}.readings`],
    );
    expect(rows.map(({ name, kind }) => `${kind} ${name}`)).toEqual([
      "p readings",
      "p read_prog_abc123",
      "p read_prog_abc123_site_def456",
      "r read_prog_abc123_site_def456_2025_01",
      "r read_prog_abc123_site_def456_2025_02",
      "r read_prog_abc123_site_def456_2025_03",
      "r read_prog_abc123_site_def456_2025_04",
    ]);
  });

  it("add a month to a site that is there, whatever the session's time zone and date style are", async () => {
    await db.transaction(async (session) => {
      await session.query(`SET LOCAL datestyle = 'SQL, DMY'`);
      await session.query(
        `SELECT ${schema}.provision_readings('abc-123', 'DEF-456', '2025-05-31 23:59:59+00', '2025-05-31 23:59:59+00')`,
      );
    });
    const [row] = await db.query<{ bound: string }>(
      `SELECT pg_catalog.pg_get_expr(relpartbound, oid) AS bound FROM pg_catalog.pg_class
       WHERE relname = 'read_prog_abc123_site_def456_2025_05'`,
    );
    const [moments] = await db.query<{ ok: boolean }>(
      `SELECT $1::text = pg_catalog.format('FOR VALUES FROM (%L) TO (%L)', '2025-05-01 00:00+00'::timestamptz, '2025-06-01 00:00+00'::timestamptz) AS ok`,
      [row?.bound ?? ""],
    );
    expect(moments?.ok).toBe(true);
  });

  it("give every partition the root's indexes, its triggers' keys and closed row security, and no privilege", async () => {
    const rows = await db.query<{
      name: string;
      indexes: number;
      fkeys: number;
      closed: boolean;
      acl: string | null;
    }>(
      `SELECT c.relname AS name, c.relrowsecurity AND c.relforcerowsecurity AS closed, c.relacl::text AS acl,
         (SELECT pg_catalog.count(*)::int FROM pg_catalog.pg_index AS x JOIN pg_catalog.pg_inherits AS i ON i.inhrelid = x.indexrelid
          WHERE x.indrelid = c.oid AND x.indisvalid) AS indexes,
         (SELECT pg_catalog.count(*)::int FROM pg_catalog.pg_constraint WHERE conrelid = c.oid AND contype = 'f' AND conparentid <> 0) AS fkeys
       FROM pg_catalog.pg_class AS c WHERE c.relispartition AND c.relkind IN ('r', 'p') AND c.relname LIKE 'read\\_%'`,
    );
    expect(rows.length).toBeGreaterThan(6);
    for (const row of rows)
      expect(row).toMatchObject({ indexes: 2, fkeys: 1, closed: true, acl: null });
    await db.query(
      `INSERT INTO ${schema}.readings (program_id, site_id, created_at) VALUES ('abc-123', 'DEF-456', '2025-02-03')`,
    );
  });

  it("take back what the schema's default privileges give a partition", async () => {
    await db.transaction(async (session) => {
      await session.query(
        `ALTER DEFAULT PRIVILEGES IN SCHEMA ${schema} GRANT SELECT ON TABLES TO PUBLIC`,
      );
      await session.query(
        `SELECT ${schema}.provision_readings('abc-123', 'open', '2025-01-01', '2025-01-01')`,
      );
      const rows = await session.query<{ n: number }>(
        `SELECT pg_catalog.count(*)::int AS n FROM pg_catalog.pg_class AS c, pg_catalog.aclexplode(c.relacl) AS a
         WHERE c.relname LIKE 'read\\_%open%' AND a.grantee <> c.relowner`,
      );
      expect(rows).toEqual([{ n: 0 }]);
      await session.query(
        `ALTER DEFAULT PRIVILEGES IN SCHEMA ${schema} REVOKE SELECT ON TABLES FROM PUBLIC`,
      );
    });
  });

  it("keep names within 63 bytes by a stable hash, and the month readable", async () => {
    await db.query(
      `INSERT INTO ${schema}.programs VALUES ('1b4e28ba-2fa1-11d2-883f-0016d3cca427')`,
    );
    const site = "6fa459ea-ee8a-3ca4-894e-db77e160355e";
    expect(
      await provision(db, "1b4e28ba-2fa1-11d2-883f-0016d3cca427", site, "2025-01-01", "2025-02-01"),
    ).toBe(2);
    const names = (await partitions(db, "readings")).map((name) => name.split(" ")[0] ?? "");
    const own = names.filter((name) => name.startsWith("read_prog_1b4e28ba"));
    expect(own).toEqual([
      "read_prog_1b4e28ba2fa111d2883f0016d3cca427",
      "read_prog_1b4e28ba2fa111d2883f0016d3cca427_site_6fa459_fff12796",
      expect.stringMatching(/^read_prog_1b4e28ba2fa111d2883f0016d3cca427_sit.*_fff12796_2025_01$/),
      expect.stringMatching(/^read_prog_1b4e28ba2fa111d2883f0016d3cca427_sit.*_fff12796_2025_02$/),
    ]);
    for (const name of own) expect(Buffer.byteLength(name)).toBeLessThanOrEqual(63);
  });

  it("give values whose names would be one two names, and step aside for a view", async () => {
    await db.query(`INSERT INTO ${schema}.programs VALUES ('abc123'), ('ABC_123'), ('taken')`);
    await db.query(`CREATE VIEW ${schema}.read_prog_taken AS SELECT 1`);
    for (const program of ["abc123", "ABC_123", "taken"])
      expect(await provision(db, program, "s", "2025-01-01", "2025-01-01")).toBe(1);
    for (const program of ["abc123", "ABC_123", "taken"])
      expect(await provision(db, program, "s", "2025-01-01", "2025-01-01")).toBe(0);
    const names = (await partitions(db, "readings")).filter((name) =>
      / IN \('(?:abc123|ABC_123|taken)'\)/.test(name),
    );
    expect(new Set(names.map((name) => name.replace(/ .*/, ""))).size).toBe(3);
  });

  it("find a partition by its bounds, under another name and among several values", async () => {
    await db.query(`
      CREATE TABLE ${schema}.by_hand PARTITION OF ${schema}.readings FOR VALUES IN ('p1', 'it''s', 'p), (3') PARTITION BY LIST (site_id);
      CREATE TABLE ${schema}.by_hand_site PARTITION OF ${schema}.by_hand FOR VALUES IN ('s') PARTITION BY RANGE (created_at);
      CREATE TABLE ${schema}.by_hand_early PARTITION OF ${schema}.by_hand_site FOR VALUES FROM (MINVALUE) TO ('2025-01-10 00:00+00');
      CREATE TABLE ${schema}.by_hand_week PARTITION OF ${schema}.by_hand_site FOR VALUES FROM ('2025-01-27 00:00+00') TO ('2025-02-03 00:00+00')`);
    expect(await provision(db, "it's", "s", "2025-01-01", "2025-02-28")).toBe(2);
    expect(await provision(db, "p), (3", "s", "2024-01-01", "2025-02-28")).toBe(0);
    const [row] = await db.query<{ parts: number; open: boolean }>(
      `WITH b AS (
         SELECT pg_catalog.regexp_match(pg_catalog.pg_get_expr(c.relpartbound, c.oid), 'FROM \\((.*)\\) TO \\((.*)\\)') AS m
         FROM pg_catalog.pg_inherits AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
         WHERE i.inhparent = '${schema}.by_hand_site'::regclass)
       SELECT pg_catalog.count(*)::int AS parts,
         EXISTS (SELECT FROM b AS x WHERE x.m[1] <> 'MINVALUE' AND NOT EXISTS (SELECT FROM b AS y WHERE y.m[2] = x.m[1])) AS open
       FROM b`,
    );
    expect(row).toEqual({ parts: 4, open: false });
  });

  it("make at most twenty months at once, and the rest when called again", async () => {
    const made: (number | undefined)[] = [];
    for (let i = 0; i < 4; i++)
      made.push(await provision(db, "abc-123", "long", "2020-01-01", "2023-12-31"));
    expect(made).toEqual([20, 20, 8, 0]);
  });

  it("refuse no value, and no end", async () => {
    await expect(db.query(`SELECT ${schema}.provision_readings(NULL, 's')`)).rejects.toThrow(
      "program_id has no value",
    );
    await expect(
      db.query(`SELECT ${schema}.provision_readings('p', 's', '2025-01-01', 'infinity')`),
    ).rejects.toThrow("have to be moments");
  });

  it("are for nobody but their owner", async () => {
    const [row] = await db.query<{ open: number }>(
      `SELECT pg_catalog.count(*)::int AS open FROM pg_catalog.pg_proc AS p, pg_catalog.aclexplode(coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))) AS a
       WHERE p.pronamespace = $1::text::regnamespace AND a.grantee <> p.proowner`,
      [schema],
    );
    expect(row?.open).toBe(0);
  });

  it("drop all partitions of a table in small commits", async () => {
    const { sql, probe } = dropPartitions(nested);
    expect(await db.query(probe.sql)).toEqual([{ state: "absent" }]);
    await db.query(sql);
    expect(await db.query(probe.sql)).toEqual([{ state: "done" }]);
    expect(await partitions(db, "readings")).toEqual([]);
    await db.query(sql);
  });
});

describe("a dimension", () => {
  it("is a column of the table itself that is never NULL, and has the inline primary key", () => {
    const inline = app.table("inline", {
      id: uuid("id").primaryKey(),
      at: timestamp("at").notNull(),
      maybe: text("maybe"),
    });
    expect(partitionBy(inline, hash(inline.id, { modulus: 2 })).prefix).toBe("inline");
    // @ts-expect-error A nullable column.
    list(inline.maybe);
    // @ts-expect-error A column of another table.
    partitionBy(readings, list(programs.programId));
    // @ts-expect-error The inline primary key lacks the column.
    partitionBy(inline, range(inline.at, { every: "1 day" }));
  });
});

onServers("ten callers at once", (server) => {
  it("make one set of partitions", async () => {
    const sql = server.sql();
    await sql.unsafe(setup());
    await sql.unsafe(`INSERT INTO ${schema}.programs VALUES ('p')`);
    const calls = Array.from({ length: 10 }, async () => {
      const [row] = await sql.unsafe<{ n: number }[]>(
        `SELECT ${schema}.provision_readings('p', 's', '2025-01-01', '2025-06-01') AS n`,
      );
      return row?.n ?? -1;
    });
    const made = await Promise.all(calls);
    expect(made.sort((a, b) => a - b)).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 6]);
    const [row] = await sql.unsafe<{ n: number }[]>(
      `SELECT pg_catalog.count(*)::int AS n FROM pg_catalog.pg_partition_tree('${schema}.readings') WHERE isleaf`,
    );
    expect(row?.n).toBe(6);
  });
});
