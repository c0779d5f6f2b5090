import { bigint, numeric, pgSchema, primaryKey, text, timestamp } from "drizzle-orm/pg-core";
import postgres from "postgres";
import { defineDatabase } from "../src/definition/define-database.ts";
import { planInstall } from "../src/install/plan-install.ts";
import { list, partitionBy, range } from "../src/partitioning/partition-by.ts";
import { apply } from "../src/run/apply.ts";
import type { Bench } from "./bench.ts";
import { figure, type Figure } from "./figure.ts";
import { measure } from "./measure.ts";
import { lockSetting } from "./observation-leaves.ts";
import { planningAsPartitionsGrow } from "./partition-planning.ts";

/** `UNDERPIN_BENCH_ROWS` makes it smaller; a leaf has two thousand rows all the same. */
const ROWS = Number(process.env["UNDERPIN_BENCH_ROWS"] ?? 10_000_000);
const SITES = 4;
const PROGRAMS = Math.min(100, Math.max(5, Math.round(ROWS / 100_000)));
/** Rows of one statement of the load: half a month of all sites. */
const SLICE = 500_000;

const space = pgSchema("bench");
const observations = space.table(
  "observations",
  {
    programId: text("program_id").notNull(),
    siteId: text("site_id").notNull(),
    createdAt: timestamp("created_at", { withTimezone: true }).notNull(),
    observationId: bigint("observation_id", { mode: "number" }).notNull(),
    growthIndex: numeric("growth_index", { precision: 5, scale: 2 }).notNull(),
  },
  (t) => [
    primaryKey({
      name: "observations_pk",
      columns: [t.programId, t.siteId, t.createdAt, t.observationId],
    }),
  ],
);
const scheme = partitionBy(
  observations,
  list(observations.programId, { label: "prog" }),
  list(observations.siteId),
  range(observations.createdAt, { every: "1 month" }),
  { prefix: "obs" },
);

const MONTH = `created_at >= '2025-06-01 00:00+00' AND created_at < '2025-07-01 00:00+00'`;
const PROGRAM = "program_id = 'p3'";
const SITE = `${PROGRAM} AND site_id = 'p3s2'`;

interface Filter {
  readonly what: string;
  readonly where: string;
  /** How many times faster than without partitions and with a primary key alone it is to be. */
  readonly atLeast?: number;
}

const FILTERS: readonly Filter[] = [
  { what: "one program", where: PROGRAM, atLeast: 50 },
  {
    what: "one site since March",
    where: `${SITE} AND created_at >= '2025-03-01 00:00+00'`,
    atLeast: 100,
  },
  { what: "one program in one month", where: `${PROGRAM} AND ${MONTH}`, atLeast: 50 },
  { what: "one site in one month", where: `${SITE} AND ${MONTH}`, atLeast: 100 },
  { what: "one month of all programs", where: MONTH },
];

/** What partitions by other columns take away: it visits every leaf, where a plain table has its key. */
const BY_ID: Filter = { what: "one row by its id alone", where: "observation_id = 4321" };

/** What partitions are held against: a plain table with the same rows, and indexes for just these queries. */
const OTHERS = [
  { name: "a primary key alone", indexes: "", filters: [...FILTERS, BY_ID], targets: true },
  {
    name: "an index on (program, site, time)",
    indexes: "CREATE INDEX plain_best ON bench.plain (program_id, site_id, created_at)",
    filters: FILTERS,
    targets: false,
  },
  {
    name: "that index with what is asked for, and one on time",
    indexes: `DROP INDEX bench.plain_best;
      CREATE INDEX plain_covering ON bench.plain (program_id, site_id, created_at) INCLUDE (growth_index);
      CREATE INDEX plain_time ON bench.plain (created_at)`,
    filters: FILTERS,
    targets: false,
  },
] as const;

/** A query that visits 10,000 leaves does not fit the default. */
export const settings = { max_locks_per_transaction: "256" };

/**
 * What partitions by program, site and month give a table of ten million rows, and what they cost the planner.
 *
 * Rows come in order of time, of all sites by turns, as they do where many sites write: without partitions the rows of one site
 * lie all over the table.
 */
