import { beforeEach, expect, it } from "vitest";
import { plan } from "../../src/plan/plan.ts";
import type { Plan, SqlStep } from "../../src/plan/step.ts";
import { apply } from "../../src/run/apply.ts";
import type { RunEvent } from "../../src/run/events.ts";
import type { RunOptions } from "../../src/run/options.ts";
import { onServers } from "../support/server.ts";
import { openTransaction, startTraffic, until } from "./run-traffic.ts";

const LOCK_TIMEOUT_MS = 500;

/** What a loaded machine of two cores may add to a wait before the client of it is scheduled again. */
const SLACK_MS = 250;

const READS = "SELECT pg_catalog.count(*) FROM queue.held";
const WRITES = "UPDATE queue.held SET n = n + 1 WHERE id = 2";
const FREE_WRITES = "UPDATE queue.free SET n = n + 1 WHERE id = 2";

const alter = (table: string, id = `alter-${table}`): SqlStep => ({
  kind: "sql",
  id,
  title: `Change ${table}`,
  sql: `ALTER TABLE queue.${table} ADD COLUMN added integer`,
  locks: [{ schema: "queue", name: table, mode: "accessExclusive" }],
  transaction: "inside",
  undo: { kind: "nothing" },
});

onServers("the queue for a lock", (server) => {
  beforeEach(async () => {
    await server.sql().unsafe(`
      DROP SCHEMA IF EXISTS queue CASCADE; DROP SCHEMA IF EXISTS underpin CASCADE;
      CREATE SCHEMA queue;
      CREATE TABLE queue.held (id integer PRIMARY KEY, n integer NOT NULL DEFAULT 0);
      CREATE TABLE queue.also_held (LIKE queue.held INCLUDING ALL);
      CREATE TABLE queue.free (LIKE queue.held INCLUDING ALL);
      INSERT INTO queue.held SELECT pg_catalog.generate_series(1, 5);
      INSERT INTO queue.free SELECT pg_catalog.generate_series(1, 5)`);
  });

  function start(made: Plan, options: RunOptions = {}) {
    const events: RunEvent[] = [];
    const report = apply(server.sql(), made, {
      lockTimeoutMs: LOCK_TIMEOUT_MS,
      retryDelayMs: 20,
      onEvent: (event) => events.push(event),
      ...options,
    });
    const count = (type: RunEvent["type"]) => events.filter((event) => event.type === type).length;
    return { report, count };
  }

  function tell(what: string, longestMs: number): void {
    console.log(
      `PostgreSQL ${server.major}, ${what}: longest foreign wait ${Math.round(longestMs)} ms, lock timeout ${LOCK_TIMEOUT_MS} ms`,
    );
  }

  for (const { what, holding } of [
    { what: "read", holding: "SELECT * FROM queue.held" },
    { what: "written", holding: "UPDATE queue.held SET n = 100 WHERE id = 1" },
  ])
    it(`behind a long transaction that has ${what} makes nobody wait longer than the lock timeout`, async () => {
      const traffic = await startTraffic(server, [READS, WRITES]);
      const blocker = await openTransaction(server, holding);
      const { report, count } = start(plan("queue", [alter("held")]));
      // It queues while the transaction is young, gives way, and then does not even queue.
      await until("it has queued and given way", () => count("retrying") > 0);
      await until("it has looked without queueing", () => count("blocked") > 5);
      await blocker.commit();
      expect((await report).outcome).toBe("applied");
      const longestMs = await traffic.stop();
      tell(`a long transaction that has ${what}`, longestMs);
      expect(longestMs).toBeLessThan(LOCK_TIMEOUT_MS + SLACK_MS);
    });

  it("ends within its budget with a report of who was in the way", async () => {
    const blocker = await openTransaction(server, "SELECT 'the culprit' FROM queue.held");
    const { report } = start(plan("queue", [alter("held")]), { lockBudgetMs: 700 });
    const { outcome, failure } = await report;
    await blocker.commit();
    expect(outcome).toBe("failed");
    expect(failure).toMatchObject({ code: "blocked", step: "alter-held" });
    expect(failure?.message).toContain(`pid ${blocker.pid}`);
    expect(failure?.blockers).toMatchObject([
      { pid: blocker.pid, mode: "AccessShareLock", relation: "queue.held" },
    ]);
    expect(failure?.blockers?.[0]?.query).toContain("the culprit");
    const again = await apply(server.sql(), plan("queue", [alter("held")]));
    expect(again.outcome).toBe("applied");
  });

  it("holds a free table no longer than the lock timeout while it waits for another", async () => {
    const traffic = await startTraffic(server, [FREE_WRITES]);
    const blocker = await openTransaction(server, "SELECT * FROM queue.held");
    const { report, count } = start(plan("queue", [alter("free"), alter("held")]));
    await until("it has queued and given way", () => count("retrying") > 0);
    await until("it has looked without queueing", () => count("blocked") > 2);
    await blocker.commit();
    expect((await report).outcome).toBe("applied");
    const longestMs = await traffic.stop();
    tell("a step over two tables", longestMs);
    expect(longestMs).toBeLessThan(LOCK_TIMEOUT_MS + SLACK_MS);
  });

  it("counts the waits for several locks of one statement together", async () => {
    const mode = "accessExclusive";
    const three: SqlStep = {
      ...alter("free"),
      sql: "LOCK TABLE queue.free, queue.held, queue.also_held IN ACCESS EXCLUSIVE MODE",
      locks: ["free", "held", "also_held"].map((name) => ({ schema: "queue", name, mode })),
    };
    const traffic = await startTraffic(server, [FREE_WRITES]);
    const first = await openTransaction(server, "SELECT * FROM queue.held");
    const second = await openTransaction(server, "SELECT * FROM queue.also_held");
    const { report, count } = start(plan("queue", [three]));
    const waitsFor = async (table: string) => {
      const rows = await server.sql()`
        select from pg_catalog.pg_locks where not granted and relation = ${`queue.${table}`}::regclass
          and mode = 'AccessExclusiveLock'`;
      return rows.length > 0;
    };
    await until("it waits for the first of the two", () => waitsFor("held"));
    // Most of the first wait is over: were each lock given its own time, the sum would be well above the timeout.
    await new Promise((resolve) => setTimeout(resolve, 0.7 * LOCK_TIMEOUT_MS));
    await first.commit();
    await until("it has given way", () => count("retrying") > 0);
    await second.commit();
    expect((await report).outcome).toBe("applied");
    const longestMs = await traffic.stop();
    tell("three locks of one statement", longestMs);
    expect(longestMs).toBeLessThan(LOCK_TIMEOUT_MS + SLACK_MS);
  });

  it("is cut off with a statement that is slow under a strong lock, and says so", async () => {
    await server.sql().unsafe(
      `CREATE FUNCTION queue.slow() RETURNS integer VOLATILE LANGUAGE plpgsql
       AS $$ BEGIN PERFORM pg_catalog.pg_sleep(1); RETURN 1; END $$`,
    );
    const slow: SqlStep = {
      ...alter("held"),
      sql: "ALTER TABLE queue.held ADD COLUMN added integer DEFAULT queue.slow()",
    };
    const traffic = await startTraffic(server, [READS, WRITES]);
    const { report } = start(plan("queue", [slow]));
    const { outcome, failure } = await report;
    const longestMs = await traffic.stop();
    expect(outcome).toBe("failed");
    expect(failure).toMatchObject({ code: "blocked", step: "alter-held", sqlState: "57014" });
    expect(failure?.message).toContain(`more than ${LOCK_TIMEOUT_MS} ms under a lock`);
    tell("a statement slow under ACCESS EXCLUSIVE", longestMs);
    expect(longestMs).toBeLessThan(LOCK_TIMEOUT_MS + SLACK_MS);
  });

  it("makes nobody wait for a transaction of another role, of which only the pid can be seen", async () => {
    const role = await server.role("plain");
    await server.sql().unsafe(`
      GRANT CREATE ON DATABASE ${server.url().split("/").at(-1)} TO "${role}";
      ALTER SCHEMA queue OWNER TO "${role}"; ALTER TABLE queue.held OWNER TO "${role}"`);
    const plain = server.connect(server.urlAs(role));
    const traffic = await startTraffic(server, [READS, WRITES]);
    const blocker = await openTransaction(server, "SELECT 'a secret' FROM queue.held");
    const events: RunEvent[] = [];
    const report = await apply(plain, plan("queue", [alter("held")]), {
      lockTimeoutMs: LOCK_TIMEOUT_MS,
      retryDelayMs: 20,
      lockBudgetMs: 4 * LOCK_TIMEOUT_MS,
      onEvent: (event) => events.push(event),
    });
    expect(report).toMatchObject({ outcome: "failed", failure: { code: "blocked" } });
    expect(report.failure?.blockers).toMatchObject([
      { pid: blocker.pid, transactionAgeMs: null, query: "<insufficient privilege>" },
    ]);
    expect(events.filter(({ type }) => type === "blocked").length).toBeGreaterThan(0);
    await blocker.commit();
    const after = await apply(plain, plan("queue", [alter("held")]));
    expect(after.outcome).toBe("applied");
    const longestMs = await traffic.stop();
    tell("a transaction of an unseen role", longestMs);
    expect(longestMs).toBeLessThan(LOCK_TIMEOUT_MS + SLACK_MS);
  });
});
