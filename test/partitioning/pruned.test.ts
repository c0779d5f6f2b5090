import { eq, getTableColumns, sql } from "drizzle-orm";
import { drizzle as onPglite } from "drizzle-orm/pglite";
import { drizzle as onPostgresJs } from "drizzle-orm/postgres-js";
import type { PGlite } from "@electric-sql/pglite";
import type { Sql } from "postgres";
import { beforeAll, describe, expect, expectTypeOf, it } from "vitest";
import { boundingOf, conjuncts } from "../../src/partitioning/plan-conditions.ts";
import { hash, partitionBy, range } from "../../src/partitioning/partition-by.ts";
import { pruned } from "../../src/partitioning/pruned.ts";
import { where } from "../../src/partitioning/where.ts";
import { onEngines } from "../support/server.ts";
import { nested, readings, schema, setup } from "./scheme-fixture.ts";

const january = { from: new Date("2025-01-01"), until: new Date("2025-02-01") };

onEngines("pruned", (engine) => {
  // Both have the same methods; their types know of each other's results nothing.
  let db: ReturnType<typeof onPostgresJs>;
  beforeAll(async () => {
    db =
      engine.kind === "pglite"
        ? (onPglite(engine.db() as PGlite) as unknown as ReturnType<typeof onPostgresJs>)
        : onPostgresJs(engine.db() as Sql);
    await engine.executor().query(setup());
    await engine.executor().query(`INSERT INTO ${schema}.programs VALUES ('a'), ('b'), ('c');
      SELECT ${schema}.provision_readings(p, s, '2025-01-01 00:00+00', '2025-03-01 00:00+00')
        FROM pg_catalog.unnest(ARRAY['a', 'b', 'c']) AS p, pg_catalog.unnest(ARRAY['x', 'y']) AS s;
      INSERT INTO ${schema}.readings (program_id, site_id, created_at, value) VALUES ('a', 'x', '2025-01-02', 7)`);
  });
  const all = () => db.select({ value: readings.value }).from(readings).$dynamic();

  it("returns what the query returns where it names the leading keys", async () => {
    const rows = await pruned(
      db,
      nested,
      all().where(where(nested, { programId: "a", siteId: "x", ...january })),
    );
    expectTypeOf(rows).toEqualTypeOf<{ value: number | null }[]>();
    expect(rows).toEqual([{ value: 7 }]);
  });

  it("lets a query of the whole history of one site pass, whatever its share is", async () => {
    const rows = await pruned(
      db,
      nested,
      all().where(where(nested, { programId: "a", siteId: "x" })),
      { allowed: 0 },
    );
    expect(rows).toHaveLength(1);
  });

  it("names the leading key that is missing", async () => {
    await expect(pruned(db, nested, all())).rejects.toMatchObject({
      code: "checkFailed",
      message: expect.stringMatching(/leading key "program_id".* 18 of 18 partitions/) as string,
    });
    await expect(pruned(db, nested, all().where(eq(readings.programId, "a")))).rejects.toThrow(
      'leading key "site_id"',
    );
    await expect(
      pruned(
        db,
        nested,
        sql`SELECT * FROM ${readings} WHERE ${readings.siteId} = 'x' OR ${readings.programId} = 'a'`,
      ),
    ).rejects.toThrow('leading key "program_id"');
  });

  it("lets pass what visits no more than allowed, and everything in production", async () => {
    const byProgram = all().where(eq(readings.programId, "a"));
    expect(await pruned(db, nested, byProgram, { allowed: 0.5 })).toHaveLength(1);
    expect(await pruned(db, nested, all(), { enabled: false })).toHaveLength(1);
    const before = process.env["NODE_ENV"];
    try {
      process.env["NODE_ENV"] = "production";
      expect(await pruned(db, nested, all())).toHaveLength(1);
    } finally {
      process.env["NODE_ENV"] = before;
    }
  });

  it("asserts an update, a delete and a query in a transaction", async () => {
    const wide = db.update(readings).set({ value: 8 });
    await expect(pruned(db, nested, wide)).rejects.toThrow('leading key "program_id"');
    await db.transaction(async (tx) => {
      const narrow = tx
        .update(readings)
        .set({ value: 9 })
        .where(where(nested, { programId: "a", siteId: "x", ...january }))
        .returning({ value: readings.value });
      expect(await pruned(tx, nested, narrow)).toEqual([{ value: 9 }]);
    });
    await expect(pruned(db, nested, db.delete(readings))).rejects.toThrow("partitions");
  });

  it("runs a text", async () => {
    const text = sql`SELECT ${readings.value} FROM ${readings} WHERE ${where(nested, { programId: "b", siteId: "y" })}`;
    const result = (await pruned(db, nested, text)) as { rows?: unknown[] } | unknown[];
    expect(Array.isArray(result) ? result : result.rows).toHaveLength(0);
  });
});

describe("where", () => {
  it("is refused by the compiler without a leading key", () => {
    // @ts-expect-error the site is missing
    expect(() => where(nested, { programId: "a" })).toThrow("siteId has no value");
    // @ts-expect-error a program is a text
    where(nested, { programId: 1, siteId: "x" });
  });

  it("takes the window of a range that comes first, and the value of a hash", () => {
    const { id, createdAt } = { id: readings.readingId, createdAt: readings.createdAt };
    const byTime = partitionBy(
      readings,
      range(createdAt, { every: "1 day" }),
      hash(id, { modulus: 4 }),
    );
    // @ts-expect-error there is no end
    expect(() => where(byTime, { from: january.from, readingId: "1" })).toThrow("until");
    expect(where(byTime, { ...january, readingId: "1" }).getSQL()).toBeDefined();
    expect(Object.keys(getTableColumns(readings))).toContain("readingId");
  });
});

describe("the conditions of a plan", () => {
  it("are parted at their outermost ANDs, quotes and brackets left alone", () => {
    expect(conjuncts("((a = 'x AND y'::text) AND ((b = 1) OR (c = 2)) AND (d > 3))")).toEqual([
      "a = 'x AND y'::text",
      "(b = 1) OR (c = 2)",
      "d > 3",
    ]);
  });

  it.each([
    [`(t.program_id = 'a'::text)`, "equal"],
    [`((t.program_id)::text = ANY ('{a,b}'::text[]))`, "equal"],
    [`(("we""ird".program_id)::text = $1)`, "equal"],
    [`((t.program_id >= $1) AND (t.other = 2))`, "ranged"],
    [`(t.program_id = other.program_id)`, null],
    [`(t.program_id = (other.n + 1))`, null],
    [`(t.program_id = app.current('x.y'::text))`, "equal"],
    [`((t.program_id = 'a'::text) OR (t.n = 1))`, null],
    [`(lower(t.program_id) = 'a'::text)`, null],
    [`(t.program_id <> 'a'::text)`, null],
  ])("%s bounds a column: %s", (condition, bounding) => {
    expect(boundingOf([condition], "program_id")).toBe(bounding);
  });
});
