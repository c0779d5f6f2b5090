import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { beforeEach, expect, it } from "vitest";
import { baseline } from "../../src/migrations/baseline.ts";
import { migrate } from "../../src/migrations/migrate.ts";
import { repair } from "../../src/migrations/repair.ts";
import { rollback } from "../../src/migrations/rollback.ts";
import { status } from "../../src/migrations/status.ts";
import { onEngines } from "../support/server.ts";
import { drizzleFiles, useFolders, writeFiles, type Files } from "./runner-fixture.ts";

const folderOf = useFolders();

const NOTES: Files = {
  "001_notes.sql": "CREATE TABLE notes (id int PRIMARY KEY, body text);",
  "rollback/001_rollback_notes.sql": "DROP TABLE notes;",
  "002_tags.sql":
    "-- tags\nCREATE TABLE tags (id int PRIMARY KEY);\nCREATE INDEX tags_by_id ON tags (id);",
  "rollback/002_rollback_tags.sql": "DROP TABLE tags;",
};

const MORE: Files = {
  "003_scores.sql": "ALTER TABLE notes ADD COLUMN score int;",
  "003_scores.down.sql": "ALTER TABLE notes DROP COLUMN score;",
};

onEngines("the ledger of a folder", (engine) => {
  const db = () => engine.executor();
  const tables = async () => {
    const rows = await db().query<{ name: string }>(
      `SELECT c.relname::text AS name FROM pg_catalog.pg_class c
       WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' ORDER BY 1`,
    );
    return rows.map(({ name }) => name);
  };
  beforeEach(async () => {
    await db().query(
      "DROP SCHEMA IF EXISTS underpin CASCADE; DROP SCHEMA IF EXISTS drizzle CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public",
    );
  });

  it("stops with the difference where an applied file was edited, until repair accepts it", async () => {
    const folder = folderOf(NOTES);
    await migrate(db(), { folder });
    writeFiles(folder, {
      "001_notes.sql": "CREATE TABLE notes (id bigint PRIMARY KEY, body text);",
      ...MORE,
    });
    await expect(migrate(db(), { folder })).rejects.toMatchObject({
      code: "migrationLedger",
      message: expect.stringMatching(
        /001_notes\.sql was edited.*\n  1 - CREATE TABLE notes \(id int .*\n  1 \+ .*bigint/,
      ) as string,
    });
    expect(await repair(db(), { folder })).toMatchObject({
      repaired: [{ version: "001_notes" }],
      findings: [],
    });
    expect(await migrate(db(), { folder })).toMatchObject({ applied: ["003_scores"] });
  });

  it("takes a file for the same whose line ends or byte order mark changed", async () => {
    const folder = folderOf(NOTES);
    await migrate(db(), { folder });
    writeFiles(folder, {
      "002_tags.sql": `\uFEFF${(NOTES["002_tags.sql"] ?? "").replaceAll("\n", "\r\n")}`,
    });
    expect(await migrate(db(), { folder })).toMatchObject({ outcome: "applied", applied: [] });
  });

  it("says what is applied and not in the folder, and refuses to go on over it", async () => {
    const folder = folderOf({ ...NOTES, ...MORE });
    await migrate(db(), { folder });
    rmSync(`${folder}/002_tags.sql`);
    rmSync(`${folder}/rollback/002_rollback_tags.sql`);
    expect(await migrate(db(), { folder, allow: ["gap"] })).toMatchObject({
      findings: [{ check: "number-gap" }, { check: "applied-missing", severity: "warning" }],
    });
    writeFiles(folder, { "004_next.sql": "CREATE TABLE next (id int)" });
    await expect(migrate(db(), { folder, allow: ["gap"] })).rejects.toThrow(
      /002_tags is applied here and is not in the folder/,
    );
    expect(await migrate(db(), { folder, allow: ["gap", "missing"] })).toMatchObject({
      applied: ["004_next"],
    });
  });

  it("reports what a branch brought in late, and runs it where that is allowed", async () => {
    const folder = folderOf(NOTES);
    await migrate(db(), { folder });
    await rollback(db(), { folder });
    rmSync(`${folder}/002_tags.sql`);
    writeFiles(folder, { "002_tags.sql": NOTES["002_tags.sql"] ?? "", ...MORE });
    await migrate(db(), { folder, to: "001" });
    await baseline(db(), { folder, version: "003", only: true });
    await expect(migrate(db(), { folder })).rejects.toMatchObject({
      message: expect.stringContaining(
        "002_tags.sql was never applied here, and 003_scores",
      ) as string,
      hint: expect.stringContaining("--allow out-of-order") as string,
    });
    expect((await status(db(), { folder })).findings).toMatchObject([{ check: "out-of-order" }]);
    expect(await migrate(db(), { folder, allow: ["out-of-order"] })).toMatchObject({
      applied: ["002_tags"],
    });
  });

  it("takes over what was applied before there was a ledger", async () => {
    await db().query("CREATE TABLE notes (id int); CREATE TABLE tags (id int)");
    const folder = folderOf({ ...NOTES, ...MORE });
    expect(await baseline(db(), { folder, version: "002" })).toMatchObject({
      applied: ["001_notes", "002_tags"],
    });
    expect(await migrate(db(), { folder })).toMatchObject({ applied: ["003_scores"] });
    expect(await rollback(db(), { folder, to: "001" })).toMatchObject({
      takenBack: ["003_scores", "002_tags"],
    });
    expect(await tables()).toEqual(["notes"]);
  });

  it("says of a migration that was applied by hand how to write it down", async () => {
    const folder = folderOf(NOTES);
    await db().query("CREATE TABLE notes (id int)");
    const report = await migrate(db(), { folder });
    expect(report).toMatchObject({
      outcome: "failed",
      failure: {
        version: "001_notes",
        sqlState: "42P07",
        hint: expect.stringContaining("underpin repair --applied 001_notes") as string,
      },
    });
    await repair(db(), { folder, applied: ["001"] });
    expect(await migrate(db(), { folder })).toMatchObject({ applied: ["002_tags"] });
    expect((await status(db(), { folder })).unfinished).toEqual([]);
  });

  it("brings back a row that somebody deleted, and takes one away that was taken back by hand", async () => {
    const folder = folderOf(NOTES);
    await migrate(db(), { folder });
    await db().query("DELETE FROM underpin.schema_migrations WHERE version = '002_tags'");
    await expect(migrate(db(), { folder })).rejects.toThrow(/its row in the ledger is gone/);
    await repair(db(), { folder });
    expect(await migrate(db(), { folder })).toMatchObject({ applied: [] });
    await db().query("DROP TABLE tags");
    await repair(db(), { folder, unapplied: ["002"] });
    expect(await migrate(db(), { folder })).toMatchObject({ applied: ["002_tags"] });
  });

  it("looks at a database without making anything there", async () => {
    const folder = folderOf(drizzleFiles({ "0000_a": "SELECT 1" }));
    expect(await status(db(), { folder })).toMatchObject({
      layout: "drizzle",
      applied: [],
      pending: ["0000_a"],
      findings: [],
    });
    expect(
      await db().query("SELECT 1 AS one FROM pg_catalog.pg_namespace WHERE nspname = 'underpin'"),
    ).toEqual([]);
  });

  it("takes over what Drizzle's own migrator applied, and says what was edited or is gone", async () => {
    const hash = (text: string) => createHash("sha256").update(text).digest("hex");
    const first = "CREATE TABLE first (id int);\r\n";
    await db().query(
      `CREATE SCHEMA drizzle;
       CREATE TABLE drizzle.__drizzle_migrations (id serial PRIMARY KEY, hash text NOT NULL, created_at bigint);
       INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES
         ('${hash(first)}', 1700000000000), ('${hash("before")}', 1700000060000), ('gone', 1)`,
    );
    // Checked out with other line ends, and one that was edited since.
    const folder = folderOf(
      drizzleFiles({
        "0000_first": first.replaceAll("\r\n", "\n"),
        "0001_second": "CREATE TABLE after (id int);",
        "0002_third": "CREATE TABLE third (id int);",
      }),
    );
    expect(await status(db(), { folder })).toMatchObject({
      imported: ["0000_first", "0001_second"],
      pending: ["0002_third"],
      findings: [{ check: "imported-changed" }, { check: "imported-missing" }],
    });
    expect(await migrate(db(), { folder })).toMatchObject({
      outcome: "applied",
      applied: ["0002_third"],
      findings: [{ check: "imported-changed" }, { check: "imported-missing" }],
    });
    expect(await tables()).toEqual(["third"]);
    expect((await status(db(), { folder })).applied).toMatchObject([
      { version: "0000_first", way: "imported" },
      { version: "0001_second", way: "imported" },
      { version: "0002_third", way: "applied" },
    ]);
  });
});
