import { readFileSync } from "node:fs";
import postgres from "postgres";
import { beforeEach, expect, it } from "vitest";
import { checksumOf } from "../../src/migrations/runner/checksum.ts";
import { migrateFleet } from "../../src/migrations/fleet.ts";
import { migrate } from "../../src/migrations/migrate.ts";
import { rollback } from "../../src/migrations/rollback.ts";
import { status } from "../../src/migrations/status.ts";
import { useCli } from "../support/cli.ts";
import { onServers } from "../support/server.ts";
import { useFolders, writeFiles } from "./runner-fixture.ts";

const folderOf = useFolders();
const cli = useCli();

const TABLE = { "001_table.sql": "CREATE TABLE kept (n int);" };

onServers("the runner beside others", (server) => {
  beforeEach(() =>
    server.sql().unsafe(
      `DROP SCHEMA IF EXISTS underpin CASCADE; DROP SCHEMA IF EXISTS acme CASCADE;
       DROP SCHEMA IF EXISTS globex CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public`,
    ),
  );
  const numbers = async () => {
    const rows = await server.sql()<{ n: number }[]>`select n from kept order by n`;
    return rows.map(({ n }) => n);
  };
  const isRunning = async (query: string) => {
    for (;;) {
      const rows = await server.sql()`
        select pid from pg_catalog.pg_stat_activity
        where state = 'active' and query like ${`%${query}%`} and pid <> pg_catalog.pg_backend_pid()`;
      if (rows.length > 0) return;
      await new Promise((done) => setTimeout(done, 20));
    }
  };

  it("goes on after a kill where the killed process was, each statement once", async () => {
    const folder = folderOf(TABLE);
    await migrate(server.sql(), { folder });
    writeFiles(folder, {
      "002_more.sql": `INSERT INTO kept VALUES (1);
        CREATE INDEX CONCURRENTLY kept_by_n ON kept (n);
        INSERT INTO kept VALUES (2);
        SELECT pg_sleep(2);
        INSERT INTO kept VALUES (3);`,
    });
    const killed = cli.start(["migrate", "--folder", folder, "--lease-ms", "1000"], {
      DATABASE_URL: server.url(),
    });
    await isRunning("pg_sleep(2)");
    killed.process.kill("SIGKILL");
    await killed.ended;
    expect(await numbers()).toEqual([1]);
    const half = await status(server.sql(), { folder });
    expect(half).toMatchObject({ pending: ["002_more"], unfinished: [{ stepsApplied: 2 }] });
    const edited = `${readFileSync(`${folder}/002_more.sql`, "utf8")} SELECT 1;`;
    const other = folderOf({ ...TABLE, "002_more.sql": edited });
    await expect(migrate(server.sql(), { folder: other })).rejects.toThrow(
      /002_more.*is half applied \(2 of 6 steps\), and its file was changed/,
    );
    const report = await migrate(server.sql(), { folder, leaseMs: 1_000 });
    expect(report).toMatchObject({ outcome: "applied", applied: ["002_more"] });
    expect(await numbers()).toEqual([1, 2, 3]);
    expect((await status(server.sql(), { folder })).unfinished).toEqual([]);
  });

  it("drops what a CREATE INDEX CONCURRENTLY that failed left, and builds it again", async () => {
    const folder = folderOf({
      ...TABLE,
      "002_rows.sql": "INSERT INTO kept VALUES (1), (1);",
      "003_index.sql": "CREATE UNIQUE INDEX CONCURRENTLY kept_once ON kept (n);",
    });
    const failed = await migrate(server.sql(), { folder });
    expect(failed).toMatchObject({
      outcome: "failed",
      applied: ["001_table", "002_rows"],
      failure: { version: "003_index", sqlState: "23505" },
    });
    const isThere = () =>
      server.sql()`select 1 from pg_catalog.pg_class where relname = 'kept_once'`;
    expect(await isThere()).toHaveLength(0);
    await server.sql()`delete from kept`;
    expect(await migrate(server.sql(), { folder })).toMatchObject({ applied: ["003_index"] });
    expect(await isThere()).toHaveLength(1);
  });

  it("refuses to hold others up for longer than the lock timeout, and leaves nothing", async () => {
    const folder = folderOf(TABLE);
    await migrate(server.sql(), { folder });
    writeFiles(folder, {
      "002_slow.sql": "ALTER TABLE kept ADD COLUMN late int; SELECT pg_sleep(5);",
    });
    const report = await migrate(server.sql(), { folder, lockTimeoutMs: 300, retryDelayMs: 10 });
    expect(report).toMatchObject({ outcome: "failed", failure: { code: "blocked" } });
    expect(
      await server.sql()`select 1 from pg_catalog.pg_attribute where attname = 'late'`,
    ).toHaveLength(0);
  });

  it("waits for an application's transaction without making others wait behind it", async () => {
    const folder = folderOf(TABLE);
    await migrate(server.sql(), { folder });
    writeFiles(folder, { "002_column.sql": "ALTER TABLE kept ADD COLUMN late int;" });
    const held = await server.connect({ max: 1 }).reserve();
    await held`begin`;
    await held`select * from kept`;
    const migrating = migrate(server.sql(), { folder, lockTimeoutMs: 300, retryDelayMs: 50 });
    let longestMs = 0;
    for (const until = performance.now() + 1_500; performance.now() < until; ) {
      const beganMs = performance.now();
      await server.sql()`select * from kept`;
      longestMs = Math.max(longestMs, performance.now() - beganMs);
    }
    await held`commit`;
    held.release();
    expect(await migrating).toMatchObject({ outcome: "applied" });
    // Twice the timeout: a loaded machine is late by itself.
    expect(longestMs).toBeLessThan(600);
  });

  it("never changes a part of the rows in silence, as an owner whom row security holds", async () => {
    const owner = await server.role("owner");
    await server
      .sql()
      .unsafe(
        `CREATE SCHEMA underpin AUTHORIZATION "${owner}"; GRANT ALL ON SCHEMA public TO "${owner}"`,
      );
    const sql = server.connect(server.urlAs(owner), { max: 3 });
    const folder = folderOf(TABLE);
    await migrate(sql, { folder });
    await sql.unsafe(
      `INSERT INTO kept VALUES (1); ALTER TABLE kept ENABLE ROW LEVEL SECURITY; ALTER TABLE kept FORCE ROW LEVEL SECURITY`,
    );
    writeFiles(folder, { "002_change.sql": "UPDATE kept SET n = 2;" });
    expect(await migrate(sql, { folder })).toMatchObject({
      outcome: "failed",
      failure: { code: "rowSecurity" },
    });
    await sql.unsafe(`CREATE POLICY all_of_it ON kept USING (true) WITH CHECK (true)`);
    expect(await migrate(sql, { folder })).toMatchObject({ applied: ["002_change"] });
    expect(await numbers()).toEqual([2]);
  });

  it("applies a folder to many databases: the canary first, within the budget, and again for the rest", async () => {
    const folder = folderOf({ ...TABLE, "002_row.sql": "INSERT INTO kept VALUES (1);" });
    const urls = [];
    for (const name of ["one", "two", "three", "four"]) urls.push(await server.database(name));
    const pools = urls.map((url) => postgres(url, { max: 3, onnotice: () => {} }));
    const targets = pools.map((db, at) => ({ name: `db${at}`, db }));
    try {
      // In the way of the first.
      await pools[0]?.unsafe("CREATE TABLE kept (n int)");
      const ended: string[] = [];
      const onEnded = ({ name }: { name: string }) => ended.push(name);
      const canary = await migrateFleet(targets, { folder, onEnded });
      expect(canary).toMatchObject({ outcome: "failed", notBegun: ["db1", "db2", "db3"] });
      expect(ended).toEqual(["db0"]);
      // In the way of another, and one failure may be.
      await pools[0]?.unsafe("DROP TABLE kept");
      await pools[2]?.unsafe("CREATE TABLE kept (n int)");
      const most = await migrateFleet(targets, { folder, errorBudget: 1, concurrency: 2 });
      expect(most).toMatchObject({ outcome: "failed", notBegun: [] });
      await pools[2]?.unsafe("DROP TABLE kept");
      const rest = await migrateFleet(targets, { folder });
      expect(rest.outcome).toBe("applied");
      expect(
        rest.ended.filter(({ report }) => report?.ranHere === true).map(({ name }) => name),
      ).toEqual(["db2"]);
      for (const pool of pools) expect(await pool`select n from kept`).toHaveLength(1);
    } finally {
      await Promise.all(pools.map((pool) => pool.end()));
    }
  });

  it("keeps the ledgers of tenants apart, there and back", async () => {
    const folder = folderOf({
      ...TABLE,
      "001_table.down.sql": "DROP TABLE kept;",
      "002_row.sql": "INSERT INTO kept VALUES (1); CREATE INDEX CONCURRENTLY kept_n ON kept (n);",
      "002_row.down.sql": "DELETE FROM kept; DROP INDEX CONCURRENTLY kept_n;",
    });
    const sql = server.sql();
    await sql.unsafe("CREATE SCHEMA acme; CREATE SCHEMA globex; CREATE TABLE kept (n int)");
    for (const schema of ["acme", "globex"])
      expect(await migrate(sql, { folder, tenant: { schema } })).toMatchObject({
        applied: ["001_table", "002_row"],
      });
    expect(await rollback(sql, { folder, tenant: { schema: "acme" }, to: "0" })).toMatchObject({
      takenBack: ["002_row", "001_table"],
    });
    expect(await numbers()).toEqual([]);
    expect(await sql`select n from globex.kept`).toHaveLength(1);
    expect(await status(sql, { folder, tenant: { schema: "globex" } })).toMatchObject({
      pending: [],
    });
    await expect(migrate(sql, { folder, tenant: { schema: "underpin" } })).rejects.toThrow(
      /cannot be the schema of a tenant/,
    );
  });

  it("runs the plan beside a file, and takes it back by the plan", async () => {
    const step = (id: string, sql: string, undo: string) => ({
      kind: "sql",
      id,
      title: id,
      sql,
      locks: [],
      transaction: "commitAfter",
      undo: { kind: "statement", sql: undo, locks: [], transaction: "inside" },
    });
    const text = "CREATE TABLE planned (id int);";
    const plan = {
      format: 1,
      name: "planned",
      steps: [
        step("make", "CREATE TABLE planned (id int)", "DROP TABLE planned"),
        step("mark", "COMMENT ON TABLE planned IS 'by plan'", "COMMENT ON TABLE planned IS NULL"),
      ],
    };
    const folder = folderOf({
      "001_planned.sql": text,
      "001_planned.down.sql": "DROP TABLE something_else;",
      "001_planned.plan.json": JSON.stringify({ format: 1, sql: checksumOf(text), plan }),
    });
    expect(await migrate(server.sql(), { folder })).toMatchObject({ applied: ["001_planned"] });
    const [made] = await server.sql()`select obj_description('planned'::regclass) as comment`;
    expect(made?.["comment"]).toBe("by plan");
    expect(await rollback(server.sql())).toMatchObject({ takenBack: ["001_planned"] });
    expect(await server.sql()`select to_regclass('planned') as there`).toEqual([{ there: null }]);
  });

  it("goes on when every connection is cut while it runs", async () => {
    const folder = folderOf({
      ...TABLE,
      ...Object.fromEntries(
        Array.from({ length: 30 }, (_, at) => [
          `${String(at + 2).padStart(3, "0")}_row.sql`,
          `SET LOCAL application_name = 'x'; INSERT INTO kept VALUES (${at}); SELECT pg_sleep(0.02);`,
        ]),
      ),
    });
    // A connection that is cut while postgres.js (3.4.9) asks for types rejects a promise that nobody holds.
    const events: string[] = [];
    const onEvent = ({ type }: { type: string }) => events.push(type);
    const migrating = migrate(server.connect({ max: 3, fetch_types: false }), { folder, onEvent });
    // Before a run begins a second loss is the caller's to know: a host that cannot be reached is told at once.
    await Promise.race([migrating, begun(events)]);
    for (let cut = 0; cut < 3; cut++) {
      await new Promise((done) => setTimeout(done, 300));
      await server.sql()`
        select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'`;
    }
    const report = await migrating;
    expect(report).toMatchObject({ outcome: "applied", left: [] });
    expect(events).toContain("reconnecting");
    expect(await numbers()).toEqual(Array.from({ length: 30 }, (_, at) => at));
  });

  it("is the same on the command line", async () => {
    const environment = { DATABASE_URL: server.url() };
    const folder = folderOf({
      ...TABLE,
      "001_table.down.sql": "DROP TABLE kept;",
      "002_row.sql": "INSERT INTO kept VALUES (1);",
    });
    const run = (...args: string[]) => cli.run([...args, "--folder", folder], environment);
    const script = await cli.run(["migrate", "--script", "--folder", folder, "--after", "001"]);
    expect(script).toMatchObject({ code: 0 });
    expect(script.stdout).toMatch(/^-- migration 002_row.*INSERT INTO kept.*schema_migrations/s);
    const dry = await run("migrate", "--dry-run");
    expect(dry).toMatchObject({ code: 0 });
    expect(dry.stdout).toContain("pending  002_row");
    expect((await run("status")).stdout).toContain("pending  001_table");
    const applied = await run("migrate");
    expect(applied).toMatchObject({ code: 0, stderr: "" });
    expect(applied.stdout).toContain("applied     002_row");
    const refused = await run("rollback", "--steps", "2");
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain("002_row cannot be taken back: no down was written");
    writeFiles(folder, { "002_row.down.sql": "DELETE FROM kept;" });
    expect((await run("repair")).stdout).toContain("002_row: its way back is that of the files");
    const back = await run("rollback", "--to", "0", "--json");
    expect(JSON.parse(back.stdout)).toMatchObject({ takenBack: ["002_row", "001_table"] });
    expect((await run("baseline", "002")).stdout).toContain("applied     001_table");
    expect((await run("check")).code).toBe(0);
    writeFiles(folder, { "002_twin.sql": "SELECT 1;" });
    const clash = await run("check");
    expect(clash.code).toBe(3);
    expect(clash.stdout).toContain("error number-twice");
    expect((await run("migrate")).code).toBe(2);
  });
});

/** Resolves when the first step of anything was told of. */
async function begun(events: readonly string[]): Promise<void> {
  while (!events.includes("stepStarted")) await new Promise((done) => setTimeout(done, 5));
}
