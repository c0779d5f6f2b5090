import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { isUnderpinError } from "../../src/errors.ts";
import { migrate } from "../../src/migrations/migrate.ts";
import { readFolder } from "../../src/migrations/runner/read-folder.ts";
import { bootSandbox, type Sandbox } from "../../src/sandbox/boot.ts";
import { onServers } from "../support/server.ts";
import { drizzleFiles, useFolders, type Files } from "./runner-fixture.ts";

const folderOf = useFolders();
let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await bootSandbox();
});
afterAll(() => sandbox?.close());
beforeEach(() =>
  sandbox.executor.query(
    "DROP SCHEMA IF EXISTS underpin CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public",
  ),
);

/** The refusal of a folder; nothing of it was run, and nothing was written down. */
async function refusalOf(folder: string): Promise<{ message: string; hint: string }> {
  const refusal = await migrate(sandbox.executor, { folder }).then(
    (report) => {
      throw new Error(`it was not refused: ${JSON.stringify(report)}`);
    },
    (error: unknown) => {
      if (!isUnderpinError(error)) throw error;
      return error;
    },
  );
  const made = await sandbox.executor.query(
    `SELECT c.relname FROM pg_catalog.pg_class c WHERE c.relnamespace = 'public'::regnamespace
     UNION ALL SELECT m.relname FROM pg_catalog.pg_class m JOIN pg_catalog.pg_namespace n ON n.oid = m.relnamespace
     WHERE n.nspname = 'underpin' AND m.relname = 'runs' AND pg_catalog.pg_relation_size(m.oid) > 0`,
  );
  expect(made).toEqual([]);
  const { message, hint } = refusal;
  return { message, hint };
}

function without(path: string, { [path]: _, ...files }: Files): Files {
  return files;
}

const OK = "CREATE TABLE fine (id int);";

