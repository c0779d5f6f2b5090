import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { drizzle } from "drizzle-orm/postgres-js";
import { migrate as drizzleMigrate } from "drizzle-orm/postgres-js/migrator";
import postgres, { type Sql } from "postgres";
import { migrate } from "../src/migrations/migrate.ts";
import type { Bench } from "./bench.ts";
import { figure, type Figure } from "./figure.ts";
import { sample } from "./measure.ts";

const MIGRATIONS = 500;
const ROUNDS = Number(process.env.UNDERPIN_BENCH_ROUNDS ?? 7);

/** One side: what it does with an empty database, and how many migrations its ledger then has. */
interface Side {
  readonly name: string;
  readonly run: () => Promise<unknown>;
  readonly ledger: string;
}

/** 500 migrations onto an empty database, against what others do with the same SQL. */
export const bench: Bench = async ({ url, say }) => {
  const directory = mkdtempSync(join(tmpdir(), "underpin-bench-runner-"));
  const sql = postgres(url, { max: 4, onnotice: () => undefined });
  try {
    const files = migrationFiles();
    const folder = join(directory, "drizzle");
    writeDrizzle(folder, files);
    const ours: Side = {
      name: "underpin",
      run: async () => {
        const report = await migrate(sql, { folder, drizzleLedger: false });
        if (report.applied.length !== MIGRATIONS) throw new Error(JSON.stringify(report.failure));
      },
      ledger: "underpin.schema_migrations",
    };
    const drizzleSide: Side = {
      name: "drizzle-orm's migrator",
      run: () => drizzleMigrate(drizzle(sql), { migrationsFolder: folder }),
      ledger: "drizzle.__drizzle_migrations",
    };
    const others = [
      await nodePgMigrate(directory, files, url, say),
      await graphileMigrate(directory, files, url, say),
    ].filter((side) => side !== undefined);
    const taken = await timed(sql, [ours, drizzleSide, ...others], say);
    const oursTaken = taken.get(ours) ?? [];
    const against = (side: Side, atLeast: number): Figure =>
      figure({
        what: `${MIGRATIONS} migrations onto an empty database, against ${side.name}`,
        ours: sample(oursTaken),
        theirs: sample(taken.get(side) ?? []),
        target: { of: "ratio", atLeast },
      });
    return [against(drizzleSide, 1 / 1.5), ...others.map((side) => against(side, 1))];
  } finally {
    await sql.end();
    rmSync(directory, { recursive: true, force: true });
  }
};

/** By turns, each on a database that was emptied before the clock began; the first round is thrown away. */
async function timed(
  sql: Sql,
  sides: readonly Side[],
  say: (line: string) => void,
): Promise<ReadonlyMap<Side, number[]>> {
  const taken = new Map(sides.map((side) => [side, [] as number[]]));
  for (let round = -1; round < ROUNDS; round++) {
    say(`round ${round + 1} of ${ROUNDS}`);
    for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
      await empty(sql);
      const began = performance.now();
      await side.run();
      const elapsed = performance.now() - began;
      if (round >= 0) taken.get(side)?.push(elapsed);
      await mustBeAll(sql, side);
    }
  }
  return taken;
}

async function empty(sql: Sql): Promise<void> {
  await sql.unsafe(
    `DROP SCHEMA IF EXISTS underpin CASCADE; DROP SCHEMA IF EXISTS drizzle CASCADE;
     DROP SCHEMA IF EXISTS graphile_migrate CASCADE`,
  );
  // A transaction for each table: all of them at once would be more locks than the table has room for.
  const tables = await sql<{ name: string }[]>`
    select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'`;
  for (const { name } of tables) await sql`drop table ${sql(name)} cascade`;
}

/** Both sides do the same: as many tables, and a row in the ledger for each migration. */
async function mustBeAll(sql: Sql, { name, ledger }: Side): Promise<void> {
  const [tables] = await sql`
    select count(*)::int as n from pg_class where relname like 't%' and relkind = 'r'
      and relnamespace = 'public'::regnamespace`;
  const rows = await sql.unsafe(`select 1 from ${ledger}`);
  const wanted = MIGRATIONS / 4;
  if (tables?.["n"] !== wanted || rows.length !== MIGRATIONS)
    throw new Error(`${name}: ${tables?.["n"]} tables, ${rows.length} rows in its ledger`);
}

