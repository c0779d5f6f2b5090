import { PGlite } from "@electric-sql/pglite";
import { drizzle } from "drizzle-orm/pglite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sqlStateOf } from "../../src/errors.ts";
import { toExecutor } from "../../src/executor/connect.ts";
import type { Executor } from "../../src/executor/executor.ts";
import { executorContract } from "../server/executor-contract.ts";

let shared: PGlite;
beforeAll(async () => {
  shared = await PGlite.create();
}, 60_000);
afterAll(() => shared.close());

executorContract("a PGlite", () => toExecutor(shared));
executorContract("a Drizzle db over a PGlite", () => toExecutor(drizzle(shared)));

/** A sum that needs more stack than WebAssembly has, and no data at all. */
const TOO_DEEP = `SELECT ${Array(6_000).fill("1").join(" + ")} AS v`;

const LIMIT = { name: "UnderpinError", code: "embeddedLimit" };

async function withPglite(work: (pglite: PGlite, executor: Executor) => Promise<void>) {
  const pglite = await PGlite.create();
  try {
    await work(pglite, toExecutor(pglite));
  } finally {
    await pglite.close();
  }
}

describe("the one session of a PGlite", () => {
  it("is not waited for by the transaction that holds it, through whichever executor", async () => {
    const executor = toExecutor(shared);
    const other = toExecutor(drizzle(shared));
    for (const past of [executor, other]) {
      await executor.transaction(async () => {
        await expect(past.query("SELECT 1")).rejects.toMatchObject(LIMIT);
        await expect(past.session(() => Promise.resolve())).rejects.toMatchObject(LIMIT);
        const nested = past.transaction(() => Promise.resolve());
        await expect(nested).rejects.toThrow(/"BEGIN" was sent past the open transaction/);
      });
      await executor.session(async () => {
        await expect(past.query("SELECT 1")).rejects.toThrow(/past the open session/);
      });
      await executor.session(async (session) => {
        const later = await session.transaction(() =>
          Promise.resolve(() => past.query("SELECT 1")),
        );
        await expect(later()).rejects.toThrow(/past the open session/);
        const started = await session.transaction(() => {
          const late = Promise.resolve()
            .then(() => session.query("SELECT 1"))
            .then(() => past.query("SELECT 1"));
          return Promise.resolve({ late });
        });
        await expect(started.late).rejects.toThrow(/past the open (session|transaction)/);
      });
    }
  });

  it("is waited for by everybody else, without an error", async () => {
    const executor = toExecutor(shared);
    const order: string[] = [];
    let proceed: (value: unknown) => void = () => undefined;
    const gate = new Promise((resolve) => (proceed = resolve));
    const first = executor.transaction(async (tx) => {
      await gate;
      await tx.query("SELECT 1");
      order.push("transaction");
    });
    const second = executor.session(async (session) => {
      await session.query("SELECT 1");
      order.push("session");
    });
    const third = toExecutor(drizzle(shared))
      .query("SELECT 1")
      .then(() => order.push("query"));
    proceed(undefined);
    await Promise.all([first, second, third]);
    expect(order).toEqual(["transaction", "session", "query"]);
  });

  it("is free again for what a transaction has started and that runs on after it", async () => {
    const executor = toExecutor(shared);
    let later: Promise<unknown> = Promise.resolve();
    let proceed: (value: unknown) => void = () => undefined;
    const gate = new Promise((resolve) => (proceed = resolve));
    await executor.transaction(async (tx) => {
      later = gate.then(() => executor.query("SELECT 1 AS v"));
      await tx.query("SELECT 1");
    });
    proceed(undefined);
    expect(await later).toEqual([{ v: 1 }]);
  });

  it("shows a changed setting to nobody else", async () => {
    const executor = toExecutor(shared);
    const seen = executor.session((session) =>
      session.withSettings({ work_mem: "5MB" }, async () => {
        await session.query("SELECT 1");
        return session.query("SELECT current_setting('work_mem') AS v");
      }),
    );
    const others = executor.query("SELECT current_setting('work_mem') AS v");
    expect(await seen).toEqual([{ v: "5MB" }]);
    expect(await others).toEqual([{ v: "4MB" }]);
  });

  it("names no process id", async () => {
    const pid = await toExecutor(shared).session(({ connectPid }) => Promise.resolve(connectPid));
    expect(pid).toBeUndefined();
  });
});

