import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { assessHealth } from "../../src/run/health/assess-health.ts";
import { edges } from "../../src/run/health/alert-edges.ts";
import type { HealthSample, LockWaiter } from "../../src/run/health/health-sample.ts";
import { compareHealth } from "../../src/run/health/rates.ts";
import { sampleHealth } from "../../src/run/health/sample-health.ts";
import { DEFAULT_HEALTH_THRESHOLDS, toThresholds } from "../../src/run/health/thresholds.ts";
import { throttleReason } from "../../src/run/health/throttle.ts";
import { watchHealth, type Alert } from "../../src/run/health/watch-health.ts";
import { bootSandbox, type Sandbox } from "../../src/sandbox/boot.ts";

let sandbox: Sandbox;
/** A quiet database, of which each test says what is different. */
let quiet: HealthSample;
beforeAll(async () => {
  sandbox = await bootSandbox({});
  await sandbox.executor.query(
    "CREATE TABLE users (id integer); INSERT INTO users VALUES (1), (2); UPDATE users SET id = id + 2",
  );
  // Counts are handed in at most once a second, unless asked for.
  await sandbox.executor.query("SELECT pg_catalog.pg_stat_force_next_flush()");
  quiet = await sampleHealth(sandbox.client, { tables: [{ table: "users" }], probe: "SELECT 1" });
}, 60_000);
afterAll(() => sandbox?.close());

const limits = DEFAULT_HEALTH_THRESHOLDS;
const later = (seconds: number, change: Partial<HealthSample> = {}): HealthSample => ({
  ...quiet,
  ...change,
  clockMs: quiet.clockMs + seconds * 1_000,
});
const waiter = (pid: number, change: Partial<LockWaiter> = {}): LockWaiter => ({
  pid,
  since: "2026-01-01T00:00:00+00:00",
  waitedMs: 500,
  mode: "ShareLock",
  kind: "transactionid",
  relation: null,
  blockedBy: [7],
  behindUs: true,
  query: null,
  ...change,
});
const waitersOf = (...waiters: LockWaiter[]) => ({
  locks: { ...quiet.locks, waiting: waiters.length, waiters },
});
const backfill = (batches: number, failedBatches: number) => ({
  backfills: [
    {
      run: "r",
      state: "running",
      step: "s",
      table: { schema: "public", name: "users" },
      rowsChanged: batches * 10,
      rowsEstimated: null,
      batches,
      failedBatches,
    },
  ],
});

describe("sampleHealth on an embedded database", () => {
  it("reads what there is, with nothing unread", () => {
    expect(quiet).toMatchObject({
      isReplica: false,
      locks: { waiting: 0 },
      tables: [{ schema: "public", name: "users", liveRows: 2, deadRows: 2, deadRatio: 0.5 }],
      replicas: [],
      archiver: null,
      backfills: [],
      probe: { timedOut: false },
      unread: [],
    });
    expect(quiet.wal.position).toBeGreaterThan(0);
    expect(JSON.parse(JSON.stringify(quiet))).toEqual(quiet);
  });

  it("watches it, and asks the host for what SQL cannot tell", async () => {
    const alerts: Alert[] = [];
    let stop = () => Promise.resolve();
    await new Promise<void>((resolve) => {
      const told = (alert: Alert) => {
        alerts.push(alert);
        resolve();
      };
      const host = () => ({ cpu: 0.95, memory: 0.4 });
      ({ stop } = watchHealth(sandbox.client, {}, told, { everyMs: 10, host }));
    });
    await stop();
    expect(alerts).toMatchObject([{ name: "host", state: "raised", value: 0.95, limit: 0.9 }]);
    expect(alerts[0]?.what).toBe("the machine uses 95 % of its cpu, 40 % of its memory");
  });

  it("refuses a threshold that is none, before it looks", () => {
    expect(() => toThresholds({ lockWaitsPerMinute: -1 })).toThrow("lockWaitsPerMinute is -1");
    expect(() => toThresholds({ typo: 1 } as object)).toThrow('no threshold "typo"');
    expect(() => watchHealth(sandbox.client, {}, () => {}, { everyMs: 0 })).toThrow("everyMs is 0");
  });
});

