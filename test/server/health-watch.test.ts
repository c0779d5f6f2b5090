import postgres from "postgres";
import { expect, it } from "vitest";
import { backfillPlan } from "../support/health-plans.ts";
import { apply } from "../../src/run/apply.ts";
import { runs } from "../../src/run/runs.ts";
import { watchHealth, type Alert } from "../../src/run/health/watch-health.ts";
import type { HealthSample } from "../../src/run/health/health-sample.ts";
import { onServers } from "../support/server.ts";
import { until } from "./run-traffic.ts";

onServers("watchHealth", (server) => {
  it("raises an alert once, clears it once, and pauses a run because of it", async () => {
    const sql = server.sql();
    await sql.unsafe(`CREATE TABLE rows_of_ours (id integer PRIMARY KEY, n integer);
      INSERT INTO rows_of_ours SELECT g FROM pg_catalog.generate_series(1, 4000) g`);
    const running = apply(sql, backfillPlan({ batchSize: 5, pauseMs: 20 }));
    await until("the run is there", async () => {
      const [row] = await sql`select pg_catalog.to_regclass('underpin.backfill_ranges') as there`;
      return row?.["there"] !== null;
    });
    const alerts: Alert[] = [];
    const samples: HealthSample[] = [];
    const held = postgres(server.url(), { max: 1 });
    await held.unsafe("BEGIN; LOCK TABLE rows_of_ours IN SHARE MODE; SELECT 1");
    const watch = watchHealth(
      sql,
      { longTransactionMs: 300, lockWaitsPerMinute: null },
      (alert) => void alerts.push(alert),
      {
        everyMs: 50,
        pauseRun: "backfilled",
        onSample: (sample) => {
          samples.push(sample);
          throw new Error("a callback that fails");
        },
      },
    );
    await until("it is raised", () => alerts.length > 0);
    await held.unsafe("ROLLBACK");
    await held.end();
    await until("it is cleared", () => alerts.some(({ state }) => state === "cleared"));
    await watch.stop();
    const seen = samples.length;
    const raised = alerts.filter(({ state }) => state === "raised");
    expect(raised).toMatchObject([
      {
        name: "longTransaction",
        limit: 300,
        what: expect.stringContaining("a transaction is open for") as string,
        pausedRun: "backfilled",
      },
    ]);
    expect(raised[0]?.value).toBeGreaterThan(300);
    expect(Date.parse(raised[0]?.since ?? "")).toBeGreaterThan(Date.now() - 60_000);
    expect((await running).outcome).toBe("paused");
    expect(await runs(sql)).toMatchObject([{ name: "backfilled", state: "paused" }]);
    const last = samples.at(-1);
    expect(last?.backfills).toMatchObject([
      {
        run: "backfilled",
        step: "fill",
        table: { schema: "public", name: "rows_of_ours" },
        failedBatches: 0,
      },
    ]);
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(samples.length).toBe(seen);
  }, 60_000);

  it("counts the waits of the last minute", async () => {
    const sql = server.sql();
    const alerts: Alert[] = [];
    const holder = postgres(server.url(), { max: 1 });
    const waiters = postgres(server.url(), { max: 4 });
    await holder.unsafe("BEGIN; LOCK TABLE rows_of_ours IN ACCESS EXCLUSIVE MODE");
    const waiting = [1, 2, 3, 4].map(() => waiters.unsafe("TABLE rows_of_ours").execute());
    await using watch = watchHealth(sql, { lockWaitsPerMinute: 3 }, (a) => void alerts.push(a), {
      everyMs: 50,
    });
    await until("it is raised", () => alerts.length > 0);
    await holder.end({ timeout: 0 });
    await Promise.all(waiting);
    await waiters.end();
    await watch.stop();
    expect(alerts).toMatchObject([{ name: "lockWaits", state: "raised", value: 4, limit: 3 }]);
    expect(alerts[0]?.what).toContain("LOCK TABLE rows_of_ours");
    expect(alerts[0]?.pausedRun).toBeUndefined();
  }, 60_000);

  it("tells when the database is gone, and when it is back", async () => {
    const url = new URL(await server.database("gone"));
    const name = url.pathname.slice(1);
    const sql = postgres(url.href, { max: 1, onnotice: () => undefined });
    const alerts: Alert[] = [];
    const watch = watchHealth(sql, {}, (alert) => void alerts.push(alert), { everyMs: 50 });
    await server.sql().unsafe(`ALTER DATABASE ${name} ALLOW_CONNECTIONS false`);
    await server.sql()`select pg_catalog.pg_terminate_backend(pid)
      from pg_catalog.pg_stat_activity where datname = ${name}`;
    await until("it is raised", () => alerts.length > 0);
    await server.sql().unsafe(`ALTER DATABASE ${name} ALLOW_CONNECTIONS true`);
    await until("it is cleared", () => alerts.length > 1);
    await watch.stop();
    await sql.end();
    expect(alerts).toMatchObject([
      { name: "noSample", state: "raised" },
      { name: "noSample", state: "cleared" },
    ]);
    expect(alerts[0]?.what).toContain("cannot be looked at");
  }, 60_000);

  it("tells when there is no answer, since all connections of the pool are taken", async () => {
    const sql = postgres(server.url(), { max: 1 });
    const taken = await sql.reserve();
    const alerts: Alert[] = [];
    const watch = watchHealth(sql, {}, (alert) => void alerts.push(alert), {
      everyMs: 20,
      timeoutMs: 100,
    });
    await until("it is raised", () => alerts.length > 0);
    expect(alerts[0]?.what).toContain("no answer within 200 ms");
    taken.release();
    await until("it is cleared", () => alerts.length > 1);
    const stopping = await sql.reserve();
    const stopped = watch.stop();
    stopping.release();
    await stopped;
    await sql.end();
  }, 60_000);
});
