import { describe, expect, it } from "vitest";
import { sqlStateOf } from "../../src/errors.ts";
import type { Executor, Parameter, Row } from "../../src/executor/executor.ts";
import { ident } from "../../src/sql/quote.ts";

/** A schema name that needs its quotes. */
const WEIRD = 'we"ird Schema';

/** What every executor does, whatever driver and wrapper is below it. */
export function executorContract(name: string, executor: () => Executor): void {
  describe(`an executor over ${name}`, () => {
    const one = async <T = unknown>(text: string, parameters?: readonly Parameter[]) =>
      (await executor().query<Row & { v: T }>(text, parameters))[0]?.v;

    it("answers in the same values", async () => {
      const rows = await executor().query(`
        SELECT 7::int AS i, 7::smallint AS s, 1.5::float8 AS f, true AS b, NULL::int AS n,
               9007199254740993::bigint AS big, 1.50::numeric AS num, date '2024-01-02' AS d,
               timestamp '2024-01-02 03:04:05.6' AS ts, ARRAY[1, 2] AS a, 'x'::name AS name,
               '\\x00ff'::bytea AS bytes, '{"a": [1, null]}'::jsonb AS j, '{"t": "☃"}'::json::text AS jt`);
      expect(rows).toEqual([
        {
          i: 7,
          s: 7,
          f: 1.5,
          b: true,
          n: null,
          big: "9007199254740993",
          num: "1.50",
          d: "2024-01-02",
          ts: "2024-01-02 03:04:05.6",
          a: "{1,2}",
          name: "x",
          bytes: "\\x00ff",
          j: { a: [1, null] },
          jt: '{"t": "☃"}',
        },
      ]);
    });

    it("hands parameters over as text, for the cast in the SQL to read", async () => {
      const rows = await executor().query(
        `SELECT $1::jsonb AS j, $2::bool AS b, $3::int AS i, $4::timestamptz::text AS t, $5::text AS x,
                $6::text IS NULL AS n, $7::bytea AS y, $8::text::int + 1 AS k`,
        ['{"a": 1}', "true", 7, "infinity", 'co\'l "☃" \\', null, "\\x00ff", "41"],
      );
      expect(rows).toEqual([
        {
          j: { a: 1 },
          b: true,
          i: 7,
          t: "infinity",
          x: 'co\'l "☃" \\',
          n: true,
          y: "\\x00ff",
          k: 42,
        },
      ]);
    });

    it("refuses a parameter that a driver would serialise in its own way", async () => {
      const date = new Date(0) as unknown as string;
      await expect(executor().query("SELECT $1::text", [date])).rejects.toMatchObject({
        code: "invalidInput",
        message: expect.stringContaining("$1") as string,
      });
    });

    it("names columns as the SQL names them", async () => {
      expect(await executor().query(`SELECT 1 AS "we""ird Schema", 2 AS snake_case`)).toEqual([
        { 'we"ird Schema': 1, snake_case: 2 },
      ]);
    });

    it("returns the rows of the last of several statements that has rows", async () => {
      const text = "SELECT 1 AS v; CREATE TEMP TABLE gone (); SELECT 2 AS v; DROP TABLE gone";
      expect(await executor().query(text)).toEqual([{ v: 2 }]);
      expect(await executor().query("SELECT 1 AS v; SELECT 2 AS v WHERE false")).toEqual([]);
      expect(await executor().query("CREATE TEMP TABLE gone (); DROP TABLE gone")).toEqual([]);
    });

    it("runs several statements in one text as one transaction", async () => {
      await expect(executor().query("CREATE TABLE half (); SELECT 1/0")).rejects.toThrow("zero");
      expect(await one("SELECT to_regclass('half') AS v")).toBeNull();
    });

    it("returns nothing for a text that holds nothing", async () => {
      expect(await executor().query("")).toEqual([]);
      expect(await executor().query(" -- nothing\n /* ; /* ; */ */ ; ")).toEqual([]);
    });

    it("commits what a transaction did, hostile names included, and rolls back when it throws", async () => {
      const schema = ident(WEIRD);
      const table = `${schema}.${ident('ta"ble')}`;
      await executor().transaction(async (tx) => {
        await tx.query(`CREATE SCHEMA ${schema}`);
        await tx.query(`CREATE TABLE ${table} (${ident("co'l")} int)`);
        await tx.query(`INSERT INTO ${table} VALUES ($1::int)`, [1]);
      });
      const thrown = new Error("mine");
      const failing = executor().transaction(async (tx) => {
        await tx.query(`INSERT INTO ${table} VALUES ($1::int)`, [2]);
        throw thrown;
      });
      await expect(failing).rejects.toBe(thrown);
      expect(await executor().query(`SELECT * FROM ${table}`)).toEqual([{ "co'l": 1 }]);
      await executor().query(`DROP SCHEMA ${schema} CASCADE`);
    });

    it("begins READ COMMITTED READ WRITE, whatever the session's defaults are", async () => {
      await executor().session((session) =>
        session.withSettings(
          { default_transaction_isolation: "serializable", default_transaction_read_only: "on" },
          async () => {
            const read = `SELECT current_setting('transaction_isolation') AS i,
              current_setting('transaction_read_only') AS r`;
            expect(await session.transaction((tx) => tx.query(read))).toEqual([
              { i: "read committed", r: "off" },
            ]);
            const [inside] = await session.transaction((tx) =>
              tx.query(`${read}, $1::int AS p`, [1]),
            );
            expect(inside).toEqual({ i: "read committed", r: "off", p: 1 });
          },
        ),
      );
    });

    it("returns what the work returns, also of a transaction that asks nothing", async () => {
      expect(await executor().transaction(() => Promise.resolve(5))).toBe(5);
      expect(await executor().session(() => Promise.resolve(6))).toBe(6);
    });

    it("runs queries in the order in which they were sent, awaited or not", async () => {
      const rows = await executor().transaction(async (tx) => {
        void tx.query("CREATE TEMP TABLE seen (n int) ON COMMIT DROP");
        void tx.query("INSERT INTO seen VALUES ($1::int)", [1]);
        void tx.query("INSERT INTO seen VALUES (2); INSERT INTO seen VALUES (3)");
        return tx.query("SELECT count(*)::int AS v FROM seen");
      });
      expect(rows).toEqual([{ v: 3 }]);
    });

    it("commits what was sent and not awaited before the work returned", async () => {
      await executor().query("CREATE TABLE late (n int)");
      await executor().transaction(async (tx) => {
        void tx.query("INSERT INTO late VALUES ($1::int)", [1]);
        void tx.query("INSERT INTO late VALUES (2)");
        await Promise.resolve();
      });
      expect(await one("SELECT count(*)::int AS v FROM late")).toBe(2);
      await executor().query("DROP TABLE late");
    });

    it("rejects with the failure that the work caught, for nothing can be committed after it", async () => {
      const failing = executor().transaction(async (tx) => {
        await tx.query("CREATE TABLE swallowed ()");
        await tx.query("SELECT 1/0").catch(() => undefined);
        return "done";
      });
      await expect(failing).rejects.toThrow("division by zero");
      expect(await one("SELECT to_regclass('swallowed') AS v")).toBeNull();
    });

    it("commits after a failure that a savepoint took back", async () => {
      await executor().transaction(async (tx) => {
        await tx.query("SAVEPOINT s");
        await tx.query("SELECT 1/0").catch(() => undefined);
        await tx.query("ROLLBACK TO s; CREATE TABLE kept ()");
      });
      expect(await one("SELECT to_regclass('kept') AS v")).toBe("kept");
      await executor().query("DROP TABLE kept");
    });

    it("points at the place of an error in the text that it was given", async () => {
      const error: unknown = await executor()
        .transaction((tx) => tx.query("SELECT 1 +* 2"))
        .catch((caught: unknown) => caught);
      expect(error).toMatchObject({ position: "10" });
      expect(sqlStateOf(error)).toBe("42883");
    });

    it("rejects when the COMMIT fails, and goes on", async () => {
      await executor().query(
        "CREATE TABLE twice (n int UNIQUE DEFERRABLE INITIALLY DEFERRED); INSERT INTO twice VALUES (1)",
      );
      const failing = executor().transaction((tx) => tx.query("INSERT INTO twice VALUES (1)"));
      await expect(failing.catch(sqlStateOf)).resolves.toBe("23505");
      expect(await one("SELECT count(*)::int AS v FROM twice")).toBe(1);
      await executor().query("DROP TABLE twice");
    });

    it("refuses a transaction or session that is over", async () => {
      const transaction = await executor().transaction((tx) => Promise.resolve(tx));
      await expect(transaction.query("SELECT 1")).rejects.toMatchObject({ code: "invalidInput" });
      const session = await executor().session((opened) => Promise.resolve(opened));
      await expect(session.query("SELECT 1")).rejects.toMatchObject({ code: "invalidInput" });
      await expect(session.transaction((tx) => tx.query("SELECT 1"))).rejects.toMatchObject({
        code: "invalidInput",
      });
    });

    it("keeps one session, whose transactions do not nest and hold its own queries", async () => {
      await executor().session(async (session) => {
        await session.query("CREATE TEMP TABLE mine (n int)");
        await session
          .transaction(async (tx) => {
            await tx.query("INSERT INTO mine VALUES (1)");
            expect(await session.query("SELECT n FROM mine")).toEqual([{ n: 1 }]);
            await expect(session.transaction(() => Promise.resolve())).rejects.toMatchObject({
              code: "invalidInput",
            });
            throw new Error("back");
          })
          .catch(() => undefined);
        expect(await session.query("SELECT n FROM mine")).toEqual([]);
        await session.query("DROP TABLE mine");
      });
    });

    it("takes settings back when the work is done and when it fails", async () => {
      await executor().session(async (session) => {
        const read = async () => {
          const [row] = await session.query(
            `SELECT current_setting('work_mem') AS w, current_setting('my.own', true) AS o,
                    current_setting('search_path') AS p`,
          );
          return row;
        };
        const before = await read();
        const inner = session.withSettings(
          { work_mem: "5MB", "my.own": "it's \\ mine", search_path: `"we""ird Schema", public` },
          async () => {
            const changed = { w: "5MB", o: "it's \\ mine", p: `"we""ird Schema", public` };
            expect(await read()).toEqual(changed);
            await session.withSettings({ work_mem: "6MB" }, async () => {
              expect(await read()).toEqual({ ...changed, w: "6MB" });
            });
            expect(await read()).toEqual(changed);
            await session.query("SELECT 1/0");
          },
        );
        await expect(inner).rejects.toThrow("division by zero");
        expect(await read()).toEqual({ ...before, o: "" });
      });
    });

    it("changes no setting when one of them is refused", async () => {
      await executor().session(async (session) => {
        const changed = session.withSettings({ work_mem: "5MB", no_such_setting: "1" }, () =>
          Promise.resolve(),
        );
        expect(await changed.catch(sqlStateOf)).toBe("42704");
        expect(await session.query("SELECT current_setting('work_mem') AS v")).toEqual([
          { v: "4MB" },
        ]);
      });
    });
  });
}
