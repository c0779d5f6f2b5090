import { PGlite } from "@electric-sql/pglite";
import { drizzle } from "drizzle-orm/pglite";
import { migrate as drizzleMigrate } from "drizzle-orm/pglite/migrator";
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defineDatabase } from "../../src/definition/define-database.ts";
import type { Definition, DrizzleEntity } from "../../src/definition/definition.ts";
import {
  pgComment,
  pgForceRowSecurity,
  pgFunction,
  pgGrant,
  pgGroupRole,
  pgMaterializedViewIndex,
  pgTrigger,
  verify,
} from "../../src/index.ts";
import { generate, type GeneratedMigration } from "../../src/kit/index.ts";
import { migrate } from "../../src/migrations/migrate.ts";
import { partitionBy, range } from "../../src/partitioning/partition-by.ts";
import type { PgTable } from "drizzle-orm/pg-core";
import { ROOT } from "../consumer/command.ts";

/** drizzle-kit writes names with a quote in them as they are: those it cannot do at all. */
const S = "Gen Schema";

/** An application whose schema file and definition are of one version. */
const directory = mkdtempSync(join(tmpdir(), "underpin-generate-"));
const folder = join(directory, "drizzle");

const SCHEMA = (isNew: boolean) => `
import { sql } from "drizzle-orm";
import { check, index, integer, pgPolicy, pgSchema, primaryKey, text, timestamp, uuid } from "drizzle-orm/pg-core";
export const schema = pgSchema(${JSON.stringify(S)});
export const mood = schema.enum("mood", ["sad", ${isNew ? '"calm", ' : ""}"happy"]);
export const notes = schema.table("notes", {
  id: uuid("id").primaryKey().defaultRandom(),
  body: text("body").notNull(),
  mood: mood("mood").notNull().default("sad"),
  ${isNew ? 'score: integer("score").notNull().default(0),' : 'gone: text("gone").notNull().default("x"),'}
}, (t) => [
  check("notes_body_check", sql\`char_length(body) < ${isNew ? 200 : 100}\`),
  ${isNew ? 'index("notes_score_index").on(t.score),' : 'index("notes_mood_index").on(t.mood),'}
  pgPolicy("notes_short", { using: sql\`char_length(body) < ${isNew ? 20 : 10}\` }),
]).enableRLS();
export const events = schema.table("events", {
  id: uuid("id").notNull(),
  at: timestamp("at", { withTimezone: true }).notNull(),
}, (t) => [primaryKey({ name: "events_pk", columns: [t.id, t.at] })]);
export const aShort = schema.view("a_short", { id: uuid("id") }).as(sql\`select id from "Gen Schema"."b_short"\`);
export const bShort = schema.view("b_short", { id: uuid("id") }).as(sql\`select id from "Gen Schema"."notes" where char_length(body) < 10\`);
export const totals = schema.materializedView("totals", { mood: text("mood"), n: integer("n") }).as(sql\`select mood, count(*) as n from "Gen Schema"."notes" group by mood\`);
${isNew ? 'export const extra = schema.table("extra", { id: integer("id").primaryKey() });' : ""}
`;

interface Version {
  readonly isNew: boolean;
  readonly body: string;
}

let written = 0;

/** Writes the schema file of a version, and makes its definition. */
async function versionOf({ isNew, body }: Version): Promise<Definition> {
  written += 1;
  const file = `schema-${written}.js`;
  writeFileSync(join(directory, file), SCHEMA(isNew));
  configure(file);
  const tables = (await import(pathToFileURL(join(directory, file)).href)) as Record<
    string,
    DrizzleEntity
  > & { readonly notes: PgTable; readonly events: PgTable };
  const touch = pgFunction({
    schema: S,
    name: "touch",
    returns: "trigger",
    language: "plpgsql",
    volatility: "volatile",
    body,
  });
  return defineDatabase({
    name: "generated",
    tables,
    objects: [
      touch,
      pgGroupRole("generate_reader"),
      pgTrigger({
        table: tables.notes,
        name: "touch",
        timing: "before",
        events: ["update"],
        execute: touch,
      }),
      pgGrant({ table: tables.notes, to: "generate_reader", privileges: ["select"] }),
      pgForceRowSecurity({ table: tables.notes }),
      pgMaterializedViewIndex({
        schema: S,
        view: "totals",
        name: "totals_key",
        columns: ["mood"],
        unique: true,
      }),
      pgComment({ table: tables.notes, text: isNew ? "what was said" : "notes" }),
    ],
    partitions: [
      partitionBy(
        tables.events,
        range((tables.events as unknown as { at: { name: string } }).at as never, {
          every: "1 month",
        }),
      ),
    ],
  });
}

