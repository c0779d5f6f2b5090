import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import postgres, { type Sql } from "postgres";
import { plan } from "../../src/plan/plan.ts";
import type { Plan } from "../../src/plan/step.ts";
import { apply } from "../../src/run/apply.ts";
import type { RunEvent } from "../../src/run/events.ts";
import "../support/provided.ts";
import { MAJORS } from "../support/server-binaries.ts";
import { startServer, type RunningServer } from "../support/server-process.ts";
import { until } from "./run-traffic.ts";

/** Its lock table has room for 10 × (20 + 0) entries, and its autovacuum is eager. */
const SETTINGS = {
  max_connections: "20",
  max_prepared_transactions: "0",
  max_locks_per_transaction: "10",
  autovacuum_naptime: "1s",
} as const;

const PARTITIONS = 60;

const alterRoot: Plan = plan("wide", [
  {
    kind: "sql",
    id: "add-column",
    title: "Add a column to the root and every partition",
    sql: "ALTER TABLE wide.root ADD COLUMN added integer",
    locks: [{ schema: "wide", name: "root", mode: "accessExclusive", partitions: true }],
    transaction: "inside",
    undo: { kind: "nothing" },
  },
]);

const { own, missing } = inject("underpinServers");
for (const major of MAJORS) {
  const skipReason = own
    ? missing.find((absent) => absent.major === major)?.reason
    : "UNDERPIN_TEST_URL: this needs servers with settings of their own";
  const meta = {
    engine: `PostgreSQL ${major}` as const,
    ...(skipReason === undefined ? {} : { skipReason }),
  };
  describe.skipIf(skipReason !== undefined)(`a small server: PostgreSQL ${major}`, { meta }, () => {
    let server: RunningServer;
    let sql: Sql;
    beforeAll(async () => {
      server = await startServer(major, { settings: SETTINGS });
      sql = postgres(server.url, { max: 4, onnotice: () => undefined });
    });
    afterAll(async () => {
      await sql?.end({ timeout: 1 });
      await server?.stop();
    });

    it("is not asked for more than a quarter of its lock table", async () => {
      await sql.unsafe(
        "CREATE SCHEMA wide; CREATE TABLE wide.root (id integer) PARTITION BY LIST (id)",
      );
      for (let id = 1; id <= PARTITIONS; id++)
        await sql.unsafe(`CREATE TABLE wide.p${id} PARTITION OF wide.root FOR VALUES IN (${id})`);
      const refused = await apply(sql, alterRoot);
      expect(refused).toMatchObject({
        outcome: "failed",
        failure: { code: "lockBudget", step: "add-column" },
      });
      expect(refused.failure?.message).toContain(`takes ${PARTITIONS + 1} locks`);
      expect(refused.failure?.message).toContain("room for 200");
      expect(refused.failure?.hint).toContain("max_locks_per_transaction");
      // Below the quarter it goes through, by the same journal.
      for (let id = 1; id <= 20; id++) await sql.unsafe(`DROP TABLE wide.p${id}`);
      expect(await apply(sql, alterRoot)).toMatchObject({ outcome: "applied" });
    });

    it("does not have its autovacuum waited for: it gives way", async () => {
      await sql.unsafe(`
        CREATE SCHEMA vacuumed;
        CREATE TABLE vacuumed.items (id integer PRIMARY KEY, filler text) WITH (
          autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0,
          autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1);
        INSERT INTO vacuumed.items SELECT n, pg_catalog.repeat('x', 500) FROM pg_catalog.generate_series(1, 5000) n;
        DELETE FROM vacuumed.items WHERE id % 2 = 0`);
      await until("autovacuum is at work on the table", async () => {
        const rows = await sql`
          select from pg_catalog.pg_locks l join pg_catalog.pg_stat_activity a using (pid)
          where a.backend_type = 'autovacuum worker' and l.relation = 'vacuumed.items'::regclass
            and l.mode = 'ShareUpdateExclusiveLock' and l.granted
            and a.xact_start < clock_timestamp() - interval '2500 ms'`;
        return rows.length > 0;
      });
      const events: RunEvent[] = [];
      // deadlock_timeout is 1 s: autovacuum gives way to whoever has waited for so long.
      const report = await apply(
        sql,
        plan("vacuumed", [
          {
            kind: "sql",
            id: "add-column",
            title: "Add a column",
            sql: "ALTER TABLE vacuumed.items ADD COLUMN added integer",
            locks: [{ schema: "vacuumed", name: "items", mode: "accessExclusive" }],
            transaction: "inside",
            undo: { kind: "nothing" },
          },
        ]),
        { onEvent: (event) => events.push(event), lockBudgetMs: 8_000 },
      );
      expect(report.outcome).toBe("applied");
      expect(events.filter(({ type }) => type === "blocked")).toEqual([]);
      expect(events.filter(({ type }) => type === "retrying")).toEqual([]);
    });
  });
}
