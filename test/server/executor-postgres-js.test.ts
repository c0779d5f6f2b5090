import { execFile } from "node:child_process";
import type { Sql } from "postgres";
import { expect, it } from "vitest";
import { toExecutor } from "../../src/executor/connect.ts";
import { onServers } from "../support/server.ts";

/** Long enough for a local server, many times over. */
const HANGS_MS = 1_000;

async function hangs(work: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(true), HANGS_MS);
  });
  const done = work.then(
    () => false,
    () => false,
  );
  return Promise.race([done, late]).finally(() => clearTimeout(timer));
}

// Why the adapter pins connections in its own way: each of these holds for postgres.js 3.4.9. If one fails with a newer version, the
// adapter may become simpler.
onServers("what postgres.js does by itself", (server) => {
  const kill = (pid: number) => server.sql()`select pg_terminate_backend(${pid}, 10000)`;
  /** Kills the one backend of a client in a statement that sleeps, and waits for what its client says. */
  const killAsleep = async (
    sql: Sql,
    ask: (text: string) => Promise<unknown>,
    sleeping: string,
  ) => {
    const pid = await pidOf(sql);
    const failed = ask(sleeping).catch(() => undefined);
    for (let rows: readonly unknown[] = []; rows.length === 0; )
      rows = await server.sql()`
        select from pg_stat_activity where pid = ${pid} and wait_event = 'PgSleep'`;
    await kill(pid);
    await failed;
  };
  const pidOf = async (sql: Pick<Sql, "unsafe">) => {
    const [row] = await sql.unsafe("select pg_backend_pid() as pid");
    return Number(row!["pid"]);
  };

  it("runs a reserved connection's next query on another backend; a session never", async () => {
    const sql = server.connect({ max: 1 });
    const reserved = await sql.reserve();
    const pid = await pidOf(reserved);
    await kill(pid);
    const next = await pidOf(sql);
    expect(next).not.toBe(pid);
    expect(await pidOf(reserved)).toBe(next);

    await toExecutor(server.connect({ max: 1 })).session(async (session) => {
      await kill(session.connectPid!);
      await session.query("SELECT 1").catch(() => undefined);
      await expect(session.query("SELECT 1")).rejects.toMatchObject({ code: "connection" });
    });
  });

  it("never reserves a connection when it fetches no types; a session has one", async () => {
    const sql = server.connect({ max: 1, fetch_types: false });
    expect(await hangs(sql.reserve())).toBe(true);
    const executor = toExecutor(server.connect({ max: 1, fetch_types: false }));
    expect(await executor.session((session) => session.query("SELECT 1 AS v"))).toEqual([{ v: 1 }]);
  });

  it("gives a dead backend's last words to the next query; an executor asks again", async () => {
    const bare = server.connect({ max: 1 });
    await killAsleep(bare, async (text) => bare.unsafe(text), "SELECT pg_sleep(60)");
    await expect(bare.unsafe("SELECT 1")).rejects.toMatchObject({ code: "57P01" });

    const sql = server.connect({ max: 1 });
    const executor = toExecutor(sql);
    await killAsleep(sql, (text) => executor.query(text), "SELECT pg_sleep(60)");
    expect(await executor.query("SELECT 1 AS v")).toEqual([{ v: 1 }]);
  });

  it("leaves a gap for the rows of a dead backend in the next result; an executor closes it", async () => {
    const options = { max: 1, fetch_types: false };
    const half = `SELECT repeat('x', 1000), CASE n WHEN 200 THEN pg_sleep(60) END::text
      FROM generate_series(1, 200) AS n`;
    const bare = server.connect(options);
    await killAsleep(bare, async (text) => bare.unsafe(text), half);
    await expect(bare.unsafe("SELECT 1")).rejects.toMatchObject({ code: "57P01" });
    expect((await bare.unsafe("SELECT 1 AS v")).length).toBeGreaterThan(1);

    const sql = server.connect(options);
    const executor = toExecutor(sql);
    await killAsleep(sql, (text) => executor.query(text), half);
    expect(await executor.query("SELECT 1 AS v")).toEqual([{ v: 1 }]);
  });

  it("throws outside of any promise when a lost reserved connection is used", async () => {
    const script = `
      import postgres from "postgres";
      const sql = postgres(process.env.SERVER, { max: 1, onnotice() {} });
      const other = postgres(process.env.SERVER, { max: 1, onnotice() {} });
      const reserved = await sql.reserve();
      const [{ pid }] = await reserved.unsafe("select pg_backend_pid() as pid");
      await other.unsafe("select pg_terminate_backend(" + pid + ", 10000)");
      await new Promise((closed) => setTimeout(closed, 200));
      await reserved.unsafe("select 1").catch(() => console.log("rejected"));`;
    const args = ["--input-type=module", "--eval", script];
    const ended = await new Promise<string>((resolve) => {
      const env = { ...process.env, SERVER: server.url() };
      execFile(process.execPath, args, { env }, (_error, stdout, stderr) =>
        resolve(stdout + stderr),
      );
    });
    expect(ended).toContain("Cannot read properties of null (reading 'write')");
    expect(ended).not.toContain("rejected");
  });

  it("hands out no connection while its pipeline is full; an executor waits for its place", async () => {
    const options = { max: 1, max_pipeline: 2 } as const;
    const crowd = (sql: Sql) =>
      Array.from({ length: 20 }, () => sql.unsafe("select pg_sleep(0.01)").catch(() => undefined));
    const sql = server.connect(options);
    const executor = toExecutor(sql);
    await sql.unsafe("select 1");
    const crowded = crowd(sql);
    const rows = await Promise.all(
      Array.from({ length: 5 }, (_, n) =>
        executor.transaction((tx) => tx.query("SELECT $1::int AS n", [n])),
      ),
    );
    expect(rows).toEqual([0, 1, 2, 3, 4].map((n) => [{ n }]));
    await Promise.all(crowded);
    expect(await executor.query("SELECT now() = statement_timestamp() AS idle")).toEqual([
      { idle: true },
    ]);
  });
});
