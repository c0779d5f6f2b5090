import postgres from "postgres";
import { describe, expect, inject, it } from "vitest";
import type { HealthSample } from "../../src/run/health/health-sample.ts";
import { sampleHealth } from "../../src/run/health/sample-health.ts";
import { throttleReason } from "../../src/run/health/throttle.ts";
import { ident, literal } from "../../src/sql/quote.ts";
import "../support/provided.ts";
import { MAJORS } from "../support/server-binaries.ts";
import { startServer } from "../support/server-process.ts";
import { onServers } from "../support/server.ts";
import { until } from "./run-traffic.ts";

onServers("the health of replication", (server) => {
  it("tells how far a subscriber is behind, and what a slot keeps that nobody reads", async () => {
    const sql = server.sql();
    const subscriber = server.connect(await server.database("subscriber"), { max: 1 });
    const slot = `underpin_health_logical_${process.pid}_${server.major}`;
    const { hostname, port, username, pathname } = new URL(server.url());
    const conninfo = `host=${hostname} port=${port} user=${username} dbname=${decodeURIComponent(pathname.slice(1))}`;
    await sql.unsafe(
      "CREATE TABLE news (id integer PRIMARY KEY); CREATE PUBLICATION news FOR TABLE news",
    );
    await sql`select pg_catalog.pg_create_logical_replication_slot(${slot}, 'pgoutput')`;
    await subscriber.unsafe("CREATE TABLE news (id integer PRIMARY KEY)");
    await subscriber.unsafe(
      `CREATE SUBSCRIPTION ${ident(slot)} CONNECTION ${literal(conninfo)} PUBLICATION news
       WITH (create_slot = false, slot_name = ${literal(slot)}, copy_data = false)`,
    );
    let sample: HealthSample | undefined;
    const slotOf = (from: HealthSample | undefined) =>
      from?.slots.find(({ name }) => name === slot);
    try {
      await until("the subscriber streams and has caught up", async () => {
        await sql.unsafe("INSERT INTO news SELECT coalesce(max(id), 0) + 1 FROM news");
        sample = await sampleHealth(sql);
        const [replica] = sample.replicas.filter(({ name }) => name === slot);
        return replica?.state === "streaming" && replica.lagBytes !== null;
      });
      const role = await server.role("reads");
      const plain = await sampleHealth(server.connect(server.urlAs(role), { max: 1 }));
      expect(plain.replicas.find(({ name }) => name === slot)).toMatchObject({
        state: null,
        lagBytes: null,
      });
      expect(plain.unread.map(({ what }) => what)).toContain("state and lag of replicas");
      expect(slotOf(plain)).toMatchObject({ kind: "logical", active: true });

      await subscriber.unsafe(`ALTER SUBSCRIPTION ${ident(slot)} DISABLE`);
      await until("nobody reads the slot", async () => {
        sample = await sampleHealth(sql);
        return slotOf(sample)?.active === false;
      });
      const kept = slotOf(sample)?.retainedBytes ?? 0;
      await sql.unsafe("INSERT INTO news SELECT g FROM pg_catalog.generate_series(1000, 3000) g");
      const after = await sampleHealth(sql);
      expect(slotOf(after)?.retainedBytes).toBeGreaterThan(kept + 10_000);
      expect(after.xminHolders).toContainEqual(
        expect.objectContaining({ kind: "replicationSlot", name: slot, holds: "catalogs" }),
      );
    } finally {
      await subscriber.unsafe(`ALTER SUBSCRIPTION ${ident(slot)} DISABLE`);
      await subscriber.unsafe(`ALTER SUBSCRIPTION ${ident(slot)} SET (slot_name = NONE)`);
      await subscriber.unsafe(`DROP SUBSCRIPTION ${ident(slot)}`);
      await until("the slot is free", async () => {
        const rows = await sql`select pg_catalog.pg_drop_replication_slot(slot_name)
          from pg_catalog.pg_replication_slots where slot_name = ${slot} and not active`;
        return rows.length === 1;
      });
    }
  }, 60_000);

  it("is told with the settings that hide what is counted", async () => {
    // Both may be set for a session, and it is the session that asks.
    const sql = server.connect({
      max: 1,
      connection: { track_counts: "off", track_activities: "off" },
    });
    expect((await sampleHealth(sql)).unread).toEqual([
      { what: "states and queries of sessions", why: "track_activities is off" },
      { what: "live and dead rows of tables", why: "track_counts is off" },
    ]);
  });
});

