import { beforeEach, expect, it } from "vitest";
import { toExecutor } from "../../src/executor/connect.ts";
import { plan } from "../../src/plan/plan.ts";
import type { CallStep, Plan, SqlStep, Step } from "../../src/plan/step.ts";
import { apply } from "../../src/run/apply.ts";
import { confirm, pause, resume } from "../../src/run/control.ts";
import { undo } from "../../src/run/undo.ts";
import { onServers } from "../support/server.ts";

const sql = (id: string, text: string, more: Partial<SqlStep> = {}): SqlStep =>
  ({
    kind: "sql",
    id,
    title: id,
    sql: text,
    locks: [],
    transaction: "commitAfter",
    undo: { kind: "statement", sql: "SELECT 1", locks: [], transaction: "inside" },
    ...more,
  }) as SqlStep;

const gate = (id: string): Step => ({
  kind: "gate",
  id,
  title: id,
  question: "Is it so?",
  undo: { kind: "nothing" },
});

const call = (argument: CallStep["argument"]): CallStep => ({
  kind: "call",
  id: "call",
  title: "call",
  handler: "host",
  version: 1,
  argument,
  undo: { kind: "nothing" },
});

onServers("a run at its edges", (server) => {
  beforeEach(async () => {
    await server.sql().unsafe("DROP SCHEMA IF EXISTS underpin, app CASCADE; CREATE SCHEMA app");
  });

  it("calls a handler once that fails for want of its own file or network", async () => {
    let calls = 0;
    const run = () => {
      calls++;
      throw Object.assign(new Error("no backup file"), { code: "ENOENT" });
    };
    const handlers = { host: { version: 1, run } };
    const report = await apply(server.sql(), plan("host", [call(null)]), { handlers });
    expect(report).toMatchObject({ outcome: "failed", failure: { step: "call" } });
    expect(calls).toBe(1);
  });

  it("is cancelled, not failed, when a handler obeys the signal", async () => {
    const abort = new AbortController();
    const run = () => {
      abort.abort();
      throw Object.assign(new Error("stopped"), { name: "AbortError" });
    };
    const report = await apply(server.sql(), plan("obeys", [call(null)]), {
      handlers: { host: { version: 1, run } },
      signal: abort.signal,
    });
    expect(report.outcome).toBe("cancelled");
  });

  it("can be taken back while it is paused", async () => {
    const two = plan("paused", [sql("a", "SELECT 1"), gate("g")]);
    await apply(server.sql(), two);
    await pause(server.sql(), "paused");
    expect((await undo(server.sql(), "paused")).outcome).toBe("undone");
  });

  it("is taken back as far as was asked, when that was interrupted", async () => {
    const three = plan("part", [sql("a", "SELECT 1"), sql("b", "SELECT 1"), sql("c", "SELECT 1")]);
    await apply(server.sql(), three);
    const abort = new AbortController();
    const cut = await undo(server.sql(), "part", {
      upTo: "b",
      signal: abort.signal,
      onEvent: ({ type }) => type === "stepUndone" && abort.abort(),
    });
    expect(cut).toMatchObject({ outcome: "cancelled" });
    expect(cut.next).toContain('undo(db, "part")');
    const rest = await undo(server.sql(), "part");
    expect(rest.outcome).toBe("partlyUndone");
    expect(rest.steps.map(({ id, state }) => `${id} ${state}`)).toEqual([
      "a applied",
      "b unapplied",
      "c unapplied",
    ]);
  });

  it("goes on taking back when a paused undo is resumed", async () => {
    const slow = { kind: "statement", sql: "SELECT pg_sleep(0.25)", locks: [] } as const;
    const steps = ["a", "b", "c", "d"].map((id) =>
      sql(id, "SELECT 1", { undo: { ...slow, transaction: "inside" } }),
    );
    await apply(server.sql(), plan("back", steps));
    let pausing: Promise<void> | undefined;
    const paused = await undo(server.sql(), "back", {
      onEvent: ({ type }) => {
        if (type === "stepUndone") pausing ??= pause(server.sql(), "back");
      },
    });
    await pausing;
    expect(paused).toMatchObject({ outcome: "paused" });
    expect(await resume(server.sql(), "back")).toMatchObject({ outcome: "undone" });
  });

  it("asks at a gate again after what was before it was taken back", async () => {
    const gated = plan("gated", [sql("a", "SELECT 1"), gate("g"), sql("b", "SELECT 1")]);
    expect((await apply(server.sql(), gated)).outcome).toBe("waiting");
    await confirm(server.sql(), "gated", "g");
    expect((await undo(server.sql(), "gated", { upTo: "a" })).outcome).toBe("undone");
    expect((await apply(server.sql(), gated)).outcome).toBe("waiting");
  });

  it("says so when a statement ends the transaction that it runs in", async () => {
    const text = "CREATE TABLE app.t (id int); COMMIT; SELECT 1";
    const report = await apply(server.sql(), plan("commits", [sql("a", text)]));
    expect(report).toMatchObject({ outcome: "failed", failure: { code: "inDoubt" } });
  });

  it("fails a check over rows that it does not declare, where row security would hide them", async () => {
    const owner = await server.role("owner");
    await server.sql()
      .unsafe(`GRANT CREATE ON DATABASE "${new URL(server.url()).pathname.slice(1)}" TO "${owner}";
      ALTER SCHEMA app OWNER TO "${owner}"`);
    const db = server.connect(server.urlAs(owner));
    await db.unsafe(`CREATE TABLE app.t (v int); INSERT INTO app.t VALUES (NULL);
      ALTER TABLE app.t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
      CREATE PROCEDURE app.fill() LANGUAGE sql AS 'UPDATE app.t SET v = 1'`);
    const check: Step = {
      kind: "check",
      id: "filled",
      title: "No NULL is left",
      sql: "SELECT * FROM app.t WHERE v IS NULL",
      expect: "noRows",
      transaction: "inside",
      undo: { kind: "nothing" },
    };
    expect(await apply(db, plan("undeclared", [check]))).toMatchObject({
      outcome: "failed",
      failure: { sqlState: "42501" },
    });
    const outside = sql("fill", "CALL app.fill()", {
      transaction: "outside",
      probe: { sql: "SELECT 'absent' AS state" },
      rows: [{ schema: "app", name: "t", access: "update" }],
    });
    expect(await apply(db, plan("outside", [outside]))).toMatchObject({
      outcome: "failed",
      failure: { code: "rowSecurity" },
    });
  });

  it("cuts a statement outside a transaction that queues for a lock and makes readers wait", async () => {
    await server.sql().unsafe(`CREATE TABLE app.p (id int) PARTITION BY RANGE (id);
      CREATE TABLE app.p1 PARTITION OF app.p FOR VALUES FROM (0) TO (10)`);
    const detached = `SELECT CASE WHEN count(*) = 0 THEN 'done'
      WHEN bool_or(inhdetachpending) THEN 'broken' ELSE 'absent' END AS state
      FROM pg_inherits WHERE inhrelid = 'app.p1'::regclass`;
    const detach = sql("detach", "ALTER TABLE app.p DETACH PARTITION app.p1 CONCURRENTLY", {
      transaction: "outside",
      probe: {
        sql: detached,
        repair: { sql: "ALTER TABLE app.p DETACH PARTITION app.p1 FINALIZE", then: "done" },
      },
    });
    const blocker = server.connect({ max: 1 });
    await blocker.unsafe("BEGIN; SELECT * FROM app.p1");
    const applied = apply(server.sql(), plan("detach", [detach]), {
      lockTimeoutMs: 600,
      retryDelayMs: 100,
    });
    let longestMs = 0;
    let reads = 0;
    const reader = server.connect({ max: 1 });
    const untilMs = performance.now() + 3_000;
    while (performance.now() < untilMs) {
      const startedMs = performance.now();
      await reader.unsafe("SELECT * FROM app.p1");
      longestMs = Math.max(longestMs, performance.now() - startedMs);
      reads++;
    }
    await blocker.unsafe("COMMIT");
    expect((await applied).outcome).toBe("applied");
    expect(reads).toBeGreaterThan(10);
    // Readers wait for our request for one lock timeout at most, and a look of the watchdog.
    expect(longestMs).toBeLessThan(600 + 250);
  });

  it("does not wait for a lease row that somebody is writing", async () => {
    const done = plan("held", [sql("a", "SELECT 1")]);
    await apply(server.sql(), plan("other", [sql("a", "SELECT 1")]));
    const other = server.connect({ max: 1 });
    await other.unsafe(`BEGIN; INSERT INTO underpin.leases VALUES
      ('held', 7, 'somebody', now(), now() - interval '1 hour')`);
    expect((await apply(server.sql(), done, { whenBusy: "return" })).outcome).toBe("busy");
    await other.unsafe("COMMIT; BEGIN; SELECT FROM underpin.leases WHERE name = 'held' FOR UPDATE");
    expect((await apply(server.sql(), done, { whenBusy: "return" })).outcome).toBe("busy");
    await other.unsafe("ROLLBACK");
    expect((await apply(server.sql(), done)).outcome).toBe("applied");
  });

  it("counts the budget for lost connections anew after every batch", async () => {
    await server.sql().unsafe("CREATE TABLE app.t (id int PRIMARY KEY, v int)");
    await server.sql().unsafe("INSERT INTO app.t SELECT g FROM generate_series(1, 60) g");
    const fill = plan("fill", [
      {
        kind: "backfill",
        id: "fill",
        title: "fill",
        table: { schema: "app", name: "t" },
        key: [{ name: "id", type: "integer" }],
        set: "v = id",
        where: "target.v IS NULL",
        batchSize: 2,
        pauseMs: 60,
        undo: { kind: "nothing" },
      },
    ]);
    const named = server.connect({ connection: { application_name: "cut" } });
    let cuts = 0;
    let told = 0;
    const cut = async () => {
      await server.sql()`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'cut'`;
      cuts++;
    };
    const report = await apply(named, fill, {
      reconnectBudgetMs: 700,
      onEvent: ({ type }) => {
        if (type === "progress" && ++told % 3 === 0) void cut();
      },
    });
    expect(report.outcome).toBe("applied");
    expect(cuts).toBeGreaterThan(1);
    const [left] =
      await server.sql()`SELECT count(*)::int AS n FROM app.t WHERE v IS DISTINCT FROM id`;
    expect(left?.["n"]).toBe(0);
  });

  it("needs no right to create schemas where its schema is there", async () => {
    const login = await server.role("plain");
    await server.sql().unsafe(`CREATE SCHEMA underpin AUTHORIZATION "${login}"`);
    const db = server.connect(server.urlAs(login));
    expect((await apply(db, plan("plain", [sql("a", "SELECT 1")]))).outcome).toBe("applied");
    const stranger = server.connect(server.urlAs(await server.role("stranger")));
    await expect(apply(stranger, plan("stranger", [sql("a", "SELECT 1")]))).rejects.toMatchObject({
      code: "missingRight",
    });
  });

  it("refuses a limit of nothing, which to PostgreSQL is no limit", async () => {
    const one = plan("limits", [sql("a", "SELECT 1")]);
    for (const lockTimeoutMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY])
      await expect(apply(server.sql(), one, { lockTimeoutMs })).rejects.toThrow(/lockTimeoutMs is/);
  });

  it("shows a few of the rows that should not be there, and needs a number where it bounds one", async () => {
    const check = (id: string, text: string, expectation: "noRows" | { atMost: number }): Plan =>
      plan(id, [
        {
          kind: "check",
          id,
          title: id,
          sql: text,
          expect: expectation,
          transaction: "inside",
          undo: { kind: "nothing" },
        },
      ]);
    const db = toExecutor(server.sql());
    const many = await apply(db, check("many", "SELECT generate_series(1, 1000000)", "noRows"));
    expect(many.failure?.message).toContain("more than 5 rows");
    const empty = await apply(db, check("empty", "SELECT ''", { atMost: 0 }));
    expect(empty.failure?.message).toContain("needs one row with a number");
    expect((await apply(db, check("fits", "SELECT 0", { atMost: 0 }))).outcome).toBe("applied");
  });
});