export const bench: Bench = async ({ url, say, major }) => {
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  try {
    await load(sql, say);
    const figures: Figure[] = [];
    for (const { name, indexes, filters, targets } of OTHERS) {
      if (indexes !== "") await sql.unsafe(indexes);
      // Index-only scans need the visibility map.
      await sql.unsafe("VACUUM ANALYZE bench.plain");
      for (const { what, where, atLeast } of filters) {
        say(`${what}, against ${name}`);
        const taken = await compare(sql, where);
        const target =
          targets && atLeast !== undefined ? ({ of: "ratio", atLeast } as const) : undefined;
        figures.push(
          figure({
            what: `${what}, against ${name}`,
            ...taken,
            ...(target === undefined ? {} : { target }),
          }),
        );
      }
    }
    const sizes = await bytes(sql);
    say("planning");
    return [
      ...figures,
      figure({ what: "table, against one without partitions", ...sizes.table, unit: "MB" }),
      figure({
        what: "indexes, against the primary key and the last two",
        ...sizes.indexes,
        unit: "MB",
      }),
      figure({
        what: "max_locks_per_transaction of this server",
        ours: await lockSetting(sql),
        unit: "",
      }),
      ...(await planningAsPartitionsGrow(url, {
        most: ROWS < 1_000_000 ? 1_000 : 10_000,
        major,
        say,
      })),
    ];
  } finally {
    await sql.end();
  }
};

/** The same aggregate of both, planned each time, as a query with literals is. */
async function compare(sql: postgres.Sql, where: string) {
  const of = (table: string) => () =>
    sql.unsafe(`SELECT count(*), avg(growth_index) FROM bench.${table} WHERE ${where}`);
  const [ours, theirs] = [of("observations"), of("plain")];
  const [one, two] = [JSON.stringify(await ours()), JSON.stringify(await theirs())];
  if (one !== two || one.includes('"count":"0"'))
    throw new Error(`the sides differ: ${one} and ${two}`);
  return measure({ ours, theirs }, { rounds: 9, warmUp: 2 });
}

/** From the catalog's pages, as VACUUM noted them. */
async function bytes(sql: postgres.Sql) {
  const rows = await sql<{ kind: "table" | "indexes"; ours: number; theirs: number }[]>`
    SELECT CASE c.relkind WHEN 'r' THEN 'table' ELSE 'indexes' END AS kind,
      coalesce(sum(c.relpages) FILTER (WHERE starts_with(c.relname, 'obs')), 0) / 128.0::float8 AS ours,
      coalesce(sum(c.relpages) FILTER (WHERE starts_with(c.relname, 'plain')), 0) / 128.0::float8 AS theirs
    FROM pg_class AS c WHERE c.relnamespace = 'bench'::regnamespace AND c.relkind IN ('r', 'i') GROUP BY 1`;
  const of = (kind: "table" | "indexes") => {
    const row = rows.find((each) => each.kind === kind);
    return { ours: row?.ours ?? 0, theirs: row?.theirs ?? 0 };
  };
  return { table: of("table"), indexes: of("indexes") };
}

async function load(sql: postgres.Sql, say: (line: string) => void): Promise<void> {
  const definition = defineDatabase({
    name: "bench",
    tables: { space, observations },
    partitions: [scheme],
  });
  const { outcome, failure } = await apply(sql, planInstall(definition));
  if (outcome !== "applied") throw new Error(JSON.stringify(failure));
  say(`${PROGRAMS * SITES * 12} leaves`);
  for (let program = 0; program < PROGRAMS; program += 1)
    for (let site = 0; site < SITES; site += 1)
      await sql`SELECT bench.provision_observations(${`p${program}`}, ${`p${program}s${site}`}, '2025-01-01 00:00+00', '2025-12-31 00:00+00')`;
  await sql.unsafe("CREATE TABLE bench.plain (LIKE bench.observations INCLUDING DEFAULTS)");
  const sites = PROGRAMS * SITES;
  for (let from = 0; from < ROWS; from += SLICE) {
    const until = Math.min(from + SLICE, ROWS);
    say(`rows ${from} to ${until}`);
    await sql.unsafe(`
      INSERT INTO bench.plain
      SELECT 'p' || n % ${sites} / ${SITES}, 'p' || n % ${sites} / ${SITES} || 's' || n % ${SITES},
        '2025-01-01 00:00+00'::timestamptz + n * (interval '365 days' / ${ROWS}), n, n * 7919 % 10000 / 100.0
      FROM generate_series(${from}::bigint, ${until - 1}) AS n`);
    await sql.unsafe(
      `INSERT INTO bench.observations SELECT * FROM bench.plain WHERE observation_id >= ${from}`,
    );
  }
  say("its key, and statistics");
  await sql.unsafe("ALTER TABLE bench.plain ADD PRIMARY KEY (observation_id)");
  await sql.unsafe("VACUUM ANALYZE bench.observations");
}