describe("compareHealth", () => {
  it("tells rates, and none where a counter was set back", () => {
    const before = later(0, { wal: { ...quiet.wal, position: 1_000 }, ...backfill(10, 0) });
    const after = later(30, { wal: { ...quiet.wal, position: 4_000 }, ...backfill(37, 3) });
    expect(compareHealth(before, after)).toMatchObject({
      seconds: 30,
      walBytesPerSecond: 100,
      batchesPerMinute: 54,
      failedBatchesPerMinute: 6,
      failedBatchShare: 0.1,
      backfills: [{ run: "r", step: "s", rowsPerSecond: 9 }],
    });
    expect(compareHealth(after, before).walBytesPerSecond).toBeNull();
    expect(
      compareHealth(later(0, { wal: after.wal }), later(9, { wal: before.wal })),
    ).toMatchObject({ walBytesPerSecond: null });
  });

  it("counts a wait once, also one whose beginning was not written down at first", () => {
    const young = later(0, waitersOf(waiter(1, { since: null }), waiter(2)));
    const after = later(60, waitersOf(waiter(1), waiter(2), waiter(3)));
    expect(compareHealth(young, after).lockWaitsPerMinute).toBe(1);
    const again = waitersOf(waiter(2, { since: "2026-01-01T00:01:00+00:00" }));
    expect(compareHealth(young, later(60, again)).lockWaitsPerMinute).toBe(1);
  });
});

describe("assessHealth", () => {
  const names = (...samples: HealthSample[]) =>
    assessHealth(samples, limits, 10).map(({ name }) => name);

  it("finds nothing in a quiet database", () => {
    expect(assessHealth([], limits)).toEqual([]);
    expect(names(quiet)).toEqual([]);
  });

  it("raises failed batches above 5 %, but not for one of two", () => {
    expect(names(later(0, backfill(0, 0)), later(60, backfill(94, 6)))).toEqual(["failedBatches"]);
    expect(names(later(0, backfill(0, 0)), later(60, backfill(95, 5)))).toEqual([]);
    expect(names(later(0, backfill(0, 0)), later(60, backfill(1, 1)))).toEqual([]);
  });

  it("raises a probe that takes twice its baseline, three times in a row", () => {
    const probed = (at: number, ms: number) => later(at, { probe: { ms, timedOut: false } });
    expect(names(probed(0, 25), probed(1, 25), probed(2, 25))).toEqual(["probeLatency"]);
    expect(names(probed(0, 15), probed(1, 90), probed(2, 15))).toEqual([]);
    expect(assessHealth([probed(0, 9), probed(1, 9), probed(2, 9)], limits, 1)).toEqual([]);
  });

  it("raises 90 % of the connections that an ordinary login can have, and ten waits a minute", () => {
    expect(names(later(0, { connections: { used: 90, max: 100, reserved: 3 } }))).toEqual([
      "connections",
    ]);
    expect(names(later(0, { connections: { used: 87, max: 100, reserved: 3 } }))).toEqual([]);
    const eleven = Array.from({ length: 11 }, (_, at) => waiter(at));
    expect(names(later(0), later(5, waitersOf(...eleven)))).toEqual(["lockWaits"]);
    expect(names(later(0), later(5, waitersOf(...eleven.slice(1))))).toEqual([]);
  });

  it("raises each replica and slot by itself", () => {
    const replica = (name: string) => ({
      name,
      state: "streaming",
      sync: "async",
      lagBytes: 5,
      lagMs: 61_000,
    });
    const found = assessHealth([later(0, { replicas: [replica("a"), replica("b")] })], limits);
    expect(found).toMatchObject([
      { name: "replicaLag", subject: "a", what: "replica a is 61 s behind" },
      { name: "replicaLag", subject: "b" },
    ]);
  });
});

