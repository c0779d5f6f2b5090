import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { plan } from "../../src/plan/plan.ts";
import type { Plan, SqlStep } from "../../src/plan/step.ts";
import { createIndex } from "../../src/recipes/create-index.ts";
import { apply } from "../../src/run/apply.ts";
import type { RunEvent } from "../../src/run/events.ts";
import type { RunOptions } from "../../src/run/options.ts";
import type { HostJob } from "../kill/host-job.ts";
import { openHosts, type Host, type Hosts } from "../kill/host-process.ts";
import { onServers } from "../support/server.ts";
import { startTraffic, until } from "./run-traffic.ts";

const LEASE_MS = 300;

const addColumn: SqlStep = {
  kind: "sql",
  id: "add-column",
  title: "Add a column",
  sql: "ALTER TABLE leased.items ADD COLUMN added integer",
  locks: [{ schema: "leased", name: "items", mode: "accessExclusive" }],
  transaction: "commitAfter",
  undo: { kind: "nothing" },
};

const index = createIndex({ schema: "leased", table: "items", parts: ["n"], name: "by_n" });
const INDEX_STEP = "create-index";

/** The calculation of each row takes its time, so that building the index takes some seconds. */
const slowIndex = createIndex({
  schema: "leased",
  table: "items",
  parts: [{ on: { expression: "leased.slowly(n)" } }],
  name: "by_slow",
});

