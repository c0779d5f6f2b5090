import { bigint, pgSchema, primaryKey, text, timestamp } from "drizzle-orm/pg-core";
import type postgres from "postgres";
import { defineDatabase } from "../src/definition/define-database.ts";
import { planInstall } from "../src/install/plan-install.ts";
import { maintain } from "../src/partitioning/maintenance/maintain.ts";
import { partitionBy, range } from "../src/partitioning/partition-by.ts";
import { provision } from "../src/partitioning/provision.ts";
import { apply } from "../src/run/apply.ts";
import type { Report } from "../src/run/report.ts";
import { literal } from "../src/sql/quote.ts";

/** Two tables with the same columns and key, one ours and one of pg_partman. */
export interface Pair {
  readonly ours: {
    readonly name: string;
    create(from: Date, until: Date): Promise<void>;
    maintain(options: { readonly premake: number; readonly retain?: string }): Promise<void>;
  };
  readonly theirs: {
    readonly name: string;
    create(from: Date, premake: number): Promise<void>;
    /** Sets columns of its configuration. */
    set(settings: string): Promise<void>;
    maintain(): Promise<void>;
    drain(): Promise<void>;
  };
  /** Runs a statement on each. */
  both(statement: (table: string) => string): Promise<void>;
  /** Throws where they do not have as many partitions, the default one besides. */
  mustBeEqual(count: number, more?: number): Promise<void>;
}

/** Of the extension, which it creates; undefined where this server has none. */
export async function partmanVersion(sql: postgres.Sql): Promise<string | undefined> {
  const available = await sql`SELECT FROM pg_available_extensions WHERE name = 'pg_partman'`;
  if (available.length === 0) return undefined;
  await sql.unsafe("CREATE SCHEMA partman; CREATE EXTENSION pg_partman SCHEMA partman");
  const [row] = await sql<{ version: string }[]>`
    SELECT extversion AS version FROM pg_extension WHERE extname = 'pg_partman'`;
  return row?.version;
}

/** Makes both tables, without partitions. */
export async function installPair(
  sql: postgres.Sql,
  name: string,
  { premake }: { readonly premake: number },
): Promise<Pair> {
  const space = pgSchema(`bench_${name}`);
  const table = space.table(
    "ours",
    {
      at: timestamp("at", { withTimezone: true }).notNull(),
      n: bigint("n", { mode: "number" }).notNull(),
      value: text("value").notNull(),
    },
    (t) => [primaryKey({ name: "ours_pk", columns: [t.at, t.n] })],
  );
  const schemeOf = (options: { readonly premake: number; readonly retain?: string }) =>
    partitionBy(table, range(table.at, { every: "1 day", default: true, ...options }));
  const scheme = schemeOf({ premake });
  const definition = defineDatabase({ name, tables: { space, table }, partitions: [scheme] });
  mustBeApplied(await apply(sql, planInstall(definition)));
  const [ours, theirs] = [`bench_${name}.ours`, `bench_${name}.theirs`];
  await sql.unsafe(`CREATE TABLE ${theirs} (LIKE ${ours} INCLUDING ALL) PARTITION BY RANGE (at)`);
  const version = await partmanMajor(sql);
  const partitions = async (of: string) => {
    const [row] = await sql<{ count: number }[]>`
      SELECT count(*)::int AS count FROM pg_inherits WHERE inhparent = ${of}::regclass`;
    return (row?.count ?? 0) - 1;
  };
  return {
    ours: {
      name: ours,
      create: async (from, until) =>
        mustBeApplied(await provision(sql, scheme, {}, { from, until })),
      maintain: async (options) =>
        mustBeApplied(
          await maintain(sql, [schemeOf(options)], { graceDays: 0, archive: { kind: "none" } }),
        ),
    },
    theirs: {
      name: theirs,
      create: async (from, count) => {
        await sql.unsafe(`SELECT partman.create_parent(p_parent_table := ${literal(theirs)}, p_control := 'at',
          p_type := ${literal(version < 5 ? "native" : "range")}, p_interval := ${literal(version < 5 ? "daily" : "1 day")},
          p_premake := ${count}, p_start_partition := ${literal(from.toISOString())})`);
      },
      set: async (settings) => {
        await sql.unsafe(
          `UPDATE partman.part_config SET ${settings} WHERE parent_table = ${literal(theirs)}`,
        );
      },
      maintain: async () => {
        await sql.unsafe(`SELECT partman.run_maintenance(${literal(theirs)})`);
      },
      drain: async () => {
        await sql.unsafe(
          `CALL partman.partition_data_proc(p_parent_table := ${literal(theirs)}, p_wait := 0, p_quiet := true)`,
        );
      },
    },
    both: async (statement) => {
      await sql.unsafe(statement(ours));
      await sql.unsafe(statement(theirs));
    },
    mustBeEqual: async (count, more = 0) => {
      const found = [await partitions(ours), await partitions(theirs)];
      if (found.some((each) => each < count || each > count + more))
        throw new Error(`there are ${found.join(" and ")} partitions, not ${count}`);
    },
  };
}

async function partmanMajor(sql: postgres.Sql): Promise<number> {
  const [row] = await sql<{ major: number }[]>`
    SELECT split_part(extversion, '.', 1)::int AS major FROM pg_extension WHERE extname = 'pg_partman'`;
  return row?.major ?? 0;
}

function mustBeApplied({ outcome, failure }: Report): void {
  if (outcome !== "applied") throw new Error(JSON.stringify(failure ?? outcome));
}