describe("a folder that cannot be run", () => {
  it.each<[string, Files, RegExp]>([
    [
      "with a gap",
      { "001_a.sql": OK, "003_c.sql": OK, "004_d.sql": OK },
      /between .*001_a\.sql and .*003_c\.sql number 002 is missing\. Bring the file back/,
    ],
    [
      "with two files of one number",
      { "001_a.sql": OK, "002_b.sql": OK, "002_c.sql": OK },
      /002_b\.sql and .*002_c\.sql have the same number: two branches.*next free number/,
    ],
    ["with a file without a number", { "001_a.sql": OK, "fix.sql": OK }, /fix\.sql has no number/],
    [
      "with a way back of nothing",
      { "001_a.sql": OK, "rollback/002_rollback_b.sql": OK },
      /002_rollback_b\.sql takes back a migration that is not there/,
    ],
    [
      "with two ways back of one",
      { "001_a.sql": OK, "001_a.down.sql": OK, "rollback/001_rollback_a.sql": OK },
      /would be taken back by 001_a\.down\.sql and by rollback\/001_rollback_a\.sql/,
    ],
    [
      "whose journal lists what is not there",
      without("0001_b.sql", drizzleFiles({ "0000_a": OK, "0001_b": OK })),
      /lists 0001_b, and .*0001_b\.sql is not there/,
    ],
    [
      "with a file that the journal does not list",
      drizzleFiles({ "0000_a": OK }, { "0001_b.sql": OK }),
      /0001_b\.sql is in the folder and not in meta\/_journal\.json/,
    ],
    [
      "whose journal a merge has broken",
      { "meta/_journal.json": '{ "entries": [\n<<<<<<< HEAD\n', "0000_a.sql": OK },
      /_journal\.json is no journal of drizzle-kit/,
    ],
    [
      "whose journal has a number twice",
      {
        "meta/_journal.json": JSON.stringify({
          entries: [
            { idx: 0, when: 1, tag: "0000_a" },
            { idx: 1, when: 2, tag: "0001_b" },
            { idx: 1, when: 3, tag: "0001_c" },
          ],
        }),
        "0000_a.sql": OK,
        "0001_b.sql": OK,
        "0001_c.sql": OK,
      },
      /0001_b and 0001_c both as number 1: two branches took it/,
    ],
    [
      "whose snapshots are of two branches",
      {
        "20260101000000_a/migration.sql": OK,
        "20260101000000_a/snapshot.json": JSON.stringify({ id: "a", prevIds: ["0"] }),
        "20260102000000_b/migration.sql": OK,
        "20260102000000_b/snapshot.json": JSON.stringify({ id: "b", prevIds: ["a"] }),
        "20260103000000_c/migration.sql": OK,
        "20260103000000_c/snapshot.json": JSON.stringify({ id: "c", prevIds: ["a"] }),
      },
      /20260102000000_b\/snapshot\.json and .*20260103000000_c\/snapshot\.json both end the history/,
    ],
    [
      "of 1.0 with a directory that lost its migration",
      { "20260101000000_a/migration.sql": OK, "20260102000000_b/snapshot.json": "{}" },
      /20260102000000_b\/ .* no migration\.sql/,
    ],
    [
      "with a quote that never ends",
      { "001_a.sql": OK, "002_b.sql": "SELECT 1;\nSELECT 'it;\n" },
      /002_b\.sql, line 2: a quote \('\) is opened and never closed/,
    ],
    [
      "with a dollar quote that never ends",
      { "001_a.sql": OK, "002_b.sql": "\n\nDO $do$ BEGIN END $$;" },
      /002_b\.sql, line 3: \$do\$ is opened and never closed/,
    ],
    [
      "with a comment that never ends",
      { "001_a.sql": OK, "002_b.sql": "SELECT 1; /* /* one */\nSELECT 2;" },
      /002_b\.sql, line 1: a comment/,
    ],
    [
      "with a command of psql",
      { "001_a.sql": OK, "002_b.sql": "SELECT 1;\n\\i other.sql\n" },
      /002_b\.sql, line 2: \\i is a command of psql/,
    ],
    [
      "that ends its own transaction",
      { "001_a.sql": OK, "002_b.sql": "SELECT 1;\nCOMMIT;\nSELECT 2" },
      /002_b\.sql, line 2: COMMIT would end the transaction/,
    ],
    [
      "that writes into the ledger itself",
      { "001_a.sql": OK, "002_b.sql": "INSERT INTO schema_migrations (version) VALUES ('002')" },
      /002_b\.sql, line 1: it writes into schema_migrations itself/,
    ],
    [
      "that waits for input",
      { "001_a.sql": OK, "002_b.sql": "COPY fine (id) FROM stdin;" },
      /002_b\.sql, line 1: COPY … FROM stdin/,
    ],
    [
      "whose concurrent index has no name",
      { "001_a.sql": OK, "002_b.sql": "CREATE INDEX CONCURRENTLY ON fine (id)" },
      /002_b\.sql, line 1: CREATE INDEX CONCURRENTLY without a name/,
    ],
    [
      "with a module that throws",
      { "001_a.sql": OK, "002_b.mjs": "throw new Error('not today')" },
      /002_b\.mjs cannot be loaded: not today/,
    ],
    [
      "with a module that exports nothing",
      { "001_a.sql": OK, "002_b.mjs": "export const x = 1" },
      /002_b\.mjs exports neither a plan nor up/,
    ],
    [
      "whose plan is of another text",
      {
        "001_a.sql": OK,
        "001_a.plan.json": JSON.stringify({ format: 1, sql: "0".repeat(64), plan: {} }),
      },
      /001_a\.sql was edited after .*001_a\.plan\.json was made of it/,
    ],
  ])("%s is refused before anything is run", async (_, files, message) => {
    const refusal = await refusalOf(folderOf(files));
    expect(refusal.message).toMatch(message);
    expect(refusal.hint).not.toBe("");
  });

  it("that is not there is named", async () => {
    expect((await refusalOf("/nowhere/at/all")).message).toMatch(/\/nowhere\/at\/all is not there/);
  });

  it("that is a file is named", async () => {
    const folder = folderOf({ "001_a.sql": OK });
    expect((await refusalOf(`${folder}/001_a.sql`)).message).toMatch(/is a file, not a folder/);
  });

  it("with a directory, or a link to itself, in the place of a file is named", async () => {
    const folder = folderOf({ "001_a.sql": OK });
    symlinkSync("002_b.sql", `${folder}/002_b.sql`);
    expect((await refusalOf(folder)).message).toMatch(/002_b\.sql is a link that leads to itself/);
    const other = folderOf({ "001_a.sql": OK });
    mkdirSync(`${other}/meta/_journal.json`, { recursive: true });
    expect(readFolder(other).migrations).toHaveLength(1);
  });

  it("with a file in UTF-16, or with a NUL, is named", async () => {
    const folder = folderOf({ "001_a.sql": OK });
    writeFileSync(`${folder}/002_b.sql`, Buffer.from(`\uFEFF${OK}`, "utf16le"));
    expect((await refusalOf(folder)).message).toMatch(/002_b\.sql is not UTF-8: .* UTF-16/);
    writeFileSync(`${folder}/002_b.sql`, "SELECT '\0'");
    expect((await refusalOf(folder)).message).toMatch(/002_b\.sql holds a NUL character/);
  });

  // A superuser of the machine may read everything: then another user asks.
  it("with a file that may not be read is named", () => {
    const folder = folderOf({ "001_a.sql": OK });
    chmodSync(folder, 0o755);
    chmodSync(`${folder}/001_a.sql`, 0o000);
    const module = fileURLToPath(
      new URL("../../src/migrations/runner/read-text.ts", import.meta.url),
    );
    const script = `
      if (process.getuid() === 0) process.setuid(65534);
      const { createJiti } = await import("jiti");
      const { readText } = await createJiti(import.meta.url).import(${JSON.stringify(module)});
      try { readText(${JSON.stringify(`${folder}/001_a.sql`)}, "001_a.sql"); }
      catch (error) { console.log(error.message + " " + error.hint); }`;
    const { stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
      encoding: "utf8",
      env: { ...process.env, JITI_FS_CACHE: "false" },
    });
    expect(stdout).toMatch(/001_a\.sql may not be read by this user .*chmod a\+r/);
  });
});

