import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { createIndex } from "../../src/recipes/create-index.ts";
import { apply } from "../../src/run/apply.ts";
import type { RunEvent } from "../../src/run/events.ts";
import type { RunOptions } from "../../src/run/options.ts";
import { openHosts, type Hosts } from "../kill/host-process.ts";
import { onServers } from "../support/server.ts";
import { openTransaction, until } from "./run-traffic.ts";

const table = { schema: "out side", table: `it"ems` };
const unique = createIndex({ ...table, parts: ["n"], name: "by n", unique: true });
const slow = createIndex({
  ...table,
  parts: [{ on: { expression: `"out side".slowly(n)` } }],
  name: "by n",
});

onServers("a step outside a transaction", (server) => {
  let hosts: Hosts;
  beforeAll(async () => {
    hosts = await openHosts();
  });
  afterAll(() => hosts?.close());

  beforeEach(async () => {
    await server.sql().unsafe(`
      DROP SCHEMA IF EXISTS "out side" CASCADE; DROP SCHEMA IF EXISTS underpin CASCADE;
      CREATE SCHEMA "out side";
      CREATE TABLE "out side"."it""ems" (id integer PRIMARY KEY, n integer NOT NULL);
      INSERT INTO "out side"."it""ems" SELECT n, n FROM pg_catalog.generate_series(1, 3) AS n;
      CREATE FUNCTION "out side".slowly(n integer) RETURNS integer IMMUTABLE LANGUAGE plpgsql
      AS $$ BEGIN PERFORM pg_catalog.pg_sleep(0.3); RETURN n; END $$`);
  });

  function follow(options: RunOptions = {}) {
    const events: RunEvent[] = [];
    return {
      events,
      options: { leaseMs: 300, onEvent: (event: RunEvent) => events.push(event), ...options },
      of: <T extends RunEvent["type"]>(type: T) =>
        events.filter((event): event is Extract<RunEvent, { type: T }> => event.type === type),
    };
  }

  const indexes = async () => [
    ...(await server.sql()<{ name: string; valid: boolean }[]>`
      select c.relname as name, i.indisvalid as valid from pg_catalog.pg_index i
      join pg_catalog.pg_class c on c.oid = i.indexrelid
      where i.indrelid = '"out side"."it""ems"'::regclass and not i.indisprimary`),
  ];

  const building = async () => {
    const [row] = await server.sql()<{ pid: number }[]>`
      select a.pid from pg_catalog.pg_stat_activity a
      where a.datname = current_database() and a.state = 'active' and a.query ~ 'INDEX CONCURRENTLY'
        and a.pid <> pg_backend_pid()`;
    return row?.pid;
  };

  it("whose process was killed is waited for while its backend works on, and not run again", async () => {
    const host = await hosts.start({
      url: server.url(),
      task: "apply",
      plan: slow,
      options: { leaseMs: 300 },
      handlersWriteTo: "out side",
    });
    await until("the index is being built", async () => (await building()) !== undefined);
    host.signal("SIGKILL");
    await host.ended;
    const { options, of } = follow();
    const report = await apply(server.sql(), slow, options);
    expect(report).toMatchObject({ outcome: "applied", ranHere: true });
    expect(of("busy").map(({ owner }) => owner)).toContainEqual(expect.stringMatching(/^backend /));
    expect(of("takenOver")).toEqual([]);
    // The probe said that it is done: nothing was started.
    expect(of("stepStarted").filter(({ step }) => step === "create-index")).toEqual([]);
    expect(await indexes()).toEqual([{ name: "by n", valid: true }]);
  });

  it("whose backend was ended leaves an INVALID index, which is dropped and built again", async () => {
    const { options, of } = follow();
    const applying = apply(server.sql(), slow, options);
    await until("the index is INVALID and being built", async () =>
      (await indexes()).some(({ valid }) => !valid),
    );
    await server.sql()`select pg_catalog.pg_terminate_backend(${(await building()) ?? 0}::int)`;
    expect(await applying).toMatchObject({ outcome: "applied", ranHere: true });
    expect(of("reconnecting").length).toBeGreaterThan(0);
    expect(of("stepRepaired").map(({ sql }) => sql)).toEqual([
      `DROP INDEX CONCURRENTLY IF EXISTS "out side"."by n"`,
    ]);
    expect(await indexes()).toEqual([{ name: "by n", valid: true }]);
  });

  it("that fails leaves nothing behind, and runs once its cause is mended", async () => {
    const sql = server.sql();
    await sql.unsafe(`INSERT INTO "out side"."it""ems" VALUES (4, 1)`);
    const report = await apply(sql, unique, follow().options);
    expect(report).toMatchObject({
      outcome: "failed",
      failure: { step: "create-index", sqlState: "23505" },
    });
    expect(await indexes()).toEqual([]);
    await sql.unsafe(`DELETE FROM "out side"."it""ems" WHERE id = 4`);
    expect(await apply(sql, unique, follow().options)).toMatchObject({ outcome: "applied" });
    expect(await indexes()).toEqual([{ name: "by n", valid: true }]);
  });

  for (const { what, columns } of [
    { what: "valid", columns: "n" },
    { what: "on another column", columns: "id" },
  ])
    it(`does not take an index for its own that was there before (${what})`, async () => {
      const sql = server.sql();
      await sql.unsafe(`CREATE INDEX "by n" ON "out side"."it""ems" (${columns})`);
      const report = await apply(sql, unique, follow().options);
      expect(report).toMatchObject({ outcome: "failed", failure: { code: "inDoubt" } });
      // Not ours, so not dropped.
      expect(await indexes()).toEqual([{ name: "by n", valid: true }]);
      await sql.unsafe(`DROP INDEX "out side"."by n"`);
      expect(await apply(sql, unique, follow().options)).toMatchObject({ outcome: "applied" });
    });

  it("does not begin while an old snapshot would make it wait, and names who holds it", async () => {
    const blocker = await openTransaction(
      server,
      "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT 'the culprit'",
    );
    await until("it is old", async () => {
      const old = await server.sql()`
        select from pg_catalog.pg_stat_activity
        where pid = ${blocker.pid} and xact_start < clock_timestamp() - interval '250 ms'`;
      return old.length > 0;
    });
    const { options, of } = follow({ lockTimeoutMs: 200, retryDelayMs: 20, outsideWaitMs: 500 });
    const report = await apply(server.sql(), unique, options);
    expect(report).toMatchObject({
      outcome: "failed",
      failure: { code: "blocked", step: "create-index", blockers: [{ pid: blocker.pid }] },
    });
    expect(report.failure?.blockers?.[0]?.query).toContain("the culprit");
    expect(of("stepStarted").filter(({ step }) => step === "create-index")).toEqual([]);
    await blocker.commit();
    expect(await apply(server.sql(), unique, options)).toMatchObject({ outcome: "applied" });
  });

  it("is called back by its watchdog when it waits too long, and leaves nothing behind", async () => {
    const { options, of } = follow({ outsideWaitMs: 500 });
    // Young enough to be let through before, and then it does not end.
    const blocker = await openTransaction(
      server,
      `UPDATE "out side"."it""ems" SET n = n WHERE id = 1`,
    );
    const report = await apply(server.sql(), unique, options);
    expect(report).toMatchObject({
      outcome: "failed",
      failure: { code: "blocked", step: "create-index", blockers: [{ pid: blocker.pid }] },
    });
    expect(of("stepStarted").filter(({ step }) => step === "create-index")).toHaveLength(1);
    await blocker.commit();
    expect(await apply(server.sql(), unique, follow().options)).toMatchObject({
      outcome: "applied",
    });
    expect(await indexes()).toEqual([{ name: "by n", valid: true }]);
  });

  it("is not cut off by the timeouts of its login, which come back afterwards", async () => {
    const role = await server.role("hasty");
    await server.sql().unsafe(`
      ALTER ROLE "${role}" SET statement_timeout = '250ms'; ALTER ROLE "${role}" SET lock_timeout = '150ms';
      GRANT CREATE ON DATABASE "${new URL(server.url()).pathname.slice(1)}" TO "${role}";
      ALTER SCHEMA "out side" OWNER TO "${role}"; ALTER TABLE "out side"."it""ems" OWNER TO "${role}"`);
    if (server.major >= 17)
      await server.sql().unsafe(`ALTER ROLE "${role}" SET transaction_timeout = '350ms'`);
    const hasty = server.connect(server.urlAs(role), { max: 1 });
    const report = await apply(hasty, slow, { leaseMs: 300 });
    expect(report.failure).toBeUndefined();
    expect(report.outcome).toBe("applied");
    const [after] = await hasty`
      select current_setting('statement_timeout') as statements, current_setting('lock_timeout') as locks`;
    expect(after).toEqual({ statements: "250ms", locks: "150ms" });
  });
});
