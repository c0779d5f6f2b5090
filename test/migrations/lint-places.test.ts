import { describe, expect, it } from "vitest";
import { lint } from "../../src/migrations/lint/lint.ts";
import { parseScript } from "../../src/sql/parse.ts";

async function placesOf(sql: string) {
  return (await lint(sql)).map(({ check, line, column }) => `${line}:${column} ${check}`);
}

describe("a script", () => {
  it.each([
    ["LF", "SELECT 1;\n\nDROP TABLE t;"],
    ["CRLF", "SELECT 1;\r\n\r\nDROP TABLE t;\r\n"],
    ["CR", "SELECT 1;\r\rDROP TABLE t;"],
    ["a byte order mark", "\uFEFFSELECT 1;\n\nDROP TABLE t;"],
    ["letters of two, three and four bytes", "SELECT 'é ≤ 😀';\n\nDROP TABLE t;"],
    ["drizzle's breakpoints", "SELECT 1\n--> statement-breakpoint\nDROP TABLE t"],
    ["comments", "SELECT 1 -- one;\n; /* DROP TABLE x; */\nDROP TABLE t -- end"],
  ])("with %s has its findings at their lines", async (_, sql) => {
    expect(await placesOf(sql)).toEqual(["3:1 drop-table"]);
  });

  it("has columns by what an editor counts", async () => {
    expect(await placesOf("SELECT '😀'; DROP TABLE t")).toEqual(["1:14 drop-table"]);
    expect((await lint("SELECT 'ü' FORM;\nSELECT 'ü' frm b whre"))[0]).toMatchObject({ line: 2 });
  });

  it("ends a statement without a semicolon at drizzle's breakpoint", async () => {
    const { statements, problems } = await parseScript(
      "SELECT 1\n--> statement-breakpoint\nSELECT 2\n--> statement-breakpoint\n",
    );
    expect(problems).toEqual([]);
    expect(statements.map(({ text }) => text)).toEqual(["SELECT 1", "SELECT 2"]);
  });

  it("is read on after each line that is psql's, and each statement that is none", async () => {
    const sql = `\\set ON_ERROR_STOP on
CREATE TABEL a ();
SELECT 1;
SELECT 'a;\\b';
\\i other.sql
DROP TABLE t; CREATE TABLE b (x int,, y int);
DROP TABLE u`;
    expect(await placesOf(sql)).toEqual([
      "1:1 psql-command",
      "2:8 syntax-error",
      "5:1 psql-command",
      "6:1 drop-table",
      "6:37 syntax-error",
      "7:1 drop-table",
    ]);
  });

  it("says what was expected", async () => {
    const expected = async (sql: string) => (await lint(sql))[0]?.message;
    expect(await expected("CREATE TABEL a ()")).toContain("expected TABLE");
    expect(await expected("ALTER TABLE a ADD CONSTRAINT c CHEK (a > 1)")).toContain("CHECK");
    expect(await expected("INSERT INTO a VALUES (1, 2")).toContain(")");
    expect(await expected("SELECT 'abc")).toContain("unterminated quoted string");
  });

  it("is not cut at a semicolon in a body", async () => {
    const sql = `CREATE FUNCTION f() RETURNS integer BEGIN ATOMIC SELECT 1; SELECT 2; END;
CREATE FUNCTION g() RETURNS void LANGUAGE plpgsql AS $x$ BEGIN PERFORM 1; END $x$;
DROP TABLE t`;
    expect(await placesOf(sql)).toEqual(["3:1 drop-table"]);
  });

  it("of nothing has no findings", async () => {
    expect(await lint("")).toEqual([]);
    expect(await lint("  -- only a comment\n/* and another */")).toEqual([]);
  });

  it("with a NUL character is refused whole, since the parser would stop there", async () => {
    const [found] = await lint("SELECT 1;\0 DROP TABLE t");
    expect(found).toMatchObject({ check: "syntax-error", column: 10 });
    expect(found?.message).toContain("NUL");
  });

  it("that is nested too deeply is a finding, and no crash", async () => {
    const found = await lint(`SELECT ${"1+".repeat(60_000)}1; DROP TABLE t`);
    expect(found.map(({ check }) => check)).toContain("syntax-error");
  });

  it("of a thousand faults ends soon", async () => {
    const found = await lint("SELEC 1;\n".repeat(300));
    expect(found).toHaveLength(300);
  });
});
