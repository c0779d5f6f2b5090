import { expect, it } from "vitest";
import { readKitStatements } from "../../src/kit/generate/kit-statements.ts";

/** What one statement is taken for. */
async function read(sql: string) {
  const [statement] = await readKitStatements(sql);
  return statement;
}

it.each([
  ["row security that is switched off", 'ALTER TABLE "a"."t" DISABLE ROW LEVEL SECURITY;'],
  ["row security that is switched on", 'ALTER TABLE "t" ENABLE ROW LEVEL SECURITY;'],
  [
    "a policy, whose predicate may be missing",
    'CREATE POLICY "p" ON "a"."t" AS RESTRICTIVE FOR ALL TO public;',
  ],
  ["another policy", 'ALTER POLICY "p" ON "a"."t" TO public USING (true);'],
  ["a policy that goes", 'DROP POLICY "p" ON "a"."t" CASCADE;'],
  ["a view, in whatever order", 'CREATE VIEW "a"."v" AS (select 1);'],
  ["a materialized view", 'CREATE MATERIALIZED VIEW "a"."v" AS (select 1);'],
  ["a role without a guard", 'CREATE ROLE "r";'],
  ["a schema without a guard", 'CREATE SCHEMA "a";'],
  ["a type that goes, which something parked may need", 'DROP TYPE "a"."mood";'],
  ["a table with a parameter in it", 'CREATE TABLE "a"."t" ("n" integer CHECK (n > $1));'],
])("leaves %s to the objects of the definition", async (_, sql) => {
  expect(await read(sql)).toEqual({ kind: "ours" });
});

it("knows what a statement makes, by the id of its object", async () => {
  expect(await read('CREATE TABLE "we ird"."T" ("n" integer);')).toMatchObject({
    id: 'table "we ird"."T"',
    isQualified: true,
  });
  expect(await read('CREATE TABLE "t" ("n" integer);')).toMatchObject({
    id: 'table "public"."t"',
    isQualified: false,
  });
  expect(await read('CREATE TYPE "a"."mood" AS ENUM (\'x\');')).toMatchObject({
    id: 'type "a"."mood"',
  });
  expect(await read('CREATE UNIQUE INDEX "i" ON "a"."t" USING btree ("n");')).toMatchObject({
    id: 'index "i" of table "a"."t"',
  });
  expect(
    await read('ALTER TABLE "a"."t" ADD CONSTRAINT "f" FOREIGN KEY ("n") REFERENCES "a"."u"("n");'),
  ).toMatchObject({ id: 'constraint "f" of table "a"."t"' });
});

it("parks a column that goes, and hears of one that is renamed", async () => {
  expect(await read('ALTER TABLE "a"."t" DROP COLUMN "n";')).toEqual({
    kind: "dropsColumn",
    table: { schema: "a", name: "t" },
    column: "n",
  });
  expect(await read('ALTER TABLE "a"."t" RENAME COLUMN "n" TO "m";')).toMatchObject({
    rename: { schema: "a", table: "t", from: "n", to: "m" },
  });
});

it("adds a label that a down has left", async () => {
  expect(await read("ALTER TYPE \"a\".\"mood\" ADD VALUE 'y' BEFORE 'x';")).toMatchObject({
    text: "ALTER TYPE \"a\".\"mood\" ADD VALUE IF NOT EXISTS 'y' BEFORE 'x'",
  });
});

it.each([
  [
    "a parameter where no object has another text",
    'ALTER TABLE "t" ADD CHECK (n > $1);',
    /takes none/,
  ],
  ["a table that is renamed whole", 'ALTER TABLE "t" RENAME TO "u";', /renames a whole table/],
  ["what is no SQL", 'CREATE TABLE "a"b" ("n" integer);', /is no SQL/],
])("refuses %s", async (_, sql, message) => {
  await expect(read(sql)).rejects.toThrow(message);
});

it("reads statements apart as drizzle-kit writes them", async () => {
  const all = await readKitStatements(
    'CREATE TABLE "a"."t" ("n" text DEFAULT \';\');\n--> statement-breakpoint\nALTER TABLE "a"."t" ALTER COLUMN "n" SET NOT NULL;',
  );
  expect(all.map(({ kind }) => kind)).toEqual(["makes", "other"]);
});