onServers("the lease of a run", (server) => {
  let hosts: Hosts;
  beforeAll(async () => {
    hosts = await openHosts();
  });
  afterAll(() => hosts?.close());

  beforeEach(async () => {
    await server.sql().unsafe(`
      DROP SCHEMA IF EXISTS leased CASCADE; DROP SCHEMA IF EXISTS underpin CASCADE;
      CREATE SCHEMA leased;
      CREATE TABLE leased.items (id integer PRIMARY KEY, n integer NOT NULL DEFAULT 0);
      INSERT INTO leased.items SELECT pg_catalog.generate_series(1, 3);
      CREATE TABLE leased.calls (argument text PRIMARY KEY);
      CREATE FUNCTION leased.slowly(n integer) RETURNS integer IMMUTABLE LANGUAGE plpgsql
      AS $$ BEGIN PERFORM pg_catalog.pg_sleep(0.4); RETURN n; END $$`);
  });

  const job = (made: Plan, more: Partial<HostJob> = {}): HostJob => ({
    url: server.url(),
    task: "apply",
    plan: made,
    options: { leaseMs: LEASE_MS },
    handlersWriteTo: "leased",
    ...more,
  });

  /** Lets a process freeze before the call; returns when it has stopped. */
  async function freeze(frozen: HostJob): Promise<Host> {
    const host = await hosts.start(frozen);
    await host.said("freezing");
    return host;
  }

  function follow(options: RunOptions = {}) {
    const events: RunEvent[] = [];
    const handlers = { note: { version: 1, run: () => {} } };
    return {
      events,
      options: {
        leaseMs: LEASE_MS,
        handlers,
        onEvent: (event: RunEvent) => events.push(event),
        ...options,
      },
      of: <T extends RunEvent["type"]>(type: T) =>
        events.filter((event): event is Extract<RunEvent, { type: T }> => event.type === type),
    };
  }

  const journal = async () => ({
    runs: [...(await server.sql()`select * from underpin.runs order by id`)],
    steps: [...(await server.sql()`select * from underpin.steps order by run_id, ordinal`)],
  });

  const isExpired = async () => {
    const rows = await server.sql()`
      select from underpin.leases where expires_at < pg_catalog.clock_timestamp()`;
    return rows.length > 0;
  };

  const indexes = async () => {
    const rows = await server.sql()<{ name: string; valid: boolean }[]>`
      select c.relname as name, i.indisvalid as valid from pg_catalog.pg_index i
      join pg_catalog.pg_class c on c.oid = i.indexrelid
      where i.indrelid = 'leased.items'::regclass and not i.indisprimary`;
    return [...rows];
  };

  it("is not taken over during one long statement on a pool of one that cannot beat", async () => {
    const one = server.connect({ max: 1 });
    const first = follow();
    const second = follow();
    const building = apply(one, slowIndex, first.options);
    await until("the build has begun and the lease has expired", async () =>
      first.of("stepStarted").some(({ step }) => step === INDEX_STEP) ? isExpired() : false,
    );
    const waiting = apply(server.sql(), slowIndex, second.options);
    expect(await building).toMatchObject({ outcome: "applied", ranHere: true });
    expect(await waiting).toMatchObject({ outcome: "applied", ranHere: false });
    expect(first.of("reconnecting")).toEqual([]);
    expect(second.of("takenOver")).toEqual([]);
    // The expired lease was held by the backend at work, not by its owner's beats.
    expect(second.of("busy").some(({ owner }) => owner.startsWith("backend "))).toBe(true);
    expect(await indexes()).toEqual([{ name: "by_slow", valid: true }]);
  });

  it("is taken over from a process that is frozen between its claim and CREATE INDEX CONCURRENTLY", async () => {
    const host = await freeze(job(index, { freezeBefore: "INDEX CONCURRENTLY" }));
    const [claim] = await server.sql()<{ state: string; pid: number }[]>`
      select state, backend_pid as pid from underpin.steps where id = ${INDEX_STEP}`;
    expect(claim?.state).toBe("claimed");
    const second = follow();
    const report = await apply(server.sql(), index, second.options);
    expect(report).toMatchObject({ outcome: "applied", ranHere: true });
    expect(second.of("takenOver").map(({ terminatedPid }) => terminatedPid)).toEqual([claim?.pid]);
    const before = await journal();
    host.signal("SIGCONT");
    const woken = await host.said("report");
    expect(woken.report).toMatchObject({ outcome: "applied", ranHere: false });
    // Not one journal row was written by the one that woke, and it built nothing.
    expect(await journal()).toEqual(before);
    expect(await indexes()).toEqual([{ name: "by_n", valid: true }]);
  });

  it("is freed by the server when its holder is frozen inside a transaction", async () => {
    const lockTimeoutMs = 600;
    const traffic = await startTraffic(server, ["SELECT pg_catalog.count(*) FROM leased.items"]);
    const host = await freeze(
      job(plan("frozen", [addColumn]), {
        // Its ALTER TABLE has run, and it holds ACCESS EXCLUSIVE and the row of the lease.
        freezeBefore: `UPDATE "underpin".steps`,
        options: { leaseMs: LEASE_MS, lockTimeoutMs },
      }),
    );
    const second = follow();
    const report = await apply(server.sql(), plan("frozen", [addColumn]), second.options);
    const longestMs = await traffic.stop();
    expect(report).toMatchObject({ outcome: "applied", ranHere: true });
    console.log(
      `PostgreSQL ${server.major}, frozen under ACCESS EXCLUSIVE: longest foreign wait ${Math.round(longestMs)} ms, lock timeout ${lockTimeoutMs} ms`,
    );
    expect(longestMs).toBeLessThan(lockTimeoutMs + 250);
    const before = await journal();
    host.signal("SIGCONT");
    const woken = await host.said("report");
    expect(woken.report).toMatchObject({ outcome: "applied", ranHere: false });
    expect(await journal()).toEqual(before);
  });

  it("fences a holder off that is frozen past its expiry: it writes not one journal row", async () => {
    const made = plan("fenced", [
      addColumn,
      {
        kind: "call",
        id: "archive",
        title: "Archive",
        handler: "note",
        version: 1,
        argument: "archive",
        undo: { kind: "nothing" },
      },
    ]);
    const host = await freeze(job(made, { freezeBefore: "SET state = $3::text, error" }));
    const second = follow();
    expect(await apply(server.sql(), made, second.options)).toMatchObject({
      outcome: "applied",
      ranHere: true,
    });
    const before = await journal();
    host.signal("SIGCONT");
    const woken = await host.said("report");
    expect(woken.report).toMatchObject({ outcome: "applied", ranHere: false });
    expect(await journal()).toEqual(before);
    expect(await server.sql()`select * from leased.calls`).toHaveLength(0);
  });

  it("is refused to a login that may not see, or not end, the backend of its predecessor", async () => {
    const owner = await server.role("owner", { login: false });
    const [one, other] = [await server.role("one"), await server.role("other")];
    const database = new URL(server.url()).pathname.slice(1);
    await server.sql().unsafe(`
      GRANT "${owner}" TO "${one}", "${other}";
      GRANT CREATE ON DATABASE "${database}" TO "${owner}";
      ALTER SCHEMA leased OWNER TO "${owner}"; ALTER TABLE leased.items OWNER TO "${owner}"`);
    const host = await freeze(
      job(index, { url: server.urlAs(one), freezeBefore: "INDEX CONCURRENTLY" }),
    );
    await server.sql().unsafe(`
      GRANT USAGE ON SCHEMA underpin TO "${owner}";
      GRANT ALL ON ALL TABLES IN SCHEMA underpin TO "${owner}"`);
    await until("the lease has expired", isExpired);
    const stranger = server.connect(server.urlAs(other));
    const { options } = follow();
    const unseen = apply(stranger, index, options);
    await expect(unseen).rejects.toMatchObject({ code: "leaseUnknown" });
    await server.sql().unsafe(`GRANT pg_read_all_stats TO "${other}"`);
    const cannotEnd = apply(stranger, index, options);
    await expect(cannotEnd).rejects.toMatchObject({ code: "leaseUnknown" });
    expect(await indexes()).toEqual([]);
    // Gone is gone, whoever looks.
    host.signal("SIGKILL");
    await host.ended;
    const report = await apply(stranger, index, options);
    expect(report.failure).toBeUndefined();
    expect(report).toMatchObject({ outcome: "applied", ranHere: true });
  });
});
