import { drizzle } from "drizzle-orm/pglite";
import { migrate as drizzleMigrate } from "drizzle-orm/pglite/migrator";
import { drizzle as drizzleJs } from "drizzle-orm/postgres-js";
import { migrate as drizzleMigrateJs } from "drizzle-orm/postgres-js/migrator";
import type { PGlite } from "@electric-sql/pglite";
import { readdirSync } from "node:fs";
import { beforeEach, expect, it } from "vitest";
import { baseline } from "../../src/migrations/baseline.ts";
import { migrateFleet } from "../../src/migrations/fleet.ts";
import { migrate } from "../../src/migrations/migrate.ts";
import { rollback } from "../../src/migrations/rollback.ts";
import { squash } from "../../src/migrations/squash.ts";
import { status } from "../../src/migrations/status.ts";
import { onEngines, onServers, type TestServer } from "../support/server.ts";
import { drizzleFiles, useFolders, writeFiles } from "./runner-fixture.ts";

const folderOf = useFolders();

const FIRST = { "0000_users": "CREATE TABLE users (id int PRIMARY KEY, email text);" };

const CLEAN =
  "DROP SCHEMA IF EXISTS underpin CASCADE; DROP SCHEMA IF EXISTS drizzle CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public; DROP SCHEMA IF EXISTS acme CASCADE; DROP SCHEMA IF EXISTS globex CASCADE";

