import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pgTable, primaryKey, text, uuid } from "drizzle-orm/pg-core";
import { afterAll, describe, expect, it } from "vitest";
import { defineDatabase } from "../../src/definition/define-database.ts";
import { rehearse } from "../../src/migrations/rehearse.ts";
import { rehearsalText } from "../../src/migrations/rehearsal/rehearsal-text.ts";
import { defineAccess, own, tenant } from "../../src/rls/index.ts";
import { oneStatement } from "./rehearse-plans.ts";

const directory = mkdtempSync(join(tmpdir(), "underpin-rehearse-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let folders = 0;
/** A folder of numbered migrations: up, and down where there is one. */
function folderOf(...migrations: readonly (readonly [up: string, down?: string])[]): string {
  const folder = join(directory, String((folders += 1)));
  mkdirSync(folder);
  migrations.forEach(([up, down], at) => {
    const name = `00${at + 1}_step`;
    writeFileSync(join(folder, `${name}.sql`), up);
    if (down !== undefined) writeFileSync(join(folder, `${name}.down.sql`), down);
  });
  return folder;
}

const USERS = [
  "CREATE TABLE users (id serial PRIMARY KEY, email text NOT NULL UNIQUE)",
  "DROP TABLE users",
] as const;

describe("a rehearsal of a folder", () => {
  it("measures its last migration, from the state that those before it make", async () => {
    const folder = folderOf(USERS, [
      "ALTER TABLE users ADD COLUMN age int;\nALTER TABLE users ALTER id TYPE bigint",
      "ALTER TABLE users DROP COLUMN age;\nALTER TABLE users ALTER id TYPE int",
    ]);
    const rehearsal = await rehearse(folder);
    expect(rehearsal.rows).toEqual({ '"public"."users"': 20 });
    expect(rehearsal.plans.map(({ name, up, down }) => [name, up.outcome, down?.outcome])).toEqual([
      ["002_step", "done", "done"],
    ]);
    expect(rehearsal.plans[0]?.up.steps).toMatchObject([
      { state: "done", measured: true, rewritten: [] },
      { state: "done", measured: true, rewritten: [{ name: "users" }] },
      { id: "ledger" },
    ]);
    expect(rehearsal.findings.map(({ check, severity }) => [check, severity])).toEqual([
      ["rewrite-under-lock", "error"],
      ["rewrite-under-lock", "warning"],
    ]);
  });

  it("goes through all of it on a base, and names what has no way back", async () => {
    const folder = folderOf(
      ["ALTER TABLE users ADD COLUMN a int"],
      ["ALTER TABLE users ADD COLUMN b int", "ALTER TABLE users DROP COLUMN b"],
    );
    const rehearsal = await rehearse(folder, { base: USERS[0] });
    expect(rehearsal.plans.map(({ name, down }) => [name, down?.outcome])).toEqual([
      ["001_step", undefined],
      ["002_step", "done"],
    ]);
    expect(rehearsal.findings).toMatchObject([
      { check: "irreversible", message: "no way back was written for it" },
    ]);
  });

  it("finds a down that is wrong, and a migration that fails", async () => {
    const wrong = await rehearse(
      folderOf(USERS, ["ALTER TABLE users ADD COLUMN a int", "ALTER TABLE users DROP COLUMN b"]),
    );
    expect(wrong.findings).toMatchObject([
      { check: "step-failed", severity: "error" },
      { check: "not-taken-back", severity: "error" },
    ]);
    const failing = await rehearse(folderOf(USERS, ["ALTER TABLE users ADD CHECK (email = 'x')"]));
    expect(failing.findings).toMatchObject([{ check: "step-failed" }]);
    expect(rehearsalText(failing)).toMatch(/✗ .*\n\s+failed: .*23514/);
  });

  it("finds what an older server would refuse", async () => {
    const folder = folderOf(USERS, [
      "ALTER TABLE users ADD COLUMN shout text GENERATED ALWAYS AS (upper(email)) VIRTUAL",
      "ALTER TABLE users DROP COLUMN shout",
    ]);
    expect((await rehearse(folder)).ok).toBe(true);
    const { findings, ok } = await rehearse(folder, { postgres: 15 });
    expect(findings).toMatchObject([{ check: "newer-postgres", object: 'line 1 of "002_step"' }]);
    expect(ok).toBe(false);
  });

  it("refuses a folder whose state before cannot be made", async () => {
    const folder = folderOf(["CREATE TABLE users (id nonsense)"], ["SELECT 1"]);
    await expect(rehearse(folder)).rejects.toMatchObject({
      message: expect.stringMatching(/the state before cannot be made: 001_step/) as string,
    });
  });
});

const access = defineAccess({ schema: "shop", tenantColumn: "shopId", personas: ["clerk"] });
const sales = pgTable(
  "sales",
  {
    id: uuid("id").notNull().defaultRandom(),
    shopId: uuid("shop_id").notNull(),
    clerkId: uuid("clerk_id").notNull(),
    note: text("note"),
  },
  (t) => [
    primaryKey({ name: "sales_pkey", columns: [t.shopId, t.id] }),
    ...access.rules(t, { select: { clerk: own("clerkId") }, insert: { clerk: tenant } }),
  ],
).enableRLS();
const base = defineDatabase({ name: "shop", tables: { sales }, access });

describe("a rehearsal from a definition", () => {
  it("tells who sees more than before", async () => {
    const rehearsal = await rehearse(
      oneStatement(
        "CREATE POLICY wide ON sales FOR SELECT USING (true)",
        "DROP POLICY wide ON sales",
      ),
      { base, rows: 6 },
    );
    expect(rehearsal.rows).toEqual({ '"public"."sales"': 12 });
    expect(rehearsal.visibility).toHaveLength(2);
    for (const { table, persona, before, after } of rehearsal.visibility) {
      expect({ table, persona, after }).toEqual({
        table: 'table "public"."sales"',
        persona: "clerk",
        // The floor still holds the other shop's rows back.
        after: "6",
      });
      expect(Number(before)).toBeLessThan(6);
    }
    expect(rehearsalText(rehearsal)).toMatch(/who sees another number of rows:\n {2}clerk of/);
  });

  it("says that nobody was asked where no definition says who asks", async () => {
    const { notLookedAt, visibility } = await rehearse(
      oneStatement(
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY all_of_it ON t USING (true)",
        "DROP POLICY all_of_it ON t; ALTER TABLE t DISABLE ROW LEVEL SECURITY",
      ),
      { base: "CREATE TABLE t (id int)" },
    );
    expect(visibility).toEqual([]);
    expect(notLookedAt).toContain(
      "who sees what after policies changed: no definition says who asks",
    );
  });
});
