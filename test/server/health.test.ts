import type { Sql } from "postgres";
import { expect, it } from "vitest";
import { plan } from "../../src/plan/plan.ts";
import { apply } from "../../src/run/apply.ts";
import type { HealthSample } from "../../src/run/health/health-sample.ts";
import { compareHealth } from "../../src/run/health/rates.ts";
import { sampleHealth } from "../../src/run/health/sample-health.ts";
import { throttleReason } from "../../src/run/health/throttle.ts";
import { ident } from "../../src/sql/quote.ts";
import { onServers, type TestServer } from "../support/server.ts";
import { until } from "./run-traffic.ts";

const SCHEMA = 'we"ird Schema';
const table = `${ident(SCHEMA)}.users`;
const LOCK = `LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`;
const target = { schema: SCHEMA, table: "users" };

onServers("sampleHealth", (server) => {
  it("begins in a schema of a hostile name", async () => {
    await server.sql().unsafe(`CREATE SCHEMA ${ident(SCHEMA)};
      CREATE TABLE ${table} (id integer PRIMARY KEY, name text) WITH (autovacuum_enabled = off);
      INSERT INTO ${table} SELECT n, 'a' FROM pg_catalog.generate_series(1, 1000) n;
      UPDATE ${table} SET name = 'b'; ANALYZE ${table}`);
    const sample = await sampleHealth(server.sql(), { tables: [target] });
    expect(sample).toMatchObject({
      serverVersionNum: expect.closeTo(server.major * 10_000, -2) as number,
      isReplica: false,
      locks: { waiting: 0, waitingBehindUs: 0, waiters: [], blockers: [] },
      backfills: [],
      probe: null,
      host: null,
      unread: [],
    });
    expect(JSON.parse(JSON.stringify(sample))).toEqual(sample);
    expect(Math.abs(Date.now() - sample.clockMs)).toBeLessThan(60_000);
    expect(sample.connections.used).toBeGreaterThan(0);
    expect(sample.connections.max).toBeGreaterThan(sample.connections.reserved);
  });

  it("tells dead rows, HOT updates and size of a table, and of all partitions together", async () => {
    // One connection, that hands in what it has counted: another's would come later, on top of what ANALYZE says.
    const one = server.connect({ max: 1 });
    await one.unsafe(`CREATE TABLE parted (id integer) PARTITION BY RANGE (id);
      CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (100) WITH (autovacuum_enabled = off);
      CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (100) TO (200) WITH (autovacuum_enabled = off);
      INSERT INTO parted SELECT n FROM pg_catalog.generate_series(0, 199) n;
      DELETE FROM parted WHERE id % 2 = 0`);
    await one.unsafe("SELECT pg_catalog.pg_stat_force_next_flush()");
    await one.unsafe("VACUUM parted_1");
    await one.unsafe("ANALYZE parted");
    const tables = [target, { table: "parted" }, { table: "gone" }];
    const found = await eventually(server.sql(), { tables }, (sample) => {
      expect(sample.tables).toMatchObject([
        { schema: SCHEMA, name: "users", partitions: 0, liveRows: 1000, updates: 1000 },
        { schema: "public", name: "parted", partitions: 2, liveRows: 100, deadRows: 50 },
      ]);
    });
    expect(found.tables[0]).toMatchObject({ deadRows: 1000, deadRatio: 0.5, lastVacuum: null });
    expect(found.tables[0]?.hotShare).toBeLessThan(1);
    expect(found.tables[0]?.bytes).toBeGreaterThan(8192);
    expect(Date.parse(found.tables[1]?.lastVacuum ?? "")).toBeGreaterThan(found.clockMs - 60_000);
    expect(found.unread).toEqual([{ what: "table public.gone", why: "there is no such table" }]);
    const worst = await sampleHealth(server.sql());
    expect(worst.tables.map(({ name }) => name)).toEqual(["users", "parted_2"]);
  });

  it("names who waits, for whom, and for how long, and does not wait with them", async () => {
    const application = { connection: { application_name: "a report" } };
    await using blocker = await hold(server, LOCK, application);
    const { pid } = blocker;
    const waiting = server.connect({ max: 1 }).unsafe(`SELECT count(*) FROM ${table}`).execute();
    const sample = await eventually(server.sql(), { tables: [target] }, ({ locks }) => {
      expect(locks.waiting).toBe(1);
      expect(locks.waiters[0]?.waitedMs).toBeGreaterThan(0);
    });
    expect(sample.tables[0]?.liveRows).toBe(1000);
    expect(sample.locks.waiters).toMatchObject([
      {
        mode: "AccessShareLock",
        kind: "relation",
        relation: `${SCHEMA}.users`,
        blockedBy: [pid],
        behindUs: false,
        query: `SELECT count(*) FROM ${table}`,
      },
    ]);
    expect(sample.locks.blockers).toMatchObject([
      { pid, waiting: 1, ours: false, application: "a report", state: "idle in transaction" },
    ]);
    expect(sample.transactions).toMatchObject({
      longest: { pid, ours: false },
      idleInTransaction: 1,
    });
    expect(throttleReason(undefined, sample, { waitedMs: 0 })).toBeUndefined();
    await blocker.release();
    await waiting;
  });

  it("tells those who wait behind a transaction of ours, also through another's queue", async () => {
    const slow = plan("slow", [
      {
        kind: "sql",
        id: "hold",
        title: "Hold a lock",
        sql: `UPDATE ${table} SET name = 'ours' WHERE id = 1; SELECT pg_catalog.pg_sleep(1.5)`,
        locks: [{ schema: SCHEMA, name: "users", mode: "rowExclusive" }],
        transaction: "inside",
        undo: { kind: "nothing" },
      },
    ]);
    const others = server.connect({ max: 3 });
    const running = apply(server.sql(), slow);
    await until("it holds its lock", async () => {
      const [row] = await others`select count(*)::int as n from pg_catalog.pg_stat_activity
        where query like '/* underpin slow hold%' and state = 'active'`;
      return row?.["n"] === 1;
    });
    // The first waits for us; the second only stands in its queue.
    const queued = others.begin((tx) => tx.unsafe(`LOCK TABLE ${table} IN SHARE MODE`));
    await eventually(server.sql(), {}, ({ locks }) => expect(locks.waiting).toBe(1));
    const writing = others.unsafe(`UPDATE ${table} SET name = 'c' WHERE id = 2`).execute();
    const sample = await eventually(server.sql(), {}, ({ locks }) => {
      expect(locks.waitingBehindUs).toBe(2);
    });
    expect(sample.locks.blockers.find(({ ours }) => ours)?.query).toContain("underpin slow hold");
    expect(throttleReason(undefined, sample, { waitedMs: 0 })).toMatch(/behind us, the longest/);
    expect(throttleReason(undefined, sample, { waitersBehindUs: null })).toBeUndefined();
    expect((await running).outcome).toBe("applied");
    await Promise.all([queued, writing]);
  });

  it("names what holds back vacuum: a transaction, a prepared one, a slot that keeps WAL", async () => {
    await using old = await hold(server, `DELETE FROM ${table} WHERE id = 4`);
    const { pid } = old;
    const other = server.connect({ max: 1 });
    const rollback = `ROLLBACK PREPARED 'health ${server.major} it''s'`;
    const gid = `health ${server.major} it's`;
    await other.unsafe(`BEGIN; UPDATE ${table} SET name = 'p' WHERE id = 3`);
    await other.unsafe(`PREPARE TRANSACTION 'health ${server.major} it''s'`);
    const slot = `underpin_health_${process.pid}_${server.major}`;
    const before = await sampleHealth(server.sql());
    await other`select pg_catalog.pg_create_physical_replication_slot(${slot}, true)`;
    await other.unsafe(`UPDATE ${table} SET name = 'w' WHERE id > 10`);
    try {
      const waiting = other.unsafe(`UPDATE ${table} SET name = 'q' WHERE id = 3`).execute();
      const after = await eventually(server.sql(), {}, ({ locks }) => {
        expect(locks.blockers).toMatchObject([{ pid: null, waiting: 1, query: null }]);
      });
      expect(after.locks.waiters[0]).toMatchObject({ kind: "transactionid", blockedBy: [0] });
      expect(after.xminHolders).toEqual(
        expect.arrayContaining([
          expect.objectContaining({ kind: "backend", name: String(pid), holds: "rows" }),
          expect.objectContaining({ kind: "preparedTransaction", name: gid, holds: "rows" }),
        ]),
      );
      expect(after.slots.find(({ name }) => name === slot)).toMatchObject({
        kind: "physical",
        active: false,
        walStatus: "reserved",
      });
      expect(after.slots.find(({ name }) => name === slot)?.retainedBytes).toBeGreaterThan(0);
      const rates = compareHealth(before, after);
      expect(rates.walBytesPerSecond).toBeGreaterThan(0);
      expect(rates.lockWaitsPerMinute).toBeGreaterThan(0);
      await server.sql().unsafe(rollback);
      await waiting;
    } finally {
      await server
        .sql()
        .unsafe(rollback)
        .catch(() => {});
      await server.sql()`select pg_catalog.pg_drop_replication_slot(${slot})`;
    }
  });

  it("shows how far an index build is", async () => {
    await using old = await hold(server, `UPDATE ${table} SET name = 'i' WHERE id = 5`);
    const building = server
      .connect({ max: 1 })
      .unsafe(`CREATE INDEX CONCURRENTLY users_name ON ${table} (name)`)
      .execute();
    const sample = await eventually(server.sql(), {}, ({ indexBuilds }) => {
      expect(indexBuilds).toMatchObject([
        {
          table: `${SCHEMA}.users`,
          index: "users_name",
          command: "CREATE INDEX CONCURRENTLY",
          phase: "waiting for writers before build",
        },
      ]);
    });
    expect(sample.locks.waiters[0]?.kind).toBe("virtualxid");
    await old.release();
    await building;
  });

  it("lists by name what a login without pg_monitor may not read, and reads the rest", async () => {
    const role = await server.role("plain");
    await server.sql().unsafe(`CREATE SCHEMA IF NOT EXISTS underpin`);
    const plain = server.connect(server.urlAs(role), { max: 2 });
    await using blocker = await hold(server, LOCK);
    const { pid } = blocker;
    const waiting = server.connect({ max: 1 }).unsafe(`TABLE ${table}`).execute();
    const sample = await eventually(plain, { tables: [target] }, ({ locks }) => {
      expect(locks.waiting).toBe(1);
    });
    expect(sample.locks.blockers).toMatchObject([
      { pid, waiting: 1, state: null, query: null, transactionAgeMs: null },
    ]);
    expect(sample.transactions.longest).toBeNull();
    expect(sample.tables).toMatchObject([{ liveRows: 1000 }]);
    expect(sample.wal.position).toBeGreaterThan(0);
    expect(sample.connections.used).toBeGreaterThan(1);
    const why = `${role} is no member of pg_read_all_stats: GRANT pg_monitor TO it`;
    expect(sample.unread).toEqual([
      { what: "states, queries, transactions and snapshots of other logins' sessions", why },
      { what: "progress of other logins' and automatic vacuums and index builds", why },
      {
        what: "backfills",
        why: `${role} may not read the run schema: GRANT USAGE on it and SELECT on its tables`,
      },
    ]);
    await server.sql().unsafe(`GRANT pg_monitor TO ${ident(role)}`);
    const seeing = await sampleHealth(plain);
    expect(seeing.locks.blockers[0]?.query).toContain("LOCK TABLE");
    expect(seeing.unread.map(({ what }) => what)).toEqual(["backfills"]);
    await blocker.release();
    await waiting;
  });

  it("takes the time of a probe, and stops one that waits too long", async () => {
    const probe = `SELECT count(*) FROM ${table}`;
    const quick = await sampleHealth(server.sql(), { probe });
    expect(quick.probe?.timedOut).toBe(false);
    await using blocker = await hold(server, LOCK);
    const slow = await sampleHealth(server.sql(), { probe, timeoutMs: 300 });
    expect(slow.probe).toEqual({ ms: 300, timedOut: true });
    await blocker.release();
    const write = sampleHealth(server.sql(), { probe: `DELETE FROM ${table}` });
    await expect(write).rejects.toThrow("read-only transaction");
  });
});

/** A transaction that stays open until it is released, or the test ends in whatever way. */
async function hold(server: TestServer, statement: string, options = {}) {
  const sql = server.connect({ ...options, max: 1 });
  const [row] = await sql<{ pid: number }[]>`select pg_catalog.pg_backend_pid() as pid`;
  await sql.unsafe(`BEGIN; ${statement}`);
  const release = () => sql.end({ timeout: 1 });
  return { pid: row?.pid ?? 0, release, [Symbol.asyncDispose]: release };
}

/** The first sample that is as expected: waits begin, and statistics arrive, a moment later. */
async function eventually(
  sql: Sql,
  options: Parameters<typeof sampleHealth>[1],
  holds: (sample: HealthSample) => void,
): Promise<HealthSample> {
  for (let attempt = 1; ; attempt++) {
    const sample = await sampleHealth(sql, options);
    try {
      holds(sample);
      return sample;
    } catch (error) {
      if (attempt === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
  }
}