describe("alerts", () => {
  const excess = (subject: string) => ({
    name: "slot" as const,
    subject,
    what: "",
    value: 2,
    limit: 1,
  });

  it("are raised once and cleared once, when the figure stayed below", () => {
    const tell = edges();
    const states = (found: ReturnType<typeof tell.seen>) =>
      found.map(({ state, subject, since }) => `${state} ${subject} ${since}`);
    expect(states(tell.seen([excess("a")], "1"))).toEqual(["raised a 1"]);
    expect(states(tell.seen([excess("a"), excess("b")], "2"))).toEqual(["raised b 2"]);
    expect(states(tell.seen([excess("b")], "3"))).toEqual([]);
    expect(states(tell.seen([excess("a"), excess("b")], "4"))).toEqual([]);
    expect(states(tell.seen([excess("b")], "5"))).toEqual([]);
    expect(states(tell.seen([excess("b")], "6"))).toEqual(["cleared a 1"]);
    expect(states(tell.seen([excess("a"), excess("b")], "7"))).toEqual(["raised a 7"]);
  });

  it("stay as they are while nobody can look", () => {
    const tell = edges();
    tell.seen([excess("a")], "1");
    const missing = { ...excess(""), name: "noSample" as const, subject: null };
    expect(tell.missing(missing)).toMatchObject([{ name: "noSample", state: "raised" }]);
    expect(tell.missing(missing)).toEqual([]);
    expect(tell.seen([excess("a")], "2")).toMatchObject([{ name: "noSample", state: "cleared" }]);
  });
});

describe("throttleReason", () => {
  it("has none for a quiet database", () => {
    expect(throttleReason(undefined, quiet)).toBeUndefined();
  });

  it("names who waits behind us, but not for whom waits a moment or for another", () => {
    expect(throttleReason(undefined, later(0, waitersOf(waiter(5), waiter(6))))).toBe(
      "2 sessions wait behind us, the longest (pid 5) for 500 ms: ShareLock",
    );
    const others = waitersOf(waiter(5, { behindUs: false }), waiter(6, { waitedMs: 20 }));
    expect(throttleReason(undefined, later(0, others))).toBeUndefined();
  });

  it("names replicas, WAL, the archive, vacuums and dead rows", () => {
    const [users] = quiet.tables;
    if (users === undefined) throw new Error("no table");
    const reason = (change: Partial<HealthSample>, given = {}) =>
      throttleReason(quiet, later(1, change), given);
    const replica = { name: "b", state: null, sync: null, lagBytes: 300 * 1024 ** 2, lagMs: null };
    expect(reason({ replicas: [replica] })).toBe("replica b is 300 MB behind");
    const position = (quiet.wal.position ?? 0) + 20 * 1024 ** 2;
    expect(reason({ wal: { ...quiet.wal, position } })).toBeUndefined();
    expect(reason({ wal: { ...quiet.wal, position } }, { walBytesPerSecond: 1e6 })).toBe(
      "WAL is written at 20 MB a second",
    );
    const archiver = { archived: 1, failed: 9, lastArchivedAt: null, lastFailedAt: null };
    expect(reason({ archiver: { ...archiver, backlogSegments: 43 } })).toBe(
      "43 segments of WAL wait to be archived",
    );
    const vacuum = {
      pid: 1,
      schema: "public",
      name: "users",
      automatic: true,
      phase: "scanning heap",
      percent: 1,
      root: null,
    };
    expect(reason({ vacuums: [vacuum] })).toBe(
      "autovacuum is at work on public.users (scanning heap)",
    );
    const root = { schema: "public", name: "users" };
    expect(reason({ vacuums: [{ ...vacuum, name: "users_1", root }] })).toContain("users_1");
    expect(reason({ vacuums: [{ ...vacuum, name: "other" }] })).toBeUndefined();
    expect(reason({ vacuums: [{ ...vacuum, phase: "analyze" }] })).toBeUndefined();
    const dead = { ...users, deadRows: 10_000, deadRatio: 0.6 };
    expect(reason({ tables: [dead] })).toBe("60 % of the rows of public.users are dead");
    expect(reason({ tables: [dead] }, { deadRatio: null })).toBeUndefined();
  });
});