const { own, missing } = inject("underpinServers");
for (const major of MAJORS) {
  const skipReason = own
    ? missing.find((absent) => absent.major === major)?.reason
    : "UNDERPIN_TEST_URL: this needs servers with settings of their own";
  const meta = {
    engine: `PostgreSQL ${major}` as const,
    ...(skipReason === undefined ? {} : { skipReason }),
  };
  describe.skipIf(skipReason !== undefined)(`servers of their own: ${major}`, { meta }, () => {
    it("a standby is looked at too", async () => {
      const standby = await startServer(major, { standby: true });
      const sql = postgres(standby.url, { max: 1 });
      try {
        const sample = await sampleHealth(sql, { probe: "SELECT 1" });
        expect(sample).toMatchObject({ isReplica: true, backfills: [], unread: [] });
        expect(sample.wal.position).toBeGreaterThan(0);
      } finally {
        await sql.end();
        await standby.stop();
      }
    }, 60_000);

    it("an archive that does not keep up is counted in segments", async () => {
      const server = await startServer(major, {
        settings: { archive_mode: "on", archive_command: 'case "%f" in *1) exit 0;; esac; exit 1' },
      });
      const sql = postgres(server.url, { max: 1 });
      const write = () =>
        sql.unsafe(
          "SELECT pg_catalog.pg_logical_emit_message(false, 'x', 'x'); SELECT pg_catalog.pg_switch_wal()",
        );
      try {
        for (let segment = 0; segment < 4; segment++) await write();
        await until("an archive command has failed", async () => {
          const { archiver } = await sampleHealth(sql);
          return archiver !== null && archiver.failed > 0 && archiver.archived > 0;
        });
        const { archiver } = await sampleHealth(sql);
        expect(archiver?.backlogSegments).toBe(3);
        expect(archiver?.lastFailedAt).not.toBeNull();
      } finally {
        await sql.end();
        await server.stop();
      }
    }, 60_000);

    it("a running autovacuum is seen by every login", async () => {
      const server = await startServer(major, {
        settings: {
          autovacuum_naptime: "1s",
          autovacuum_vacuum_cost_delay: "100ms",
          autovacuum_vacuum_cost_limit: "1",
          vacuum_cost_page_dirty: "10",
        },
      });
      const sql = postgres(server.url, { max: 1, onnotice: () => undefined });
      await sql.unsafe(
        `CREATE TABLE busy (id integer) WITH (autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0);
         CREATE ROLE plain LOGIN;
         INSERT INTO busy SELECT g FROM pg_catalog.generate_series(1, 20000) g; UPDATE busy SET id = -id`,
      );
      const url = new URL(server.url);
      url.username = "plain";
      const plain = postgres(url.href, { max: 1 });
      try {
        for (const login of [sql, plain]) {
          let sample: HealthSample | undefined;
          await until("autovacuum is at work", async () => {
            sample = await sampleHealth(login, { tables: [{ table: "busy" }] });
            return sample.vacuums.some(({ phase }) => phase !== "analyze");
          });
          expect(sample?.vacuums[0]).toMatchObject({
            schema: "public",
            name: "busy",
            automatic: true,
          });
          expect(sample && throttleReason(undefined, sample)).toContain(
            "autovacuum is at work on public.busy",
          );
        }
      } finally {
        await Promise.all([sql.end(), plain.end()]);
        await server.stop();
      }
    }, 60_000);
  });
}
