import { pg_trgm } from "@electric-sql/pglite/contrib/pg_trgm";
import { sql } from "drizzle-orm";
import { integer, pgTable } from "drizzle-orm/pg-core";
import { describe, expect, it } from "vitest";
import { verify } from "../../src/install/verify.ts";
import { createTestDatabase } from "../../src/testing/create-test-database.ts";
import { shop } from "../install/shop.ts";

const things = pgTable("things", { n: integer("n").notNull() });
const setup = "create table things (n int not null); insert into things values (1)";

describe("a test database", () => {
  it("is fresh each time, with what its set-up made", async () => {
    await using first = await createTestDatabase({ setup });
    await using second = await createTestDatabase({ setup });
    await first.db.insert(things).values({ n: 2 });
    expect(await first.db.select().from(things)).toEqual([{ n: 1 }, { n: 2 }]);
    expect(await second.db.select().from(things)).toEqual([{ n: 1 }]);
  });

  it("runs a set-up function once per process", async () => {
    let runs = 0;
    const counted = async (): Promise<void> => {
      runs++;
    };
    await (await createTestDatabase({ setup: counted })).close();
    await (await createTestDatabase({ setup: counted })).close();
    expect(runs).toBe(1);
  });

  it("lets a set-up that failed be tried again", async () => {
    let runs = 0;
    const flaky = async (): Promise<void> => {
      if (runs++ === 0) throw new Error("not yet");
    };
    await expect(createTestDatabase({ setup: flaky })).rejects.toThrow("not yet");
    await (await createTestDatabase({ setup: flaky })).close();
    expect(runs).toBe(2);
  });

  it("takes back what was done in rolledBack, and returns its result", async () => {
    await using database = await createTestDatabase({ setup });
    const seen = await database.rolledBack(async (db) => {
      await db.insert(things).values({ n: 2 });
      return db.select().from(things);
    });
    expect(seen).toEqual([{ n: 1 }, { n: 2 }]);
    expect(await database.db.select().from(things)).toEqual([{ n: 1 }]);
  });

  it("hands on the error of the work in rolledBack, and takes its writes back", async () => {
    await using database = await createTestDatabase({ setup });
    const work = database.rolledBack(async (db) => {
      await db.insert(things).values({ n: 2 });
      throw new Error("the test failed");
    });
    await expect(work).rejects.toThrow("the test failed");
    expect(await database.db.select().from(things)).toEqual([{ n: 1 }]);
  });

  it("makes savepoints of transactions inside rolledBack", async () => {
    await using database = await createTestDatabase({ setup });
    const seen = await database.rolledBack(async (db) => {
      const inner = db.transaction(async (tx) => {
        await tx.insert(things).values({ n: 2 });
        throw new Error("inner");
      });
      await expect(inner).rejects.toThrow("inner");
      return db.select().from(things);
    });
    expect(seen).toEqual([{ n: 1 }]);
  });

  it("refuses the outer handle inside rolledBack, which would hang the test", async () => {
    await using database = await createTestDatabase({ setup });
    const work = database.rolledBack(() => database.db.execute(sql`select 1`));
    await expect(work).rejects.toMatchObject({ cause: { code: "embeddedLimit" } });
  });

  it("loads the extensions that it is given", async () => {
    const extensions = { pg_trgm };
    await using database = await createTestDatabase({
      setup: "create extension pg_trgm",
      extensions,
    });
    const { rows } = await database.db.execute(sql`select similarity('word', 'word') as same`);
    expect(rows).toEqual([{ same: 1 }]);
  });

  it("serves the engine by its executor", async () => {
    await using database = await createTestDatabase({ setup });
    expect(await database.executor.query("select n from things")).toEqual([{ n: 1 }]);
    expect(database.executor.driver).toBe("pglite");
  });
});

describe("a test database of a definition", () => {
  it("has its tables, seeds, roles and policies, and what a set-up adds", async () => {
    const definition = shop("shop", "tested_shop");
    const setup = "INSERT INTO shop.tenants (name) VALUES ('one')";
    const database = await createTestDatabase(definition, { setup });
    const { rows } = await database.client.query<{
      tenants: number;
      settings: number;
      policies: number;
    }>(
      `SELECT (SELECT count(*)::int FROM shop.tenants) AS tenants,
         (SELECT count(*)::int FROM shop.settings) AS settings,
         (SELECT count(*)::int FROM pg_policies WHERE schemaname = 'shop') AS policies`,
    );
    expect(rows[0]).toMatchObject({ tenants: 1, settings: 2 });
    expect(rows[0]?.policies).toBeGreaterThan(15);
    expect(await verify(database.db, definition)).toEqual([]);
    await database.close();
  });
});
