import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { describe, expect, it } from "vitest";
import { setNotNull } from "../../src/recipes/set-not-null.ts";
import { useCli } from "../support/cli.ts";

const cli = useCli();

describe("underpin lint", () => {
  it("prints file, line, column, the line itself, the lock and what to write, and ends with 3", async () => {
    const file = cli.file("0001_index.sql", "SELECT 1;\nCREATE INDEX i ON users (email);\n");
    const { code, stdout } = await cli.run(["lint", file]);
    expect(code).toBe(3);
    expect(stdout).toContain(`${file}:2:1: error create-index: "public"."users":`);
    expect(stdout).toContain("    2 | CREATE INDEX i ON users (email);\n      | ^");
    expect(stdout).toContain(`lock: SHARE on "public"."users"`);
    expect(stdout).toContain(`CREATE INDEX CONCURRENTLY "i" ON "public"."users" (email);`);
    expect(stdout).toContain("1 file: 1 error");
  });

  it("ends with 0 where nothing is wrong, and where all there is is info", async () => {
    const fine = cli.file("fine.sql", "SELECT 1");
    const info = cli.file("info.sql", "CREATE TABLE t (at timestamp)");
    expect(await cli.run(["lint", fine])).toMatchObject({
      code: 0,
      stdout: "1 file: nothing found\n",
    });
    const { code, stdout } = await cli.run(["lint", info]);
    expect(code).toBe(0);
    expect(stdout).toContain("info time-without-zone");
  });

  it("reads stdin, folders and plans, and prints JSON", async () => {
    mkdirSync(cli.path("all"));
    const file = cli.file("all/b.sql", "DROP TABLE b");
    cli.file("all/a.sql", "DROP TABLE a");
    const plan = cli.planFile(setNotNull({ table: "users", column: "email" }));
    const { code, stdout } = await cli.run(["lint", dirname(file), plan, "--json"]);
    expect(code).toBe(3);
    const { inputs, findings } = JSON.parse(stdout) as {
      inputs: number;
      findings: { file: string; check: string }[];
    };
    expect(inputs).toBe(3);
    expect(findings.map(({ check }) => check)).toEqual(["drop-table", "drop-table"]);
    expect(findings.map((each) => each.file.endsWith("a.sql"))).toEqual([true, false]);
    const program = readdirSync(dirname(cli.path("x"))).find((name) => name.endsWith(".mjs")) ?? "";
    const piped = spawnSync(process.execPath, [cli.path(program), "lint", "-"], {
      input: "DROP TABLE c",
      encoding: "utf8",
    });
    expect(piped.status).toBe(3);
    expect(piped.stdout).toContain("<stdin>:1:1: error drop-table");
  });

  it("knows what an older server refuses", async () => {
    const file = cli.file("new.sql", "SELECT uuidv7()");
    expect(await cli.run(["lint", file])).toMatchObject({ code: 0 });
    expect(await cli.run(["lint", "--postgres", "15", file])).toMatchObject({ code: 3 });
    expect(await cli.run(["lint", "--postgres", "14", file])).toMatchObject({ code: 2 });
  });

  it("says what is wrong with a file that is none", async () => {
    const wide = cli.file("wide.sql", "");
    writeFileSync(wide, Buffer.from("\uFEFFSELECT 1", "utf16le"));
    const latin = cli.file("latin.sql", "");
    writeFileSync(latin, Buffer.from("SELECT 'ü'", "latin1"));
    expect((await cli.run(["lint", "no-such.sql"])).stderr).toContain("there is no no-such.sql");
    expect((await cli.run(["lint", wide])).stderr).toContain("not UTF-8, but UTF-16");
    expect(await cli.run(["lint", latin])).toMatchObject({ code: 2 });
  });
});
