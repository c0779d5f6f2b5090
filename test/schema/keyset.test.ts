import fc from "fast-check";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from "vitest";
import { keyset, type Direction } from "../../src/schema/keyset.ts";
import { notes, setup } from "./keyset-notes.ts";
import { createTestDatabase, type TestDatabase } from "../../src/testing/create-test-database.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase({ setup });
});
afterAll(() => database.close());

type Ordered = "writtenAt" | "readAt" | "title" | "rank" | "price" | "big" | "level" | "done";
const PROPERTIES = [
  "writtenAt",
  "readAt",
  "title",
  "rank",
  "price",
  "big",
  "level",
  "done",
] as const;
const DIRECTIONS = ["asc", "desc", "asc nulls first", "desc nulls last"] as const;

/** An order over some columns that ends with the id, the length of a page, and the team or all of them. */
const walks = fc.record({
  order: fc
    .uniqueArray(fc.tuple(fc.constantFrom(...PROPERTIES), fc.constantFrom(...DIRECTIONS)), {
      maxLength: 3,
      selector: ([property]) => property,
    })
    .map((parts) => Object.fromEntries(parts) as Partial<Record<Ordered, Direction>>),
  id: fc.constantFrom(...DIRECTIONS),
  limit: fc.integer({ min: 1, max: 40 }),
  team: fc.constantFrom(0, 1),
});

type Walk = typeof walks extends fc.Arbitrary<infer W> ? W : never;

async function pagesOf({ order, id, limit, team }: Walk) {
  const pages: (readonly { readonly id: string }[])[] = [];
  const fetchPage = async (after: string | null) => {
    const page = keyset(notes, { ...order, id }, { within: { team }, after, limit });
    const query = database.db.select().from(notes).where(page.where);
    return page.pageOf(await query.orderBy(...page.orderBy).limit(page.fetch));
  };
  for (let after: string | null = null; pages.length === 0 || after !== null; ) {
    const { rows, next }: Awaited<ReturnType<typeof fetchPage>> = await fetchPage(after);
    pages.push(rows);
    after = next;
  }
  return pages;
}