describe("a statement that PGlite loses", () => {
  it("is answered by a bare PGlite as if nothing had been asked", async () => {
    await withPglite(async (bare) => {
      const [lost] = await bare.exec(TOO_DEEP);
      expect(lost).toEqual({ affectedRows: 0, rows: [], fields: [] });
      const results = await bare.exec(`CREATE TABLE first (); ${TOO_DEEP}; CREATE TABLE third ()`);
      expect(results.map(({ command }) => command)).toEqual(["CREATE"]);
    });
  });

  it.each([
    ["between others", (executor: Executor) => executor.query(`SELECT 1; ${TOO_DEEP}; SELECT 2`)],
    ["with parameters", (executor) => executor.query(`${TOO_DEEP}, $1::int`, [1])],
    ["in a transaction", (executor) => executor.transaction((tx) => tx.query(TOO_DEEP))],
  ] as const satisfies readonly (readonly [string, (executor: Executor) => Promise<unknown>])[])(
    "is an error here, %s, and ends the trust in the instance",
    async (_where, ask) => {
      await withPglite(async (pglite, executor) => {
        await expect(ask(executor)).rejects.toMatchObject(LIMIT);
        const again = toExecutor(drizzle(pglite)).query("SELECT 1");
        await expect(again).rejects.toThrow(/^this PGlite can no longer be trusted/);
        const begun = executor.transaction(() => Promise.resolve());
        await expect(begun).rejects.toMatchObject(LIMIT);
      });
    },
  );

  it("is not seen in a text that holds many statements, or none", async () => {
    const executor = toExecutor(shared);
    await executor.query(`
      CREATE TABLE noted (n int); -- ; one comment
      CREATE RULE twice AS ON INSERT TO noted DO ALSO (SELECT 1; SELECT 2);
      CREATE FUNCTION pair() RETURNS int BEGIN ATOMIC
        SELECT 1; SELECT CASE WHEN true THEN 2 END; END;
      DO $$ BEGIN PERFORM 1; PERFORM 2; END $$;
      INSERT INTO noted VALUES (1);;
      /* ; */ DROP TABLE noted; DROP FUNCTION pair`);
    expect(await executor.query("/* nothing */ ; ;")).toEqual([]);
  });
});

describe("a statement that PGlite must not be given", () => {
  it("keeps the user of a bare PGlite changed", async () => {
    await withPglite(async (bare) => {
      await bare.exec("CREATE ROLE other; SET SESSION AUTHORIZATION other");
      await bare.exec("RESET SESSION AUTHORIZATION");
      const { rows } = await bare.query("SELECT session_user::text AS v");
      expect(rows).toEqual([{ v: "other" }]);
    });
  });

  it("spoils the libraries of a bare PGlite", async () => {
    await withPglite(async (bare) => {
      const created = bare.exec("CREATE SUBSCRIPTION s CONNECTION 'dbname=x' PUBLICATION p");
      await expect(created).rejects.toThrow("libpqwalreceiver");
      const loaded = bare.query("SELECT to_tsvector('english', 'cats')");
      await expect(loaded).rejects.toThrow("dict_snowball");
    });
  });

  // What hangs the process is tested on our side only.
  it.each([
    "SET SESSION AUTHORIZATION postgres",
    "CREATE SUBSCRIPTION s CONNECTION 'dbname=x' PUBLICATION p",
    "SET idle_session_timeout = 5",
    "SET LOCAL transaction_timeout = '5s'",
    "SELECT set_config('idle_in_transaction_session_timeout', '5s', true)",
    "CREATE TABLE IF NOT EXISTS lines (t text); COPY lines FROM STDIN",
    "COPY pg_class TO PROGRAM 'cat'",
  ])("is refused in all ways, and nothing is spoilt: %s", async (text) => {
    const executor = toExecutor(shared);
    await expect(executor.query(text)).rejects.toMatchObject(LIMIT);
    await expect(executor.transaction((tx) => tx.query(text))).rejects.toMatchObject(LIMIT);
    await expect(executor.session((s) => s.query(text))).rejects.toMatchObject(LIMIT);
    expect(await executor.query("SELECT to_tsvector('english', 'cats')::text AS v")).toEqual([
      { v: "'cat':1" },
    ]);
  });

  it("is refused as a setting of a session", async () => {
    const changed = toExecutor(shared).session((session) =>
      session.withSettings({ idle_session_timeout: "1s" }, () => Promise.resolve()),
    );
    await expect(changed).rejects.toMatchObject(LIMIT);
  });
});

