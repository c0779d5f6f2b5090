import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { keyset } from "../../src/schema/keyset.ts";
import { createTestDatabase, type TestDatabase } from "../../src/testing/create-test-database.ts";
import { notes, setup } from "./keyset-notes.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase({ setup });
});
afterAll(() => database.close());

describe("a cursor", () => {
  const order = { writtenAt: "desc", rank: "asc", id: "desc" } as const;
  const within = { team: 1 };
  const row = { writtenAt: new Date("2024-01-15T14:30:00.122Z"), rank: null, id: uuidOf("a") };
  const page = keyset(notes, order, { within });
  const after = (cursor: string) => () => keyset(notes, order, { within, after: cursor });
  const forged = (...values: readonly unknown[]) => {
    const [mark] = JSON.parse(Buffer.from(page.cursorOf(row), "base64url").toString()) as unknown[];
    return Buffer.from(JSON.stringify([mark, ...values])).toString("base64url");
  };

  it("fits into an address, and is read again", () => {
    const cursor = page.cursorOf(row);
    expect(cursor).toMatch(/^[\w-]+$/);
    expect(after(cursor)).not.toThrow();
    expect(cursor).toBe(forged("2024-01-15T14:30:00.122Z", null, uuidOf("a")));
  });

  it("is refused where its values are not of their columns", () => {
    const at = "2024-01-15T14:30:00.122Z";
    for (const values of [
      [],
      [at, null],
      [at, null, uuidOf("a"), 1],
      [null, null, uuidOf("a")],
      ["2024-02-31T00:00:00.000Z", null, uuidOf("a")],
      ["0000-01-01T00:00:00.000Z", null, uuidOf("a")],
      [{ toISOString: 1 }, null, uuidOf("a")],
      [at, "1", uuidOf("a")],
      [at, 1.5, uuidOf("a")],
      [at, 2 ** 31, uuidOf("a")],
      [at, null, "' or true --"],
      [at, null, [uuidOf("a")]],
    ])
      expect(after(forged(...values)), JSON.stringify(values)).toThrow(/cannot be used/);
    for (const cursor of [
      "",
      "x",
      "bnVsbA",
      "e30",
      "ÿ",
      Buffer.from("[1e999]").toString("base64url"),
    ])
      expect(after(cursor)).toThrow(/cannot be used/);
  });

  it("is refused by another order", () => {
    const cursor = page.cursorOf(row);
    const other = { writtenAt: "asc", rank: "asc", id: "desc" } as const;
    expect(() => keyset(notes, other, { within, after: cursor })).toThrow(/another list/);
  });

  it("is data, whatever is in it", async () => {
    const titles = { title: "asc", id: "asc" } as const;
    const hostile = `'; drop table notes; --`;
    const first = keyset(notes, titles, { within });
    const cursor = first.cursorOf({ title: hostile, id: uuidOf("a") });
    const next = keyset(notes, titles, { within, after: cursor });
    await database.db.select().from(notes).where(next.where);
    expect(await database.db.$count(notes)).toBe(90);
    expect(() => first.cursorOf({ title: "\0", id: uuidOf("a") })).toThrow(/no text/);
  });

  it("takes any text or refuses it, and never asks the database what it is", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), fc.base64String()), (cursor) => {
        expect(after(cursor)).toThrow(/cannot be used/);
        const wrapped = forged(cursor, cursor, cursor);
        expect(after(wrapped)).toThrow(/cannot be used/);
      }),
      { seed: 20240115, numRuns: 300 },
    );
  });
});

function uuidOf(digit: string): string {
  return `${digit.repeat(8)}-0000-4000-8000-000000000000`;
}