describe("paging by key", () => {
  it("visits every row exactly once and in order, whatever ties and wherever NULLs are", async () => {
    await fc.assert(
      fc.asyncProperty(walks, async (walk) => {
        const { orderBy } = keyset(notes, { ...walk.order, id: walk.id }, { within: { team: 0 } });
        const whole = await database.db
          .select({ id: notes.id })
          .from(notes)
          .where(sql`team = ${walk.team}`)
          .orderBy(...orderBy);
        const pages = await pagesOf(walk);
        expect(pages.flat().map(({ id }) => id)).toEqual(whole.map(({ id }) => id));
        expect(pages.slice(0, -1).every((rows) => rows.length === walk.limit)).toBe(true);
      }),
      { seed: 20240115, numRuns: 80 },
    );
  });

  it("places NULLs where PostgreSQL does when nothing else is said", async () => {
    const { orderBy } = keyset(notes, { rank: "desc", id: "asc" }, { within: { team: 0 } });
    const nulls = (written: ReturnType<typeof sql>) =>
      database.db.select({ rank: notes.rank }).from(notes).orderBy(written);
    expect(
      await database.db
        .select({ rank: notes.rank })
        .from(notes)
        .orderBy(...orderBy),
    ).toEqual(await nulls(sql`rank desc`));
  });

  it("begins in the index where the page before ended, and stops after the page", async () => {
    const first = keyset(notes, { writtenAt: "desc", id: "desc" }, { within: { team: 1 } });
    const after = first.cursorOf({
      writtenAt: new Date("2024-01-15T14:30:00.122Z"),
      id: "80000000-0000-4000-8000-000000000000",
    });
    const page = keyset(notes, { writtenAt: "desc", id: "desc" }, { within: { team: 1 }, after });
    const text = sql.join(page.orderBy, sql`, `);
    const plan = await database.rolledBack(async (db) => {
      await db.execute(
        sql`insert into notes (team, id, written_at, title, big, done) select 1, gen_random_uuid(), '2024-01-01Z'::timestamptz + n * interval '1 second', 'x', n, true from generate_series(1, 5000) n`,
      );
      await db.execute(sql`analyze notes`);
      const query = sql`select * from ${notes} where ${page.where} order by ${text} limit 20`;
      const { rows } = await db.execute<{ "QUERY PLAN": string }>(
        sql`explain (costs off) ${query}`,
      );
      return rows.map((row) => row["QUERY PLAN"].trim());
    });
    expect(plan).toEqual([
      "Limit",
      "->  Index Scan using notes_written on notes",
      expect.stringMatching(/^Index Cond: \(\(team = 1\) AND \(ROW\(written_at, id\) < ROW\(/),
    ]);
  });

  it("takes OFFSET's place, which skips a row for each that was deleted meanwhile", async () => {
    await database.rolledBack(async (db) => {
      const page = keyset(notes, { id: "asc" }, { within: { team: 0 }, limit: 10 });
      const select = () =>
        db
          .select()
          .from(notes)
          .orderBy(...page.orderBy);
      const first = page.pageOf(await select().where(page.where).limit(page.fetch));
      const gone = first.rows.slice(0, 3).map(({ id }) => sql`${id}`);
      await db.execute(sql`delete from notes where id in (${sql.join(gone, sql`, `)})`);
      const next = keyset(notes, { id: "asc" }, { within: { team: 0 }, after: first.next });
      const [byKey] = await select().where(next.where).limit(1);
      const [byOffset] = await select().where(page.where).offset(10).limit(1);
      const rest = await select().where(page.where);
      expect(byKey).toEqual(rest[7]);
      expect(byOffset).toEqual(rest[10]);
    });
  });

  it("refuses a Date of microseconds, after which rows of one millisecond are skipped", async () => {
    expect(() => keyset(notes, { exact: "desc", id: "desc" }, { within: { team: 0 } })).toThrow(
      /holds microseconds/,
    );
    const skipped = await database.rolledBack(async (db) => {
      await db.execute(sql`create temp table naive (at timestamptz, id int) on commit drop`);
      await db.execute(
        sql`insert into naive select '2024-01-15 14:30:00.123Z'::timestamptz + n * interval '100 us', n from generate_series(1, 9) n`,
      );
      const asRead = "2024-01-15T14:30:00.123Z";
      const { rows } = await db.execute(
        sql`select id from naive where (at, id) < (${asRead}::timestamptz, 5) order by at desc, id desc`,
      );
      return rows;
    });
    expect(skipped).toEqual([]);
  });
});

describe("an order", () => {
  it("has to hold a key of the table, with what is fixed", () => {
    expect(() => keyset(notes, { writtenAt: "desc" })).toThrow(/may tie on \(written_at\)/);
    expect(() => keyset(notes, { id: "asc" })).toThrow(/may tie on \(id\)/);
    expect(() => keyset(notes, { id: "asc" }, { within: { team: 1 } })).not.toThrow();
    expect(() => keyset(notes, { team: "asc", id: "asc" })).not.toThrow();
    expect(() => keyset(notes, { writtenAt: "desc" }, { isUnique: true })).not.toThrow();
  });

  it("is of columns that a cursor can hold", () => {
    expect(() => keyset(notes, { body: "asc" }, { isUnique: true })).toThrow(/jsonb/);
    // @ts-expect-error: a number is no name.
    expect(() => keyset({ 1: notes.id }, { 1: "asc" }, { isUnique: true })).toThrow(/number/);
    expect(() => keyset(notes, {}, { isUnique: true })).toThrow(/at least one/);
  });

  it("is typed by the columns", () => {
    const page = keyset(notes, { readAt: "desc", id: "asc" }, { within: { team: 1 } });
    expectTypeOf<Parameters<typeof page.cursorOf>[0]>().toEqualTypeOf<{
      readonly readAt: Date | null;
      readonly id: string;
    }>();
    // @ts-expect-error: the id is missing.
    expect(() => page.cursorOf({ readAt: null })).toThrow(/no a uuid|"id"/);
    // @ts-expect-error: there is no such column.
    expect(() => keyset(notes, { id: "asc", nothing: "asc" })).toThrow(/no column/);
    // @ts-expect-error: there is no such direction.
    expect(() => keyset(notes, { id: "up" }, { within: { team: 1 } })).toBeDefined();
    // @ts-expect-error: the team is a number.
    expect(() => keyset(notes, { id: "asc" }, { within: { team: "1" } })).toBeDefined();
  });

  it("has pages of at least one row", () => {
    for (const limit of [0, -1, 1.5, Number.NaN])
      expect(() => keyset(notes, { id: "asc" }, { within: { team: 1 }, limit })).toThrow(/page of/);
  });
});