onEngines("what drizzle-orm's own migrator is asked for", (engine) => {
  const db = () => engine.executor();
  const plain = async (folder: string): Promise<void> => {
    const options = { migrationsFolder: folder };
    if (engine.server === undefined) await drizzleMigrate(drizzle(engine.db() as PGlite), options);
    else await drizzleMigrateJs(drizzleJs(engine.server.sql()), options);
  };
  const isThere = async (relation: string) => {
    const [row] = await db().query<{ there: boolean }>(
      "SELECT pg_catalog.to_regclass($1) IS NOT NULL AS there",
      [relation],
    );
    return row?.there === true;
  };
  beforeEach(() => db().query(CLEAN));

  it("#2352: takes migrations back", async () => {
    const folder = folderOf(drizzleFiles(FIRST, { "0000_users.down.sql": "DROP TABLE users;" }));
    await plain(folder);
    expect(Object.keys(await import("drizzle-orm/pglite/migrator"))).toEqual(["migrate"]);
    // It takes over what plain drizzle applied, and knows the way back from the folder.
    expect(await migrate(db(), { folder })).toMatchObject({ outcome: "applied", applied: [] });
    expect(await rollback(db(), { folder })).toMatchObject({ takenBack: ["0000_users"] });
    expect(await isThere("users")).toBe(false);
  });

  it("#860: runs CREATE INDEX CONCURRENTLY", async () => {
    const files = drizzleFiles({
      ...FIRST,
      "0001_index":
        'ALTER TABLE users ADD COLUMN name text;--> statement-breakpoint\nCREATE INDEX CONCURRENTLY "by_email" ON "users" ("email");',
    });
    await expect(plain(folderOf(files))).rejects.toMatchObject({
      cause: { message: expect.stringContaining("transaction block") as string },
    });
    await db().query(CLEAN);
    expect(await migrate(db(), { folder: folderOf(files) })).toMatchObject({
      outcome: "applied",
      applied: ["0000_users", "0001_index"],
    });
    expect(await isThere("by_email")).toBe(true);
  });

  it("#3466: uses an enum value in the migration after the one that added it", async () => {
    const files = drizzleFiles({
      "0000_kinds": "CREATE TYPE kind AS ENUM ('a'); CREATE TABLE things (kind kind);",
      "0001_value": "ALTER TYPE kind ADD VALUE 'b';",
      "0002_use": "INSERT INTO things VALUES ('b');",
    });
    const folder = folderOf(
      drizzleFiles({
        "0000_kinds": "CREATE TYPE kind AS ENUM ('a');",
        "0001_table": "CREATE TABLE things (kind kind);",
      }),
    );
    await plain(folder);
    writeFiles(
      folder,
      drizzleFiles({
        "0000_kinds": "CREATE TYPE kind AS ENUM ('a');",
        "0001_table": "CREATE TABLE things (kind kind);",
        "0002_value": "ALTER TYPE kind ADD VALUE 'b';",
        "0003_use": "INSERT INTO things VALUES ('b');",
      }),
    );
    await expect(plain(folder)).rejects.toMatchObject({
      cause: { message: expect.stringContaining("unsafe use of new value") as string },
    });
    await db().query(CLEAN);
    await db().query("DROP TYPE IF EXISTS kind");
    expect(await migrate(db(), { folder: folderOf(files) })).toMatchObject({ outcome: "applied" });
    expect(await db().query("SELECT kind::text FROM things")).toEqual([{ kind: "b" }]);
  });

  it("#5769: does not skip what a branch brought in with an older date", async () => {
    const folder = folderOf(drizzleFiles(FIRST));
    await plain(folder);
    const journal = {
      version: "7",
      dialect: "postgresql",
      entries: [
        { idx: 0, when: 1_700_000_000_000, tag: "0000_users" },
        { idx: 1, when: 1_600_000_000_000, tag: "0001_branch" },
      ],
    };
    writeFiles(folder, {
      "meta/_journal.json": JSON.stringify(journal),
      "0001_branch.sql": "CREATE TABLE branch (id int);",
    });
    await plain(folder);
    expect(await isThere("branch")).toBe(false);
    const report = await migrate(db(), { folder });
    expect(report).toMatchObject({ outcome: "applied", applied: ["0001_branch"] });
    expect(report.findings).toMatchObject([{ check: "journal-moment", severity: "warning" }]);
    expect(await isThere("branch")).toBe(true);
  });

  it("#6191: marks a migration as applied", async () => {
    await db().query("CREATE TABLE users (id int PRIMARY KEY, email text)");
    const folder = folderOf(drizzleFiles({ ...FIRST, "0001_more": "CREATE TABLE more (id int);" }));
    await expect(plain(folder)).rejects.toMatchObject({
      cause: { message: expect.stringContaining("already exists") as string },
    });
    await baseline(db(), { folder, version: "0000" });
    expect(await migrate(db(), { folder })).toMatchObject({ applied: ["0001_more"] });
  });

  it("#4897: squashes a prefix of the folder into one, which both old and new databases take", async () => {
    const snapshot = (id: string, prevId: string) => JSON.stringify({ id, prevId, version: "7" });
    const snapshots = {
      "meta/0000_snapshot.json": snapshot("a", "00000000-0000-0000-0000-000000000000"),
      "meta/0001_snapshot.json": snapshot("b", "a"),
      "meta/0002_snapshot.json": snapshot("c", "b"),
    };
    const folder = folderOf(
      drizzleFiles(
        {
          ...FIRST,
          "0001_index": "CREATE INDEX CONCURRENTLY by_email ON users (email);",
          "0002_rows": "INSERT INTO users VALUES (1, 'a@b.c');",
        },
        {
          ...snapshots,
          "0000_users.down.sql": "DROP TABLE users;",
          "0001_index.down.sql": "DROP INDEX by_email;",
        },
      ),
    );
    await migrate(db(), { folder });
    const { version, squashed, removed } = await squash({ folder, through: "0001" });
    expect(version).toBe("0001_squash");
    expect(squashed).toEqual(["0000_users", "0001_index"]);
    expect(removed).toContain("0000_users.down.sql");
    expect(readdirSync(folder)).toEqual([
      "0001_squash.down.sql",
      "0001_squash.sql",
      "0002_rows.sql",
      "meta",
    ]);
    // Here all of its parts are applied.
    expect(await migrate(db(), { folder })).toMatchObject({ outcome: "applied", applied: [] });
    const { applied, findings } = await status(db(), { folder });
    expect(findings).toEqual([]);
    expect(applied.filter(({ partOf }) => partOf === null).map((row) => row.version)).toEqual([
      "0001_squash",
      "0002_rows",
    ]);
    await db().query(CLEAN);
    expect(await migrate(db(), { folder })).toMatchObject({
      applied: ["0001_squash", "0002_rows"],
    });
    expect(await isThere("by_email")).toBe(true);
  });

  it("#908: applies one folder to the schemas of tenants, each with its own state", async () => {
    const folder = folderOf(
      drizzleFiles({
        ...FIRST,
        "0001_posts":
          'CREATE TABLE "posts" (id int PRIMARY KEY, author int);--> statement-breakpoint\nALTER TABLE "posts" ADD CONSTRAINT "by_author" FOREIGN KEY ("author") REFERENCES "public"."users"("id");--> statement-breakpoint\nCREATE INDEX CONCURRENTLY "posts_by_author" ON "posts" ("author");',
      }),
    );
    const targets = ["acme", "globex", 'we"ird Schema'].map((schema) => ({
      name: schema,
      db: db(),
      tenant: { schema },
    }));
    await db().query(`DROP SCHEMA IF EXISTS "we""ird Schema" CASCADE`);
    const report = await migrateFleet(targets, { folder, createSchemas: true });
    expect(report).toMatchObject({ outcome: "applied", notBegun: [] });
    for (const schema of ["acme", "globex", '"we""ird Schema"']) {
      expect(await isThere(`${schema}.posts_by_author`)).toBe(true);
      const [key] = await db().query<{ referenced: string }>(
        `SELECT confrelid::regclass::text AS referenced FROM pg_catalog.pg_constraint
         WHERE conname = 'by_author' AND conrelid = '${schema}.posts'::regclass`,
      );
      expect(key?.referenced).toBe(`${schema}.users`);
    }
    expect(await isThere("public.users")).toBe(false);
    // Plain drizzle has one ledger for all: the second schema gets nothing.
    expect(await migrate(db(), { folder, tenant: { schema: "acme" } })).toMatchObject({
      applied: [],
    });
  });
});