describe("a file that only looks odd", () => {
  it("is run with a byte order mark, CRLF, BEGIN and COMMIT around it, or nothing in it", async () => {
    const folder = folderOf({
      "001_a.sql": "\uFEFFCREATE TABLE a (id int);\r\nINSERT INTO a VALUES (1);\r\n",
      "002_b.sql": "-- Author: somebody\nBEGIN;\nCREATE TABLE b (id int);\nCOMMIT;\n",
      "003_c.sql": "-- nothing any more\n",
      "004_d.sql":
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END;\nDO $$ BEGIN PERFORM 1; END $$",
    });
    expect(await migrate(sandbox.executor, { folder })).toMatchObject({
      outcome: "applied",
      applied: ["001_a", "002_b", "003_c", "004_d"],
    });
  });

  it("leaves no setting behind", async () => {
    const { executor } = sandbox;
    const folder = folderOf({
      "001_dump.sql":
        "SET statement_timeout = 12345;\nSELECT pg_catalog.set_config('search_path', '', false);\nCREATE TABLE public.dumped (id int);",
      "002_next.sql": "CREATE TABLE next (id int);",
    });
    const path = () => executor.query("SHOW search_path");
    const before = await path();
    expect(await migrate(executor, { folder })).toMatchObject({ outcome: "applied" });
    expect(await path()).toEqual(before);
    expect(await executor.query("SHOW statement_timeout")).toEqual([{ statement_timeout: "0" }]);
  });

  it("that does not parse fails by its own name and line, and nothing of it is recorded", async () => {
    const folder = folderOf({
      "001_a.sql": OK,
      "002_b.sql": "SELECT 1;\nCREATE TABEL x (id int);",
    });
    expect(await migrate(sandbox.executor, { folder })).toMatchObject({
      outcome: "failed",
      applied: ["001_a"],
      failure: { version: "002_b", sqlState: "42601", sql: "CREATE TABEL x (id int)" },
    });
    expect(await sandbox.executor.query("SELECT version FROM underpin.schema_migrations")).toEqual([
      { version: "001_a" },
    ]);
  });
});

onServers("a server that cannot be migrated", (server) => {
  it("says that its transactions are read-only", async () => {
    const folder = folderOf({ "001_a.sql": OK });
    const readOnly = server.connect({ connection: { default_transaction_read_only: true } });
    await expect(migrate(readOnly, { folder })).rejects.toMatchObject({
      code: "unsupportedServer",
      message: expect.stringContaining("read-only by default") as string,
      hint: expect.stringContaining("default_transaction_read_only = off") as string,
    });
  });

  it("says which right a plain login lacks", async () => {
    const folder = folderOf({ "001_a.sql": OK });
    const role = await server.role("plain");
    await expect(
      migrate(server.connect(server.urlAs(role), { max: 2 }), { folder }),
    ).rejects.toMatchObject({ code: "missingRight" });
  });
});
