import { mkdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { expectRefusal, useCli } from "../support/cli.ts";
import { oneStatement } from "./rehearse-plans.ts";

const cli = useCli();

describe("underpin rehearse", () => {
  it("ends with 3 where there are findings, and prints for a pull request", async () => {
    const base = cli.file("base.sql", "CREATE TABLE users (id int PRIMARY KEY, email text)");
    const plan = cli.planFile(
      oneStatement("ALTER TABLE users ALTER id TYPE bigint", "ALTER TABLE users ALTER id TYPE int"),
    );
    const found = await cli.run(["rehearse", plan, "--base", base, "--format", "markdown"]);
    expect(found.stdout).toMatch(/^## Rehearsal\n/);
    expect(found.stdout).toMatch(/\*\*error\*\* `rewrite-under-lock`/);
    expect(found.code).toBe(3);
  });

  it("takes a folder, and says as JSON that there is nothing to look at", async () => {
    mkdirSync(cli.path("folder"));
    cli.file("folder/001_users.sql", "CREATE TABLE users (id int PRIMARY KEY)");
    cli.file("folder/001_users.down.sql", "DROP TABLE users");
    cli.file("folder/002_email.sql", "ALTER TABLE users ADD COLUMN email text");
    cli.file("folder/002_email.down.sql", "ALTER TABLE users DROP COLUMN email");
    const ended = await cli.run(["rehearse", cli.path("folder"), "--rows", "5", "--json"]);
    expect(JSON.parse(ended.stdout)).toMatchObject({
      ok: true,
      findings: [],
      rows: { '"public"."users"': 5 },
      plans: [{ name: "002_email", down: { outcome: "done" } }],
    });
    expect(ended.code).toBe(0);
  });

  it("refuses what cannot be meant", async () => {
    const plan = cli.planFile(oneStatement("SELECT 1"));
    expectRefusal(await cli.run(["rehearse", plan, "--rows", "many"]), {
      code: 2,
      message: /--rows is "many"/,
      hint: /from 1 to 1000/,
    });
    expectRefusal(await cli.run(["rehearse", plan, "--base", cli.file("none.mjs", "export {}")]), {
      code: 2,
      message: /exports no definition/,
      hint: /pg_dump --schema-only/,
    });
  });
});

describe("underpin backup", () => {
  it("makes a backup, proves it, and finds a damaged one", async () => {
    mkdirSync(cli.path("data"));
    const url = `pglite:${cli.path("data")}`;
    const file = cli.path("one.tar");
    const made = await cli.run(["backup", "make", file, "--url", url]);
    expect(made.stdout).toMatch(/one\.tar: [\d,]+ bytes of postgres at [0-9A-F/]+, by PostgreSQL/);
    expect(made.code).toBe(0);
    const proof = await cli.run(["backup", "verify", file]);
    expect(proof.stdout).toMatch(/restored, and equal to what was backed up/);
    expect(proof.code).toBe(0);
    cli.file("one.tar", "something else");
    const damaged = await cli.run(["backup", "verify", file, "--json"]);
    expect(JSON.parse(damaged.stdout)).toMatchObject({
      ok: false,
      findings: [{ check: "backup-file" }],
    });
    expect(damaged.code).toBe(3);
    expect(readFileSync(`${file}.manifest.json`, "utf8")).toMatch(/"sha256"/);
  });

  it("says what is to be corrected", async () => {
    const url = "memory:";
    expectRefusal(await cli.run(["backup", "steal", "x", "--url", url]), {
      code: 2,
      message: /does not know "steal"/,
      hint: /underpin backup make FILE/,
    });
    expectRefusal(await cli.run(["backup", "make", "x", "--url", url, "--tables", 'a,"b']), {
      code: 2,
      message: /no name can be read at character 3/,
      hint: /in double quotes/,
    });
    expectRefusal(await cli.run(["backup", "verify", cli.path("nothing")]), {
      code: 2,
      message: /has no manifest/,
      hint: /underpin backup make FILE/,
    });
  });
});
