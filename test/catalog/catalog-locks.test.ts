import { drizzle } from "drizzle-orm/node-postgres";
import { drizzle as drizzlePostgresJs } from "drizzle-orm/postgres-js";
import { Pool } from "pg";
import type { Sql } from "postgres";
import { beforeAll, expect, it } from "vitest";
import { canonical } from "../../src/catalog/canonical.ts";
import { compareCatalogs } from "../../src/catalog/compare.ts";
import { readFacts, readLocks } from "../../src/catalog/read-facts.ts";
import { ident } from "../../src/sql/quote.ts";
import { catalogFixture, S, SCHEMA, T, TABLE } from "../support/catalog-fixture.ts";
import { onServers } from "../support/server.ts";

onServers("facts beside other sessions", (server) => {
  let reader: string;
  let stranger: string;

  beforeAll(async () => {
    reader = await server.role("reader");
    stranger = await server.role("stranger");
    await server.sql().unsafe(catalogFixture(reader));
    await server.sql().unsafe(`GRANT USAGE ON SCHEMA ${S} TO ${ident(stranger)}`);
  });

  /** Holds a table in a transaction of a session of its own for as long as the work lasts. */
  const holding = async (statement: string, work: (pid: number) => Promise<void>) => {
    const holder = server.connect({ max: 1, connection: { application_name: "holder" } });
    await holder.begin(async (sql) => {
      await sql.unsafe(statement);
      const [row] = await sql<{ pid: number }[]>`select pg_backend_pid() as pid`;
      await work(row?.pid ?? 0);
    });
  };

  const untilWaiting = async (pid: number): Promise<void> => {
    for (;;) {
      const [row] = await server.sql()<{ waits: boolean }[]>`
        select exists (select from pg_locks where pid = ${pid} and not granted) as waits`;
      if (row?.waits === true) return;
    }
  };

  it("are the same through every driver", async () => {
    const whole = await readFacts(server.sql(), { schemas: [SCHEMA] });
    const pool = new Pool({ connectionString: server.url(), max: 1 });
    try {
      for (const db of [pool, drizzle({ client: pool }), drizzlePostgresJs(server.sql())])
        expect({ ...(await readFacts(db, { schemas: [SCHEMA] })), locks: [] }).toEqual({
          ...whole,
          locks: [],
        });
    } finally {
      await pool.end();
    }
  });

  it("are the same for a login that may do nothing but connect", async () => {
    const poor = server.connect(server.urlAs(stranger), { max: 1 });
    const seen = await readFacts(poor, { schemas: [SCHEMA] });
    expect(seen.server).toMatchObject({ currentUser: stranger, superuser: false });
    const whole = await readFacts(server.sql(), { schemas: [SCHEMA] });
    expect(compareCatalogs(canonical(whole), canonical(seen))).toEqual([]);
    expect(seen.tables).toEqual(whole.tables);
  });

  it("hide the position of a sequence from a login that may not read it", async () => {
    await server.sql().unsafe(`SELECT nextval('${S}.loose')`);
    const poor = server.connect(server.urlAs(stranger), { max: 1 });
    const position = async (db: Sql) =>
      (await readFacts(db)).sequences.find(({ name }) => name === "loose")?.lastValue;
    expect(await position(server.sql())).toBe("1");
    expect(await position(poor)).toBeNull();
  });

  it("show who holds a table and who waits for whom", async () => {
    await holding(`LOCK TABLE ${T} IN SHARE MODE`, async (holder) => {
      const waiter = server.connect({ max: 1 });
      const [row] = await waiter<{ pid: number }[]>`select pg_backend_pid() as pid`;
      const waiting = expect(
        waiter.unsafe(`ALTER TABLE ${T} SET (fillfactor = 81)`).execute(),
      ).rejects.toMatchObject({ code: "57014" });
      await untilWaiting(row?.pid ?? 0);
      // A share lock lets a reading of the catalog pass; the one that waits behind it does not.
      const held = (await readLocks(server.sql(), { schemas: [SCHEMA] })).filter(
        ({ name }) => name === TABLE,
      );
      expect(held).toEqual([
        {
          schema: SCHEMA,
          name: TABLE,
          mode: "share",
          granted: true,
          pid: holder,
          blockedBy: [],
          role: "postgres",
          application: "holder",
          state: "idle in transaction",
          query: expect.stringContaining("pg_backend_pid") as string,
          transactionAgeMs: expect.any(Number) as number,
          waitMs: null,
          visible: true,
        },
        expect.objectContaining({
          mode: "shareUpdateExclusive",
          granted: false,
          pid: row?.pid,
          blockedBy: [holder],
          state: "active",
          waitMs: expect.any(Number) as number,
        }),
      ]);
      await server.sql()`select pg_cancel_backend(${row?.pid ?? 0})`;
      await waiting;
    });
  });

  it("say that the doings of another role's session are unknown, not absent", async () => {
    const poor = server.connect(server.urlAs(stranger), { max: 1 });
    await holding(`LOCK TABLE ${T} IN SHARE MODE`, async (holder) => {
      const [lock] = await readLocks(poor, { schemas: [SCHEMA] });
      expect(lock).toMatchObject({
        name: TABLE,
        mode: "share",
        pid: holder,
        role: "postgres",
        state: null,
        query: null,
        transactionAgeMs: null,
        visible: false,
      });
    });
  });

  it("show the locks of a prepared transaction, which has no process", async () => {
    await server.sql().begin(async (sql) => {
      await sql.unsafe(`LOCK TABLE ${T} IN SHARE MODE`);
      await sql.prepare("catalog");
    });
    const locks = await readLocks(server.sql(), { schemas: [SCHEMA] });
    await server.sql().unsafe("ROLLBACK PREPARED 'catalog'");
    expect(locks).toMatchObject([
      { name: TABLE, mode: "share", pid: null, role: "postgres", visible: true },
    ]);
  });

  it("are refused, not waited for, while a table is under ACCESS EXCLUSIVE; locks are still read", async () => {
    await holding(`LOCK TABLE ${T}`, async (holder) => {
      await expect(readFacts(server.sql(), { lockTimeoutMs: 50 })).rejects.toMatchObject({
        code: "blocked",
        hint: expect.stringContaining("readLocks") as string,
      });
      expect(await readLocks(server.sql(), { schemas: [SCHEMA] })).toMatchObject([
        { name: TABLE, mode: "accessExclusive", pid: holder },
      ]);
    });
    expect((await readFacts(server.sql(), { lockTimeoutMs: 50 })).tables.length).toBeGreaterThan(0);
  });
});
