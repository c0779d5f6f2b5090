import { describe, expect, it } from "vitest";
import { checksumOf } from "../../src/migrations/runner/checksum.ts";
import { localSettings } from "../../src/migrations/runner/local-settings.ts";
import { splitStatements } from "../../src/migrations/runner/split-statements.ts";
import { sqlSteps } from "../../src/migrations/runner/sql-steps.ts";
import { textFor } from "../../src/migrations/runner/tenant.ts";

const cut = (text: string) => splitStatements(text, "x.sql").map(({ sql }) => sql);
const stepsOf = (text: string) =>
  sqlSteps(text, { file: "x.sql", defaultSchema: "public", undo: { kind: "nothing" } });

describe("the statements of a file", () => {
  it("end at semicolons and breakpoints, wherever these are not text", () => {
    expect(cut("SELECT ';' ; -- one; two\nSELECT 2 /* ; */;;")).toEqual(["SELECT ';'", "SELECT 2"]);
    expect(cut("SELECT 1\n--> statement-breakpoint\nSELECT 2")).toEqual(["SELECT 1", "SELECT 2"]);
    expect(cut("SELECT '\n--> statement-breakpoint\n'")).toHaveLength(1);
    expect(cut("DO $$ BEGIN; --> statement-breakpoint\nEND $$; SELECT 1")).toHaveLength(2);
    expect(cut("CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2); SELECT 3")).toHaveLength(
      2,
    );
  });

  it("know the lines that they begin on", () => {
    const lines = splitStatements("-- a\n\nSELECT 1;\n  SELECT\n2;SELECT 3", "x.sql");
    expect(lines.map(({ line }) => line)).toEqual([3, 4, 5]);
  });

  it("share one transaction, but for what cannot be in one", () => {
    const all = stepsOf(`
      CREATE TABLE a (id int);
      CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS a_id ON ONLY s.a (id);
      DROP INDEX CONCURRENTLY old;
      ALTER TABLE p DETACH PARTITION c CONCURRENTLY;
      REFRESH MATERIALIZED VIEW CONCURRENTLY m;
      VACUUM a;`);
    expect(all.map((step) => [step.id, "transaction" in step ? step.transaction : ""])).toEqual([
      ["1", "inside"],
      ["2", "outside"],
      ["3-is-there", "commitAfter"],
      ["3", "outside"],
      ["4", "outside"],
      ["5", "inside"],
      ["6", "outside"],
    ]);
    expect(all[1]).toMatchObject({
      locks: [{ schema: "s", name: "a", mode: "shareUpdateExclusive" }],
      probe: { repair: { sql: 'DROP INDEX CONCURRENTLY IF EXISTS "s"."a_id"' } },
    });
  });

  it("commit a new value of an enum where a later one uses it, and only there", () => {
    const rules = (text: string) =>
      stepsOf(text).map((step) => ("transaction" in step ? step.transaction : ""));
    expect(rules("ALTER TYPE k ADD VALUE 'b'; INSERT INTO t VALUES ('b')")).toEqual([
      "commitAfter",
      "inside",
    ]);
    expect(rules("ALTER TYPE k ADD VALUE IF NOT EXISTS 'b'; INSERT INTO t VALUES ('a')")).toEqual([
      "inside",
      "inside",
    ]);
  });

  it.each([
    ["ALTER TABLE IF EXISTS ONLY a.b ADD COLUMN x int", ["accessExclusive a.b"]],
    ["ALTER TABLE b VALIDATE CONSTRAINT c", ["shareUpdateExclusive public.b"]],
    [
      "ALTER TABLE b ADD FOREIGN KEY (x) REFERENCES s.c (id)",
      ["accessExclusive public.b", "shareRowExclusive s.c"],
    ],
    ['CREATE INDEX ON "B" (x)', ["share public.B"]],
    ["CREATE TABLE n (x int REFERENCES old)", ["shareRowExclusive public.old"]],
    ["CREATE TABLE n PARTITION OF root DEFAULT", ["accessExclusive public.root"]],
    [
      "CREATE OR REPLACE TRIGGER t BEFORE INSERT ON b EXECUTE FUNCTION f()",
      ["shareRowExclusive public.b"],
    ],
    ["CREATE POLICY p ON b USING (true)", ["accessExclusive public.b"]],
    ["DROP POLICY IF EXISTS p ON b", ["accessExclusive public.b"]],
    ["DROP TABLE IF EXISTS a, s.b CASCADE", ["accessExclusive public.a", "accessExclusive s.b"]],
    ["TRUNCATE TABLE ONLY a, b", ["accessExclusive public.a", "accessExclusive public.b"]],
    ["COMMENT ON TABLE b IS 'x'", []],
    ["CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'ALTER TABLE b ADD x int'", []],
  ])("lock what they say: %s", (sql, expected) => {
    const [step] = stepsOf(sql);
    const locks = step !== undefined && "locks" in step ? step.locks : [];
    expect(locks.map(({ schema, name, mode }) => `${mode} ${schema}.${name}`)).toEqual(expected);
  });

  it("lock nothing of others where the file made the table itself", () => {
    const all = stepsOf("CREATE TABLE n (x int); ALTER TABLE n ADD y int; CREATE INDEX i ON n (x)");
    expect(all.flatMap((step) => ("locks" in step ? step.locks : []))).toEqual([]);
  });
});

describe("settings", () => {
  it.each([
    ["SET lock_timeout = '1s'", "SET LOCAL lock_timeout = '1s'"],
    ["SET SESSION x.y TO 1", "SET LOCAL x.y TO 1"],
    ["SET LOCAL a = 1", "SET LOCAL a = 1"],
    ["SET CONSTRAINTS ALL DEFERRED", "SET CONSTRAINTS ALL DEFERRED"],
    ["SET ROLE r", "SET LOCAL ROLE r"],
    ["SET SESSION AUTHORIZATION u", "SET LOCAL SESSION AUTHORIZATION u"],
    [
      "SELECT pg_catalog.set_config('search_path', '', false)",
      "SELECT pg_catalog.set_config('search_path', '', true)",
    ],
    ["SELECT f(false), 'set_config(1, 2, false)'", "SELECT f(false), 'set_config(1, 2, false)'"],
  ])("end with the transaction: %s", (sql, expected) => {
    const [statement] = splitStatements(sql, "x.sql");
    expect(statement === undefined ? "" : localSettings(statement)).toBe(expected);
  });
});

describe("the text for a tenant", () => {
  it("names the tenant's schema, and leaves texts, bodies and other schemas alone", () => {
    const text = `CREATE TABLE "public"."a" (x public.kind, y "other"."public".z DEFAULT 'public.a'); -- public.b`;
    expect(textFor(text, { schema: 'we"ird Schema' })).toBe(
      `CREATE TABLE "we""ird Schema"."a" (x "we""ird Schema".kind, y "other"."public".z DEFAULT 'public.a'); -- public.b`,
    );
    expect(textFor("SELECT $$ public.a $$, app.b", { schema: "t", insteadOf: "app" })).toBe(
      'SELECT $$ public.a $$, "t".b',
    );
  });
});

describe("the checksum", () => {
  it("is the same whatever the line ends and the byte order mark, and of nothing else", () => {
    const sum = checksumOf("a\nb\n");
    expect(sum).toMatch(/^[0-9a-f]{64}$/);
    expect(checksumOf("\uFEFFa\r\nb\r\n")).toBe(sum);
    expect(checksumOf("a\nb")).not.toBe(sum);
  });
});
