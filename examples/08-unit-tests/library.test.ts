import { eq } from "drizzle-orm";
import { createTestDatabase, asPersona, type TestDatabase } from "underpin/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { access, definition, notes } from "../01-tenant-table/notes.ts";

const team = "00000000-0000-4000-8000-00000000000a";
const ada = "00000000-0000-4000-8000-0000000000a1";
const bob = "00000000-0000-4000-8000-0000000000a2";

describe("a note", () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase(definition);
  });
  afterAll(() => database.close());

  it("is written by its author", () =>
    database.rolledBack(async (db) => {
      const context = { access, persona: "member", tenant: team, user: ada } as const;
      const [note] = await asPersona(db, context, (tx) =>
        tx.insert(notes).values({ teamId: team, authorId: ada, body: "mine" }).returning(),
      );
      expect(note?.body).toBe("mine");
    }));

  it("is not written in the name of another", () =>
    database.rolledBack(async (db) => {
      const context = { access, persona: "member", tenant: team, user: ada } as const;
      const written = asPersona(db, context, (tx) =>
        tx.insert(notes).values({ teamId: team, authorId: bob, body: "yours" }),
      );
      await expect(written).rejects.toMatchObject({ cause: { code: "42501" } });
    }));

  it("finds an empty table, whatever the tests before it wrote", () =>
    database.rolledBack(async (db) => {
      expect(await db.select().from(notes).where(eq(notes.teamId, team))).toEqual([]);
    }));
});