function configure(file: string, out = "./drizzle", name = "drizzle.config.mjs"): void {
  writeFileSync(
    join(directory, name),
    `export default { dialect: "postgresql", schema: "./${file}", out: ${JSON.stringify(out)} };\n`,
  );
}

/** drizzle-kit by itself. */
function kit(...words: readonly string[]): string {
  return execFileSync(join(directory, "node_modules", ".bin", "drizzle-kit"), words, {
    cwd: directory,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
}

const OLD: Version = { isNew: false, body: "BEGIN RETURN NEW; END" };
const NEW: Version = { isNew: true, body: "BEGIN NEW.body := NEW.body || ''; RETURN NEW; END" };

describe("generate", () => {
  let old: Definition;
  let first: GeneratedMigration;
  let plain = "";
  /** What the folder makes so far. */
  let there = OLD;
  let sql = "";
  const text = (name: string) => readFileSync(join(folder, name), "utf8");

  beforeAll(async () => {
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, "package.json"), '{ "private": true, "type": "module" }');
    symlinkSync(join(ROOT, "node_modules"), join(directory, "node_modules"));
    old = await versionOf(OLD);
    configure(`schema-${written}.js`, "./plain", "plain.config.mjs");
    kit("generate", "--config=plain.config.mjs", "--name=init");
    plain = readFileSync(join(directory, "plain", "0000_init.sql"), "utf8");
    first = await generate({ definition: old, name: "init", directory });
    sql = text("0000_init.sql");
  }, 240_000);
  afterAll(() => {
    rmSync(directory, { recursive: true, force: true });
  });

  it("#2854 partitions: makes the table partitioned, with its first partitions", () => {
    expect(plain).not.toMatch(/PARTITION BY/);
    expect(sql).toMatch(/CREATE TABLE "Gen Schema"\."events" [^;]*PARTITION BY RANGE \("at"\)/);
  });

  it("#843 triggers: makes them", () => {
    expect(plain).not.toMatch(/TRIGGER/);
    expect(sql).toMatch(/CREATE TRIGGER "touch" BEFORE UPDATE ON "Gen Schema"\."notes"/);
  });

  it("#937 functions: makes them, before what calls them", () => {
    expect(plain).not.toMatch(/FUNCTION/);
    expect(sql.indexOf("CREATE OR REPLACE FUNCTION")).toBeGreaterThan(0);
    expect(sql.indexOf('FUNCTION "Gen Schema"."touch"')).toBeLessThan(
      sql.indexOf("CREATE TRIGGER"),
    );
  });

  it("#5819 FORCE RLS: binds the owner too", () => {
    expect(plain).not.toMatch(/FORCE ROW LEVEL SECURITY/);
    expect(sql).toMatch(/ALTER TABLE "Gen Schema"\."notes" FORCE ROW LEVEL SECURITY/);
  });

  it("#2976 matview indexes: makes the one that REFRESH CONCURRENTLY needs", () => {
    expect(plain).not.toMatch(/totals_key/);
    expect(sql).toMatch(/CREATE UNIQUE INDEX "totals_key"/);
  });

  it("#4076 views: makes a view after the one that it reads", () => {
    expect(plain.indexOf('"b_short" AS')).toBeGreaterThan(plain.indexOf('"a_short" AS'));
    expect(sql.indexOf('"b_short" AS')).toBeLessThan(sql.indexOf('"a_short" AS'));
  });

  it("writes what the runner and drizzle-kit read", async () => {
    expect(first).toMatchObject({ outcome: "generated", tag: "0000_init" });
    expect(readdirSync(folder).sort()).toEqual([
      "0000_init.down.sql",
      "0000_init.plan.json",
      "0000_init.sql",
      "meta",
      "underpin",
    ]);
    expect(kit("check", "--config=drizzle.config.mjs")).toContain("Everything's fine");
    expect(kit("generate", "--config=drizzle.config.mjs")).toContain("No schema changes");
    await using client = new PGlite();
    await drizzleMigrate(drizzle({ client }), { migrationsFolder: folder });
    expect(await verify(client, old)).toEqual([]);
  });

  it("writes nothing where nothing differs", async () => {
    const again = await generate({ definition: old, name: "again", directory });
    expect(again).toMatchObject({ outcome: "nothing", tag: null, files: [] });
    expect(existsSync(join(folder, "0001_again.sql"))).toBe(false);
  });

  it("leaves the folder as it was where the schema throws, which drizzle-kit ends with 0", async () => {
    const journal = text("meta/_journal.json");
    writeFileSync(join(directory, "broken.js"), "throw new Error('no schema today');");
    configure("broken.js", "./drizzle", "broken.config.mjs");
    await expect(
      generate({ definition: old, name: "broken", directory, config: "broken.config.mjs" }),
    ).rejects.toThrow(/no schema today/);
    expect(text("meta/_journal.json")).toBe(journal);
  });

  it("takes a body that changed for a change, of which drizzle-kit sees nothing", async () => {
    there = { ...OLD, body: "BEGIN RETURN OLD; END" };
    const definition = await versionOf(there);
    const { tag, plan } = await generate({ definition, name: "body", directory });
    expect(tag).toBe("0001_body");
    expect(plan?.steps.map(({ title }) => title)).toEqual([
      'Change function "Gen Schema"."touch"()',
    ]);
    expect(text("0001_body.sql")).toMatch(/RETURN OLD/);
    expect(text("0001_body.down.sql")).toMatch(/RETURN NEW/);
  }, 120_000);

  describe("a change of many things", () => {
    let before: Definition;
    let after: Definition;
    let made: GeneratedMigration;

    beforeAll(async () => {
      before = await versionOf(there);
      after = await versionOf(NEW);
      made = await generate({ definition: after, name: "more", directory });
    }, 400_000);

    it("parks what goes, and builds indexes concurrently in the plan alone", () => {
      expect(text(`${made.tag}.sql`)).not.toMatch(
        /DISABLE ROW LEVEL SECURITY|DROP COLUMN|CONCURRENTLY/,
      );
      expect(text(`${made.tag}.sql`)).toMatch(/RENAME COLUMN "gone" TO "underpin_parked_gone"/);
      expect(JSON.stringify(made.plan)).toMatch(/CREATE INDEX CONCURRENTLY/);
      expect(kit("check", "--config=drizzle.config.mjs")).toContain("Everything's fine");
    }, 60_000);

    it("is applied by drizzle's own migrator, and taken back by its down", async () => {
      await using client = new PGlite();
      await drizzleMigrate(drizzle({ client }), { migrationsFolder: folder });
      expect(await verify(client, after)).toEqual([]);
      await client.exec(`BEGIN; ${text(`${made.tag}.down.sql`)} COMMIT`);
      const left = await verify(client, before);
      expect(left.filter(({ check }) => check !== "type-labels")).toEqual([]);
    }, 120_000);

    it("is applied by ours, as a plan", async () => {
      await using client = new PGlite();
      const report = await migrate(client, { folder });
      expect(report.outcome).toBe("applied");
      expect(await verify(client, after)).toEqual([]);
    }, 120_000);
  });
});
