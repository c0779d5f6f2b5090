import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { lint } from "../../src/migrations/lint/lint.ts";
import { RULES, type RuleName } from "../../src/migrations/rewrite/rules.ts";
import { EXAMPLES } from "./lint-examples.ts";

const rules = Object.keys(RULES) as readonly RuleName[];

async function rulesIn(sql: string, postgres: 15 | 18 = 18): Promise<readonly RuleName[]> {
  return (await lint(sql, { postgres })).map(({ check }) => check);
}

describe("each rule of lint", () => {
  it.each(rules)("finds %s, with its place, and not in the form that is safe", async (rule) => {
    const { bad, good } = EXAMPLES[rule];
    const postgres = rule === "newer-postgres" ? 15 : 18;
    const found = (await lint(bad, { postgres })).find(({ check }) => check === rule);
    expect(found).toBeDefined();
    expect(found?.line).toBeGreaterThan(0);
    expect(found?.text).not.toBe("");
    expect(found?.advice).not.toBe("");
    if (good !== undefined) expect(await rulesIn(good, postgres)).not.toContain(rule);
  });

  it.each(rules)("has a row of its own in docs/lint.md: %s", (rule) => {
    const rows = readFileSync("docs/lint.md", "utf8").split("\n");
    expect(rows.filter((row) => row.startsWith(`| \`${rule}\` |`))).toHaveLength(1);
  });
});

describe("what lint says", () => {
  it("names the lock, and prints the safe form", async () => {
    const [found] = await lint("\nCREATE INDEX i ON app.users (email) WHERE email <> ''");
    expect(found).toMatchObject({
      check: "create-index",
      severity: "error",
      object: `"app"."users"`,
      line: 2,
      column: 1,
      lock: `SHARE on "app"."users"`,
    });
    expect(found?.repair).toContain(
      `CREATE INDEX CONCURRENTLY "i" ON "app"."users" (email) WHERE email <> '';`,
    );
  });

  it("needs no ceremony for what the script itself has made", async () => {
    const sql = `CREATE TABLE t (id bigint PRIMARY KEY, a text);
      CREATE INDEX i ON t (a); ALTER TABLE t ALTER a SET NOT NULL; ALTER TABLE t RENAME a TO b;
      ALTER TABLE t ADD CONSTRAINT c CHECK (b <> ''); UPDATE t SET b = 'x'; DROP TABLE t`;
    expect(await rulesIn(sql)).toEqual([]);
  });

  it("finds what a DO block does, and says that it cannot be made online there", async () => {
    const [found] = await lint("DO $$ BEGIN ALTER TABLE users ALTER email SET NOT NULL; END $$");
    expect(found).toMatchObject({ check: "set-not-null" });
    expect(found?.message).toContain("write it out");
  });

  it("lets a DO block pass that only makes a type where there is none", async () => {
    const sql = `DO $$ BEGIN CREATE TYPE mood AS ENUM ('ok'); EXCEPTION WHEN duplicate_object THEN null; END $$`;
    expect(await rulesIn(sql)).toEqual([]);
  });

  it("does not look into the body of a function", async () => {
    const sql = `CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN DROP TABLE users; END $$;
      CREATE FUNCTION g() RETURNS integer BEGIN ATOMIC SELECT 1; SELECT 2; END`;
    expect(await rulesIn(sql)).toEqual([]);
  });
});

describe("a comment that allows", () => {
  const drop = "DROP TABLE t;";

  it.each([
    ["before its statement", `-- underpin-lint: allow drop-table because it is empty\n${drop}`],
    ["behind its statement", `${drop} -- underpin-lint: allow drop-table because it is empty`],
    ["inside its statement", "DROP /* underpin-lint: allow drop-table because of that */ TABLE t"],
    [
      "for the whole file",
      `SELECT 1;\n${drop}\n-- underpin-lint: allow-file drop-table because test`,
    ],
    [
      "two rules",
      `-- underpin-lint: allow drop-table, drop-cascade because so\nDROP TABLE t CASCADE`,
    ],
  ])("counts %s", async (_, sql) => {
    const found = await rulesIn(sql);
    expect(found.filter((rule) => rule.startsWith("drop"))).toEqual([]);
  });

  it("is about its statement alone", async () => {
    const sql = `${drop} -- underpin-lint: allow drop-table because it is empty\n${drop}`;
    expect((await lint(sql)).map(({ check, line }) => [check, line])).toEqual([["drop-table", 2]]);
  });

  it("switches nothing off without a reason", async () => {
    expect(await rulesIn(`-- underpin-lint: allow drop-table\n${drop}`)).toEqual([
      "allow-without-reason",
      "drop-table",
    ]);
  });
});