describe("an error of PGlite", () => {
  it("has its SQLSTATE and fields, and none of the library's source", async () => {
    const executor = toExecutor(shared);
    await executor.query("CREATE TABLE short (n int CONSTRAINT small CHECK (n < 5))");
    const error: unknown = await executor
      .query("INSERT INTO short VALUES (9)")
      .catch((caught: unknown) => caught);
    expect(sqlStateOf(error)).toBe("23514");
    expect(error).toMatchObject({ constraint: "small", table: "short", severity: "ERROR" });
    expect((error as Error).stack?.length).toBeLessThan(2_000);
    expect(Object.keys(error as object)).not.toContain("query");
    await executor.query("DROP TABLE short");
  });

  it("says that it is closed as a lost connection does", async () => {
    const pglite = await PGlite.create();
    const executor = toExecutor(pglite);
    await pglite.close();
    await expect(executor.query("SELECT 1")).rejects.toMatchObject({ code: "connection" });
    const begun = executor.transaction((tx) => tx.query("SELECT 1"));
    await expect(begun).rejects.toMatchObject({ code: "connection" });
  });
});

describe("settings that cannot be restored", () => {
  it("end the trust in the instance, for there is no other connection", async () => {
    await withPglite(async (pglite, executor) => {
      const failing = executor.session((session) =>
        session.withSettings({ work_mem: "5MB" }, () => session.query("BEGIN; SELECT 1/0")),
      );
      await expect(failing).rejects.toThrow("division by zero");
      await expect(toExecutor(pglite).query("SELECT 1")).rejects.toThrow(/could not be restored/);
    });
  });
});

describe("the write-ahead log of a PGlite", () => {
  const WAL = "SELECT sum(size)::float8 / 1024 / 1024 AS v FROM pg_ls_waldir()";
  const INSERT = "INSERT INTO filled SELECT n, repeat('x', 80) FROM generate_series(1, 50000) AS n";
  const ROUNDS = 16;

  it("only grows in a bare PGlite; under an executor it stays as it is", async () => {
    await withPglite(async (bare) => {
      await bare.exec("CREATE TABLE filled (n int, t text)");
      for (let round = 0; round < ROUNDS; round++) await bare.exec(INSERT);
      const { rows } = await bare.query<{ v: number }>(WAL);
      expect(rows[0]!.v).toBeGreaterThan(100);
    });
    await withPglite(async (_pglite, executor) => {
      await executor.query("CREATE TABLE filled (n int, t text)");
      for (let round = 0; round < ROUNDS; round++)
        await (round % 2 === 0
          ? executor.query(INSERT)
          : executor.transaction((tx) => tx.query(INSERT)));
      const [row] = await executor.query<{ v: number }>(WAL);
      expect(row!.v).toBeLessThan(80);

      // A refused CHECKPOINT would break a transaction that was begun by hand.
      await executor.query("CREATE ROLE poor; GRANT ALL ON filled TO poor");
      await executor.query("BEGIN; SET LOCAL ROLE poor");
      for (let round = 0; round < 4; round++) await executor.query(INSERT);
      await executor.query("COMMIT");
      expect(await executor.query("SELECT count(*)::int AS v FROM filled")).toEqual([
        { v: (ROUNDS + 4) * 50_000 },
      ]);
    });
  }, 60_000);
});