/** What migrations are made of: of four, one makes a table, and the others a column, an index and a foreign key of it. */
function migrationFiles(): readonly string[] {
  return Array.from({ length: MIGRATIONS }, (_, at) => {
    const table = Math.floor(at / 4);
    switch (at % 4) {
      case 0:
        return `CREATE TABLE "t${table}" (\n\t"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,\n\t"name" text NOT NULL,\n\t"made_at" timestamp with time zone DEFAULT now() NOT NULL\n);\n`;
      case 1:
        return `ALTER TABLE "t${table}" ADD COLUMN "parent_id" bigint;--> statement-breakpoint\nALTER TABLE "t${table}" ADD COLUMN "note" text DEFAULT '' NOT NULL;`;
      case 2:
        return `CREATE INDEX "t${table}_name" ON "t${table}" USING btree ("name");`;
      default:
        return `ALTER TABLE "t${table}" ADD CONSTRAINT "t${table}_parent" FOREIGN KEY ("parent_id") REFERENCES "public"."t${Math.max(0, table - 1)}"("id");`;
    }
  });
}

function tagOf(at: number): string {
  return `${String(at).padStart(4, "0")}_change`;
}

function writeDrizzle(folder: string, files: readonly string[]): void {
  mkdirSync(join(folder, "meta"), { recursive: true });
  const entries = files.map((_, idx) => ({
    idx,
    version: "7",
    when: 1_700_000_000_000 + idx * 1_000,
    tag: tagOf(idx),
    breakpoints: true,
  }));
  writeFileSync(
    join(folder, "meta", "_journal.json"),
    JSON.stringify({ version: "7", dialect: "postgresql", entries }),
  );
  for (const [at, text] of files.entries()) writeFileSync(join(folder, `${tagOf(at)}.sql`), text);
}

/** Where other runners are installed: they are no dependency of this repository. */
const OTHERS = process.env.UNDERPIN_BENCH_OTHERS;

async function load(
  name: string,
  say: (line: string) => void,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  if (OTHERS === undefined) {
    say(`${name}: left out; UNDERPIN_BENCH_OTHERS names no directory where it is installed`);
    return undefined;
  }
  const path = createRequire(join(OTHERS, "package.json")).resolve(name);
  return (await import(pathToFileURL(path).href)) as Readonly<Record<string, unknown>>;
}

type Runner = (options: object) => Promise<unknown>;

async function nodePgMigrate(
  directory: string,
  files: readonly string[],
  url: string,
  say: (line: string) => void,
): Promise<Side | undefined> {
  const loaded = await load("node-pg-migrate", say);
  if (loaded === undefined) return undefined;
  const run = (loaded["runner"] ?? loaded["default"]) as Runner;
  const dir = join(directory, "node-pg-migrate");
  mkdirSync(dir);
  for (const [at, text] of files.entries())
    writeFileSync(join(dir, `${1_700_000_000_000 + at}_change.sql`), text);
  const options = {
    databaseUrl: url,
    dir,
    direction: "up",
    migrationsTable: "pgmigrations",
    log: () => undefined,
    logger: { debug() {}, info() {}, warn() {}, error() {} },
  };
  return { name: "node-pg-migrate", run: () => run(options), ledger: "pgmigrations" };
}

async function graphileMigrate(
  directory: string,
  files: readonly string[],
  url: string,
  say: (line: string) => void,
): Promise<Side | undefined> {
  const loaded = await load("graphile-migrate", say);
  const logging = await load("@graphile/logger", say);
  if (loaded === undefined || logging === undefined) return undefined;
  const run = loaded["migrate"] as Runner;
  const Logger = logging["Logger"] as new (factory: () => () => void) => object;
  const migrationsFolder = join(directory, "graphile-migrate");
  mkdirSync(join(migrationsFolder, "committed"), { recursive: true });
  let previous = "-";
  for (const [at, text] of files.entries()) {
    const body = text.trim();
    const before = previous === "-" ? "" : previous;
    const hash = `sha1:${createHash("sha1")
      .update(`${before}\n${body}`.trim() + "\n")
      .digest("hex")}`;
    writeFileSync(
      join(migrationsFolder, "committed", `${String(at + 1).padStart(6, "0")}.sql`),
      `--! Previous: ${previous}\n--! Hash: ${hash}\n\n${body}\n`,
    );
    previous = hash;
  }
  const settings = {
    connectionString: url,
    shadowConnectionString: `${url}_shadow`,
    migrationsFolder,
    logger: new Logger(() => () => undefined),
  };
  return {
    name: "graphile-migrate",
    run: () => run(settings),
    ledger: "graphile_migrate.migrations",
  };
}
