import { drizzle as drizzlePg } from "drizzle-orm/node-postgres";
import { drizzle as drizzlePostgresJs } from "drizzle-orm/postgres-js";
import pg from "pg";
import { afterAll, expect, it } from "vitest";
import { toExecutor, type DatabaseLike } from "../../src/executor/connect.ts";
import { onServers } from "../support/server.ts";
import { executorContract } from "./executor-contract.ts";

onServers("executors of all drivers", (server) => {
  const pools: pg.Pool[] = [];
  const pool = (max: number) => {
    const made = new pg.Pool({ connectionString: server.url(), max });
    pools.push(made);
    return made;
  };
  afterAll(() => Promise.all(pools.map((made) => made.end())));

  const handles: Readonly<Record<string, () => DatabaseLike>> = {
    "a postgres.js client": () => server.sql(),
    "a postgres.js client of one connection": () => server.connect({ max: 1 }),
    "a postgres.js client that fetches no types": () => server.connect({ fetch_types: false }),
    "a Drizzle db over postgres.js": () => drizzlePostgresJs(server.connect()),
    "a pg Pool": () => pool(10),
    "a pg Pool of one connection": () => pool(1),
    "a Drizzle db over a pg Pool": () => drizzlePg(pool(10)),
  };
  for (const [name, handle] of Object.entries(handles)) {
    let made: ReturnType<typeof toExecutor> | undefined;
    const executor = () => (made ??= toExecutor(handle()));
    executorContract(name, executor);

    it(`tells the process id that the server gave, over ${name}`, async () => {
      await executor().session(async (session) => {
        expect(await session.query("SELECT pg_backend_pid() AS pid")).toEqual([
          { pid: session.connectPid },
        ]);
      });
    });

    it(`gives every connection back, over ${name}`, async () => {
      // More than the largest pool here holds: one that is not given back would end in waiting.
      for (let round = 0; round < 12; round++) {
        await executor().transaction((tx) => tx.query("SELECT 1"));
        await executor().transaction(() => Promise.resolve());
        await executor().session((session) => session.query("SELECT 1"));
        await executor()
          .transaction((tx) => tx.query("SELECT 1/0"))
          .catch(() => undefined);
      }
      const all = Array.from({ length: 12 }, (_, n) =>
        executor().transaction((tx) => tx.query("SELECT $1::int AS n", [n])),
      );
      expect(await Promise.all(all)).toEqual(all.map((_, n) => [{ n }]));
    });
  }

  it("reads the same from a client before and after Drizzle changed its parsers", async () => {
    const sql = server.connect({ max: 1 });
    const text = `SELECT now() - now() AS i, timestamptz '2024-01-02 03:04:05+00' AS t, '{1}'::int[] AS a,
      '{"a": 1}'::json AS j, 1::bigint AS n`;
    const before = await toExecutor(sql).query(text);
    drizzlePostgresJs(sql);
    expect(await toExecutor(sql).query(text)).toEqual(before);
    const parameters = ['{"a": 1}', "2024-01-02"] as const;
    expect(await toExecutor(sql).query("SELECT $1::jsonb AS j, $2::date AS d", parameters)).toEqual(
      [{ j: { a: 1 }, d: "2024-01-02" }],
    );
  });
});
