import { drizzle as drizzlePg } from "drizzle-orm/node-postgres";
import { drizzle as drizzlePostgresJs } from "drizzle-orm/postgres-js";
import pg from "pg";
import { expect, it } from "vitest";
import { toExecutor, type DatabaseLike } from "../../src/executor/connect.ts";
import { onServers } from "../support/server.ts";

function expectRefusal(handle: unknown, what: string): void {
  expect(() => toExecutor(handle as DatabaseLike)).toThrow(
    expect.objectContaining({
      code: "unsupportedDatabase",
      message: `underpin cannot work on ${what}`,
    }) as Error,
  );
}

onServers("handles that are part of a database", (server) => {
  it("are refused by name: what postgres.js hands out inside", async () => {
    const sql = server.connect({ max: 2 });
    await sql.begin((tx) => expectRefusal(tx, "a postgres.js transaction"));
    const reserved = await sql.reserve();
    expectRefusal(reserved, "a reserved postgres.js connection");
    reserved.release();
    await drizzlePostgresJs(sql).transaction(async (tx) => {
      expectRefusal(tx, "a Drizzle transaction");
      await tx.transaction((inner) => {
        expectRefusal(inner, "a Drizzle transaction");
        return Promise.resolve();
      });
    });
  });

  it("are refused by name: what node-postgres hands out inside", async () => {
    const pool = new pg.Pool({ connectionString: server.url() });
    const client = await pool.connect();
    expectRefusal(client, "a lone pg Client");
    expectRefusal(drizzlePg(client), "a Drizzle db over a lone pg Client");
    client.release();
    await drizzlePg(pool).transaction((tx) => {
      expectRefusal(tx, "a Drizzle transaction");
      return Promise.resolve();
    });
    await pool.end();
  });
});