onServers("what drizzle-orm's own migrator is asked for of many processes", (server) => {
  it("#874: several migrators at once run a data migration once", async () => {
    const first = { "0000_counts": "CREATE TABLE counts (n int);" };
    const folder = folderOf(drizzleFiles(first));
    const both = drizzleFiles({ ...first, "0001_row": "INSERT INTO counts VALUES (1);" });
    /** Four begin while the table is locked, so that all of them are under way before the first one can end. */
    const four = async <T>(work: () => Promise<T>) => {
      const release = await lockTable(server);
      const all = Array.from({ length: 4 }, work);
      await until(server, "relation", 1);
      await new Promise((done) => setTimeout(done, 500));
      await release();
      return Promise.all(all);
    };
    const rows = async () => Number((await server.sql()`select n from counts`).length);

    const options = { migrationsFolder: folder };
    await drizzleMigrateJs(drizzleJs(server.sql()), options);
    writeFiles(folder, both);
    await four(() => drizzleMigrateJs(drizzleJs(server.connect({ max: 2 })), options));
    expect(await rows()).toBe(4);

    await server.sql().unsafe(CLEAN);
    const own = folderOf(drizzleFiles(first));
    await migrate(server.sql(), { folder: own });
    writeFiles(own, both);
    const ended = await four(() => migrate(server.connect({ max: 3 }), { folder: own }));
    expect(ended.map(({ outcome }) => outcome)).toEqual(Array(4).fill("applied"));
    expect(ended.filter(({ ranHere }) => ranHere)).toHaveLength(1);
    expect(await rows()).toBe(1);
  });

  it("#874: several migrators at once on an empty database all end well, and one of them works", async () => {
    await server.sql().unsafe(CLEAN);
    const folder = folderOf(
      drizzleFiles({
        "0000_counts": "CREATE TABLE counts (n int);",
        "0001_row": "INSERT INTO counts VALUES (1);",
      }),
    );
    const ended = await Promise.all(
      Array.from({ length: 4 }, () => migrate(server.connect({ max: 3 }), { folder })),
    );
    expect(ended.map(({ outcome }) => outcome)).toEqual(Array(4).fill("applied"));
    expect(ended.filter(({ ranHere }) => ranHere)).toHaveLength(1);
    expect(await server.sql()`select n from counts`).toHaveLength(1);
  });
});

/** Holds the table against every writer until the returned function is called. */
async function lockTable(server: TestServer): Promise<() => Promise<void>> {
  const held = await server.connect({ max: 1 }).reserve();
  await held`begin`;
  await held`lock table counts in share mode`;
  return async () => {
    await held`commit`;
    held.release();
  };
}

/** Waits until so many sessions wait for a lock of this kind. */
async function until(server: TestServer, kind: string, count: number): Promise<void> {
  for (;;) {
    const waiting = await server.sql()`
      select pid from pg_catalog.pg_locks where not granted and locktype = ${kind}`;
    if (waiting.length >= count) return;
    await new Promise((done) => setTimeout(done, 20));
  }
}
