import postgres from "postgres";
import { expect, it } from "vitest";
import type { HealthSample } from "../../src/run/health/health-sample.ts";
import { expectRefusal, useCli } from "../support/cli.ts";
import { onServers } from "../support/server.ts";
import { until } from "./run-traffic.ts";

const cli = useCli();

onServers("underpin watch", (server) => {
  it("looks once, and ends with 3 where there is an alert", { timeout: 60_000 }, async () => {
    const environment = { DATABASE_URL: server.url() };
    const calm = await cli.run(["watch", "--once", "--probe", "SELECT 1"], environment);
    expect(calm).toMatchObject({ code: 0, stderr: "" });
    expect(calm.stdout).toContain("nobody waits");
    expect(calm.stdout).toContain("no alerts");
    const role = await server.role("watches");
    const json = await cli.run(["watch", "--once", "--json"], {
      DATABASE_URL: server.urlAs(role),
    });
    expect(json).toMatchObject({ code: 0, stderr: "" });
    const { sample, alerts } = JSON.parse(json.stdout) as {
      sample: HealthSample;
      alerts: unknown[];
    };
    expect(alerts).toEqual([]);
    expect(sample.unread).not.toEqual([]);
    const there =
      await server.sql()`select from pg_catalog.pg_namespace where nspname = 'underpin'`;
    expect(there).toHaveLength(0);
  });

  it("tells alerts until Ctrl-C, as lines of JSON too", { timeout: 60_000 }, async () => {
    await server.sql().unsafe("CREATE TABLE wanted (id integer)");
    const holder = postgres(server.url(), { max: 1 });
    const waiters = postgres(server.url(), { max: 12 });
    await holder.unsafe("BEGIN; LOCK TABLE wanted IN ACCESS EXCLUSIVE MODE");
    const args = ["watch", "--every", "1s", "--url", server.url()];
    const plain = cli.start([...args, "--pause-run", "nothing"]);
    await plain.says("watching ");
    const lines = cli.start([...args, "--json"]);
    await lines.says('{"sample":');
    const waiting = Array.from({ length: 11 }, () => waiters.unsafe("TABLE wanted").execute());
    await until("all wait", async () => {
      const rows = await server.sql()`select from pg_catalog.pg_locks where not granted`;
      return rows.length === 11;
    });
    await plain.says("alert lockWaits: 11 sessions began to wait for a lock in the last minute");
    await lines.says('{"alert":');
    await plain.says('could not pause: there is no run of "nothing"');
    await holder.end({ timeout: 0 });
    await Promise.all(waiting);
    await waiters.end();
    plain.process.kill("SIGINT");
    lines.process.kill("SIGTERM");
    expect(await plain.ended).toMatchObject({ code: 3 });
    const ended = await lines.ended;
    expect(ended.code).toBe(3);
    for (const line of ended.stdout.trim().split("\n"))
      expect(Object.keys(JSON.parse(line) as object)).toHaveLength(1);
  });

  it("refuses what contradicts itself", async () => {
    const both = await cli.run(["watch", "--once", "--every", "1s", "--url", server.url()]);
    expectRefusal(both, { code: 2, message: /--once looks once/, hint: /Leave out/ });
    const odd = await cli.run(["watch", "--every", "often", "--url", server.url()]);
    expectRefusal(odd, { code: 2, message: /not a length of time/, hint: /--every 1m/ });
  });
});
