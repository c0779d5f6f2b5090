import { rmSync } from "node:fs";
import { beforeEach, describe, expect, it } from "vitest";
import { migrate } from "../../src/migrations/migrate.ts";
import { repair } from "../../src/migrations/repair.ts";
import { rollback } from "../../src/migrations/rollback.ts";
import { runs } from "../../src/run/runs.ts";
import { onEngines } from "../support/server.ts";
import { useFolders, writeFiles, type Files } from "./runner-fixture.ts";

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

onEngines("the runner of a folder", (engine) => {
  const db = () => engine.executor();
  const tables = async () => {
    const rows = await db().query<{ name: string }>(
      `SELECT c.relname::text AS name FROM pg_catalog.pg_class c
       WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' ORDER BY 1`,
    );
    return rows.map(({ name }) => name);
  };
  const ledger = () =>
    db().query(
      "SELECT version, rollback_sql, checksum, applied_by, way, back FROM underpin.schema_migrations ORDER BY ordinal",
    );

  beforeEach(async () => {
    await db().query(
      "DROP SCHEMA IF EXISTS underpin CASCADE; DROP SCHEMA IF EXISTS drizzle CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public",
    );
  });

  describe("there", () => {
    it("applies numbered files, each with its row and its journal", async () => {
      const folder = folderOf(NOTES);
      const report = await migrate(db(), { folder });
      expect(report).toMatchObject({
        outcome: "applied",
        ranHere: true,
        applied: ["001_notes", "002_tags"],
        left: [],
        findings: [],
      });
      expect(await tables()).toEqual(["notes", "tags"]);
      expect(await ledger()).toMatchObject([
        { version: "001_notes", rollback_sql: "DROP TABLE notes;", way: "applied", back: "sql" },
        { version: "002_tags", rollback_sql: "DROP TABLE tags;" },
      ]);
      const journaled = await runs(db());
      expect(journaled.map(({ name, state }) => [name, state])).toEqual([
        ["migration 002_tags", "applied"],
        ["migration 001_notes", "applied"],
      ]);
      expect(journaled[0]).toMatchObject({ stepsApplied: 3, stepsTotal: 3 });
    });

    it("does nothing the second time", async () => {
      const folder = folderOf(NOTES);
      await migrate(db(), { folder });
      expect(await migrate(db(), { folder })).toMatchObject({
        outcome: "applied",
        ranHere: false,
        applied: [],
      });
    });

    it("applies to a live database each as a run of its own", async () => {
      const folder = folderOf(NOTES);
      await migrate(db(), { folder });
      writeFiles(folder, MORE);
      expect(await migrate(db(), { folder })).toMatchObject({ applied: ["003_scores"] });
      expect((await runs(db()))[0]).toMatchObject({
        name: "migration 003_scores",
        state: "applied",
      });
    });

    it("stops where it was told to", async () => {
      const folder = folderOf({ ...NOTES, ...MORE });
      expect(await migrate(db(), { folder, to: "002" })).toMatchObject({
        applied: ["001_notes", "002_tags"],
      });
      await expect(migrate(db(), { folder, to: "00" })).rejects.toThrow(/may mean 001_notes, 002/);
      await expect(migrate(db(), { folder, to: "009" })).rejects.toThrow(/no migration "009"/);
    });

    it("keeps what came before a failure, on an empty database too, and nothing of the failure", async () => {
      const folder = folderOf({
        ...NOTES,
        "003_bad.sql": "CREATE TABLE half (id int);\nALTER TABLE nowhere ADD COLUMN x int;",
        "004_later.sql": "CREATE TABLE later (id int);",
      });
      const report = await migrate(db(), { folder });
      expect(report).toMatchObject({
        outcome: "failed",
        applied: ["001_notes", "002_tags"],
        left: ["003_bad", "004_later"],
        failure: { version: "003_bad", step: "2", sqlState: "42P01" },
      });
      expect(await tables()).toEqual(["notes", "tags"]);
      writeFiles(folder, { "003_bad.sql": "CREATE TABLE half (id int);" });
      expect(await migrate(db(), { folder })).toMatchObject({ applied: ["003_bad", "004_later"] });
    });

    it("runs functions of a module in one transaction with the ledger, and takes them back", async () => {
      const folder = folderOf({
        ...NOTES,
        "003_fill.mjs": `
          export const up = async (tx) => {
            await tx.query("INSERT INTO notes SELECT g, 'note' FROM generate_series(1, 3) g");
          };
          export const down = (tx) => tx.query("DELETE FROM notes");`,
      });
      await migrate(db(), { folder });
      const count = async () => (await db().query("SELECT 1 AS one FROM notes")).length;
      expect(await count()).toBe(3);
      expect((await ledger())[2]).toMatchObject({ version: "003_fill", back: "function" });
      await expect(rollback(db(), {})).rejects.toThrow(/taken back by a function, and no folder/);
      expect(await rollback(db(), { folder })).toMatchObject({ takenBack: ["003_fill"] });
      expect(await count()).toBe(0);
      expect(await migrate(db(), { folder })).toMatchObject({ applied: ["003_fill"] });
    });

    it("runs a plan of a TypeScript module, and takes it back step by step", async () => {
      const step = (id: string, sql: string, undo: string) =>
        `{ kind: "sql", id: "${id}", title: "${id}", sql: "${sql}", locks: [], transaction: "inside",
           undo: { kind: "statement", sql: "${undo}", locks: [], transaction: "inside" } }`;
      const folder = folderOf({
        "001_shop.ts": `const name: string = "shop";
          export default { format: 1, name, steps: [
            ${step("make", "CREATE TABLE goods (id int)", "DROP TABLE goods")},
            { kind: "gate", id: "deployed", title: "Deployed", question: "Is it?", undo: { kind: "nothing" } },
            ${step("more", "CREATE TABLE prices (id int)", "DROP TABLE prices")} ] };`,
      });
      // Nobody works with an empty database, so that its gate is passed.
      expect(await migrate(db(), { folder })).toMatchObject({ outcome: "applied" });
      expect(await tables()).toEqual(["goods", "prices"]);
      expect(await rollback(db())).toMatchObject({ outcome: "undone", takenBack: ["001_shop"] });
      expect(await tables()).toEqual([]);
      await db().query("CREATE TABLE live (id int)");
      expect(await migrate(db(), { folder })).toMatchObject({
        outcome: "waiting",
        left: ["001_shop"],
      });
    });
  });

  describe("and back", () => {
    it("takes back what was applied last, by what is stored, the file being gone", async () => {
      const folder = folderOf({ ...NOTES, ...MORE });
      await migrate(db(), { folder });
      rmSync(folder, { recursive: true });
      expect(await rollback(db(), { folder })).toMatchObject({
        outcome: "undone",
        takenBack: ["003_scores"],
        left: [],
      });
      expect(await rollback(db(), { steps: 2 })).toMatchObject({
        takenBack: ["002_tags", "001_notes"],
      });
      expect(await tables()).toEqual([]);
      expect(await ledger()).toEqual([]);
      expect(await rollback(db())).toMatchObject({ outcome: "undone", takenBack: [] });
    });

    it("goes back to a version, to nothing, and there again", async () => {
      const folder = folderOf({ ...NOTES, ...MORE });
      for (let round = 0; round < 2; round++) {
        await migrate(db(), { folder });
        expect(await rollback(db(), { folder, to: "001" })).toMatchObject({
          takenBack: ["003_scores", "002_tags"],
        });
        expect(await rollback(db(), { folder, to: "0" })).toMatchObject({
          takenBack: ["001_notes"],
        });
        expect(await tables()).toEqual([]);
      }
    });

    it("refuses before anything is touched where one of them cannot be taken back", async () => {
      const folder = folderOf({
        ...NOTES,
        "003_none.sql": "CREATE TABLE one_way (id int)",
        "004_never.sql": "CREATE TABLE never (id int)",
        "004_never.down.sql": "-- irreversible: its rows are gone\n",
        ...{ "005_fine.sql": "CREATE TABLE fine (id int)", "005_fine.down.sql": "DROP TABLE fine" },
      });
      await migrate(db(), { folder });
      await expect(rollback(db(), { steps: 2 })).rejects.toThrow(/004_never.*its rows are gone/);
      expect(await tables()).toContain("fine");
      await rollback(db());
      await expect(rollback(db(), { to: "002" })).rejects.toThrow(/004_never/);
    });

    it("leaves everything when a way back fails, and takes a corrected one over by repair", async () => {
      const folder = folderOf({
        ...NOTES,
        "003_x.sql": "CREATE TABLE x (id int)",
        "003_x.down.sql": "DROP TABLE x; DROP TABLE nowhere",
      });
      await migrate(db(), { folder });
      expect(await rollback(db(), { folder })).toMatchObject({
        outcome: "failed",
        takenBack: [],
        left: ["003_x"],
        failure: { version: "003_x", sqlState: "42P01" },
      });
      expect(await tables()).toContain("x");
      expect(await ledger()).toHaveLength(3);
      writeFiles(folder, { "003_x.down.sql": "DROP TABLE x" });
      expect((await repair(db(), { folder })).repaired).toMatchObject([
        { version: "003_x", what: expect.stringContaining("way back") as string },
        { version: "003_x", what: expect.stringContaining("forgotten") as string },
      ]);
      expect(await rollback(db(), { folder })).toMatchObject({ takenBack: ["003_x"] });
      expect(await migrate(db(), { folder })).toMatchObject({ applied: ["003_x"] });
    });

    it("takes back what is half applied before anything else, where its plan can", async () => {
      await db().query("CREATE TABLE live (id int)");
      const step = (id: string, sql: string, undo: string) =>
        `{ kind: "sql", id: "${id}", title: "${id}", sql: "${sql}", locks: [], transaction: "commitAfter",
           undo: { kind: "statement", sql: "${undo}", locks: [], transaction: "inside" } }`;
      const folder = folderOf({
        ...NOTES,
        "003_plan.mjs": `export default { format: 1, name: "x", steps: [
          ${step("one", "CREATE TABLE one (id int)", "DROP TABLE one")},
          ${step("two", "CREATE TABLE nowhere.two (id int)", "DROP TABLE nowhere.two")} ] };`,
      });
      expect(await migrate(db(), { folder })).toMatchObject({
        outcome: "failed",
        failure: { version: "003_plan", step: "two" },
      });
      expect(await tables()).toContain("one");
      expect(await rollback(db(), { folder })).toMatchObject({ takenBack: ["003_plan"] });
      expect(await tables()).toEqual(["live", "notes", "tags"]);
      expect(await rollback(db(), { folder })).toMatchObject({ takenBack: ["002_tags"] });
    });

    it("says what to do with SQL that is half applied, and takes a person's word for it", async () => {
      await db().query("CREATE TABLE live (id int)");
      const folder = folderOf({
        ...NOTES,
        "003_half.sql":
          "CREATE INDEX CONCURRENTLY live_by_id ON live (id); CREATE TABLE nowhere.two (id int);",
        "003_half.down.sql": "DROP TABLE nowhere.two; DROP INDEX live_by_id;",
      });
      expect(await migrate(db(), { folder })).toMatchObject({ outcome: "failed" });
      await expect(rollback(db(), { folder })).rejects.toMatchObject({
        code: "irreversible",
        message: expect.stringContaining(
          "003_half cannot be taken back: it is half applied",
        ) as string,
        hint: expect.stringContaining("--unapplied 003_half") as string,
      });
      await db().query("DROP INDEX live_by_id");
      await repair(db(), { folder, unapplied: ["003"] });
      expect(await rollback(db(), { folder })).toMatchObject({ takenBack: ["002_tags"] });
    });

    it("keeps to hostile names, of versions and of the run schema", async () => {
      const hostile = `001_we"ird 'name' 100%`;
      const folder = folderOf({
        [`${hostile}.sql`]: "CREATE TABLE notes (id int);",
        [`${hostile}.down.sql`]: "DROP TABLE notes;",
      });
      const runSchema = 'we"ird Schema';
      await db().query(`DROP SCHEMA IF EXISTS "we""ird Schema" CASCADE`);
      expect(await migrate(db(), { folder, runSchema })).toMatchObject({ applied: [hostile] });
      expect(await migrate(db(), { folder, runSchema })).toMatchObject({ applied: [] });
      expect(await rollback(db(), { folder, runSchema })).toMatchObject({ takenBack: [hostile] });
      expect(await tables()).toEqual([]);
    });
  });
});
