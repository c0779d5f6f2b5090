// Long because: both conversions are held against each other side, with the same tables, writers and figures.
import { bigint, numeric, pgSchema, primaryKey, text, timestamp } from "drizzle-orm/pg-core";
import postgres from "postgres";
import { readFacts } from "../src/catalog/read-facts.ts";
import { convertPrimaryKey } from "../src/migrations/convert-primary-key.ts";
import { convertToPartitioned } from "../src/partitioning/convert-to-partitioned.ts";
import { list, partitionBy, range } from "../src/partitioning/partition-by.ts";
import type { Plan } from "../src/plan/step.ts";
import { apply } from "../src/run/apply.ts";
import { confirm } from "../src/run/control.ts";
import { DEFAULT_RUN_OPTIONS } from "../src/run/options.ts";
import type { Bench } from "./bench.ts";
import { startApplication, type Met, type Statements } from "./conversion-traffic.ts";
import { figure, type Figure } from "./figure.ts";

/** `UNDERPIN_BENCH_ROWS` makes it smaller. */
const ROWS = Number(process.env["UNDERPIN_BENCH_ROWS"] ?? 3_000_000);
/** `keys`, `copy` or `attach`, several with commas between: those alone. */
const ONLY = process.env["UNDERPIN_BENCH_ONLY"]?.split(",");
const QUIET_MS = 3_000;
const PROGRAMS = 4;
const SITES = 3;
const LEAVES = PROGRAMS * SITES * 12;
const PARENTS = Math.max(10, Math.round(ROWS / 10));

/** As a server in use. */
export const settings = {
  synchronous_commit: "on",
  full_page_writes: "on",
  max_wal_size: "4GB",
  max_locks_per_transaction: "256",
};

type Say = (line: string) => void;

/** One way of a change: how it begins, what it does, and what the application sends meanwhile. */
interface Way {
  readonly name: string;
  readonly setup: string;
  readonly run: (sql: postgres.Sql) => Promise<void>;
  readonly statements: Statements;
}

/** What a way took, and what the application met in quiet before it and while it ran. */
interface Taken {
  readonly ms: number;
  readonly quiet: Met;
  readonly during: Met;
}

/**
 * Both conversions of live tables, against what guides write down for a maintenance window: the same under a lock. The longest
 * wait of who writes single rows meanwhile, how much of its pace is left to an application, and the time beside the least that
 * it can be: the INSERT … SELECT of the same rows into the same partitions with nobody writing.
 */
export const bench: Bench = async ({ url, say }) => {
  const sql = postgres(url, { onnotice: () => undefined });
  const wanted = (name: string) => ONLY === undefined || ONLY.includes(name);
  try {
    say(`${count(ROWS)} rows`);
    const figures: Figure[] = [];
    if (wanted("keys")) figures.push(...(await keys(url, sql, say)));
    if (wanted("copy") || wanted("attach")) {
      const limit = await physicalLimit(sql, say);
      const naive = await take(url, sql, say, lockedCopy());
      if (wanted("copy")) figures.push(...(await copied(url, sql, say, limit, naive)));
      if (wanted("attach")) figures.push(...(await attached(url, sql, say, limit, naive)));
    }
    return figures;
  } finally {
    await sql.end();
  }
};

async function keys(url: string, sql: postgres.Sql, say: Say): Promise<readonly Figure[]> {
  const ours = await take(url, sql, say, {
    name: "integer keys to uuids",
    setup: keyTables(),
    run: async (db) =>
      throughGates(db, convertPrimaryKey({ facts: await factsOf(db), tables: "all", to: "uuid" })),
    statements: keyWrites,
  });
  const naive = await take(url, sql, say, {
    name: "integer keys to uuids under a lock",
    setup: keyTables(),
    run: lockedKeys,
    statements: keyWrites,
  });
  return figuresOf(`integer keys of ${count(ROWS)} rows to uuids`, ours, naive);
}

async function copied(
  url: string,
  sql: postgres.Sql,
  say: Say,
  limit: number,
  naive: Taken,
): Promise<readonly Figure[]> {
  const ours = await take(url, sql, say, partitionsBy("copy"));
  return [
    figure({
      what: `${count(ROWS)} rows copied to ${LEAVES} partitions with writers, against INSERT … SELECT into them without`,
      ...{ ours: ours.ms, theirs: limit, target: { of: "ratio", atLeast: 1 / 1.5 } },
    }),
    ...figuresOf("  the same", ours, naive),
  ];
}

async function attached(
  url: string,
  sql: postgres.Sql,
  say: Say,
  limit: number,
  naive: Taken,
): Promise<readonly Figure[]> {
  const ours = await take(url, sql, say, partitionsBy("attach"));
  return [
    figure({
      what: `${count(ROWS)} rows attached as one partition with writers, against INSERT … SELECT into ${LEAVES} without`,
      ...{ ours: ours.ms, theirs: limit },
    }),
    ...figuresOf("  the same", ours, naive),
  ];
}

function figuresOf(what: string, ours: Taken, naive: Taken): readonly Figure[] {
  const stall = { of: "ours", atMost: DEFAULT_RUN_OPTIONS.lockTimeoutMs } as const;
  const share = ({ quiet, during }: Taken) => (100 * during.rate) / quiet.rate;
  return [
    figure({
      what: `${what}: the longest wait of a writer, against a lock`,
      ours: ours.during.longestMs,
      theirs: naive.during.longestMs,
      target: stall,
    }),
    figure({
      what: "  p99 of the writer, against quiet",
      ours: ours.during.p99Ms,
      theirs: ours.quiet.p99Ms,
      target: { of: "ratio", atLeast: 1 / 2 },
    }),
    figure({ what: "  the whole time, against a lock", ours: ours.ms, theirs: naive.ms }),
    figure({
      what: "  pace lost by the application, against a lock",
      ours: 100 - share(ours),
      theirs: 100 - share(naive),
      unit: "%",
    }),
    figure({
      what: "  statements that failed, against a lock",
      ours: ours.during.failed.length,
      theirs: naive.during.failed.length,
      unit: "statements",
      target: { of: "ours", atMost: 0 },
    }),
  ];
}

async function take(url: string, sql: postgres.Sql, say: Say, way: Way): Promise<Taken> {
  await sql.unsafe(
    `DROP SCHEMA IF EXISTS underpin CASCADE; DROP SCHEMA IF EXISTS bench CASCADE; CREATE SCHEMA bench`,
  );
  await sql.unsafe(way.setup);
  await sql.unsafe("VACUUM ANALYZE");
  await sql.unsafe("CHECKPOINT");
  const application = startApplication(url, way.statements);
  try {
    await rest(500);
    application.take();
    await rest(QUIET_MS);
    const quiet = application.take();
    const began = performance.now();
    await way.run(sql);
    const ms = performance.now() - began;
    const during = application.take();
    say(
      `${way.name}: ${Math.round(ms)} ms; the longest wait ${Math.round(during.longestMs)} ms, p99 ${during.p99Ms.toFixed(1)} ms (in quiet ${quiet.p99Ms.toFixed(1)}), ` +
        `${Math.round(during.rate)} statements a second (${Math.round(quiet.rate)})${during.failed.length === 0 ? "" : `, ${during.failed.length} failed: ${[...new Set(during.failed)].join(", ")}`}`,
    );
    return { ms, quiet, during };
  } finally {
    await application.stop();
  }
}

async function throughGates(sql: postgres.Sql, made: Plan): Promise<void> {
  let report = await apply(sql, made);
  for (const { id } of made.steps.filter(({ kind }) => kind === "gate")) {
    if (report.outcome !== "waiting") break;
    // The application writes by integers to the end.
    if (id === "contract/integers-go") return;
    await confirm(sql, made.name, id);
    report = await apply(sql, made);
  }
  if (report.outcome !== "applied")
    throw new Error(`${made.name} ended ${report.outcome}: ${report.failure?.message}`);
}

function factsOf(sql: postgres.Sql) {
  return readFacts(sql, { schemas: ["bench"] });
}

/** Parents, and ten times as many children, which refer to them. */
function keyTables(): string {
  return `CREATE TABLE bench.parents (id integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, name text NOT NULL);
    CREATE TABLE bench.children (id integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
      parent_id integer NOT NULL REFERENCES bench.parents, payload text NOT NULL, touched integer NOT NULL DEFAULT 0);
    INSERT INTO bench.parents (name) SELECT md5(g::text) FROM generate_series(1, ${PARENTS}) AS g;
    INSERT INTO bench.children (parent_id, payload) SELECT 1 + g % ${PARENTS}, repeat(md5(g::text), 2) FROM generate_series(1, ${ROWS}) AS g;
    CREATE INDEX children_parent_id ON bench.children (parent_id)`;
}

function keyWrites(n: number, worker: number): string {
  const at = spread(n, worker, ROWS);
  return n % 2 === 0
    ? `UPDATE bench.children SET touched = touched + 1 WHERE id = ${at}`
    : `INSERT INTO bench.children (parent_id, payload) VALUES (${1 + (at % PARENTS)}, 'new')`;
}

/** As guides write it: nobody writes meanwhile. The integers stay beside the new keys, as ours leaves them. */
async function lockedKeys(sql: postgres.Sql): Promise<void> {
  await sql.begin((transaction) =>
    transaction.unsafe(`LOCK TABLE bench.parents, bench.children IN ACCESS EXCLUSIVE MODE;
      ALTER TABLE bench.parents ADD COLUMN uuid uuid NOT NULL DEFAULT gen_random_uuid();
      ALTER TABLE bench.children ADD COLUMN uuid uuid NOT NULL DEFAULT gen_random_uuid(), ADD COLUMN parent_uuid uuid;
      UPDATE bench.children AS c SET parent_uuid = p.uuid FROM bench.parents AS p WHERE p.id = c.parent_id;
      ALTER TABLE bench.children ALTER COLUMN parent_uuid SET NOT NULL, DROP CONSTRAINT children_parent_id_fkey, DROP CONSTRAINT children_pkey;
      ALTER TABLE bench.parents DROP CONSTRAINT parents_pkey, ADD PRIMARY KEY (uuid), ADD UNIQUE (id);
      ALTER TABLE bench.children ADD PRIMARY KEY (uuid), ADD UNIQUE (id),
        ADD FOREIGN KEY (parent_uuid) REFERENCES bench.parents (uuid), ADD FOREIGN KEY (parent_id) REFERENCES bench.parents (id);
      CREATE INDEX ON bench.children (parent_uuid)`),
  );
}

const observations = pgSchema("bench").table(
  "observations",
  {
    programId: text("program_id").notNull(),
    siteId: text("site_id").notNull(),
    createdAt: timestamp("created_at", { withTimezone: true }).notNull(),
    observationId: bigint("observation_id", { mode: "number" }).notNull(),
    growthIndex: numeric("growth_index", { precision: 8, scale: 2 }).notNull(),
    note: text("note").notNull(),
  },
  (t) => [
    primaryKey({
      name: "observations_pkey",
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

const COLUMNS =
  "program_id text NOT NULL, site_id text NOT NULL, created_at timestamptz NOT NULL, observation_id bigint NOT NULL, growth_index numeric(8,2) NOT NULL, note text NOT NULL";
const KEY = "PRIMARY KEY (program_id, site_id, created_at, observation_id)";
/** Rows of all sites by turns, in order of time: a year from January 2025. */
const STEP = Math.floor(31_500_000_000 / ROWS);
const AT = `timestamptz '2025-01-01 00:00+00' + interval '1 second' * ((g * ${STEP}::bigint) / 1000)`;

function plainTable(): string {
  return `CREATE TABLE bench.observations (${COLUMNS}, ${KEY});
    INSERT INTO bench.observations SELECT 'p' || g % ${PROGRAMS}, 's' || (g / ${PROGRAMS}) % ${SITES}, ${AT}, g, g % 100, repeat(md5(g::text), 2)
    FROM generate_series(1, ${ROWS}) AS g`;
}

/** The partitions by hand: lists of programs and sites, and the months of one year. */
function partitionsSql(table: string): string {
  return `CREATE TABLE bench.${table} (${COLUMNS}, ${KEY}) PARTITION BY LIST (program_id);
    DO $$ DECLARE p int; s int; m int; BEGIN
      FOR p IN 0..${PROGRAMS - 1} LOOP
        EXECUTE format('CREATE TABLE bench.${table}_%s PARTITION OF bench.${table} FOR VALUES IN (%L) PARTITION BY LIST (site_id)', p, 'p' || p);
        FOR s IN 0..${SITES - 1} LOOP
          EXECUTE format('CREATE TABLE bench.${table}_%s_%s PARTITION OF bench.${table}_%s FOR VALUES IN (%L) PARTITION BY RANGE (created_at)', p, s, p, 's' || s);
          FOR m IN 1..12 LOOP
            EXECUTE format('CREATE TABLE bench.${table}_%s_%s_%s PARTITION OF bench.${table}_%s_%s FOR VALUES FROM (%L) TO (%L)', p, s, m, p, s,
              make_timestamptz(2025, m, 1, 0, 0, 0, 'UTC'), make_timestamptz(2025, m, 1, 0, 0, 0, 'UTC') + interval '1 month');
          END LOOP;
        END LOOP;
      END LOOP;
    END $$`;
}

function partitionWrites(n: number, worker: number): string {
  const g = spread(n, worker, ROWS);
  const at = new Date(Date.UTC(2025, 0, 1) + 1_000 * Math.floor((g * STEP) / 1_000)).toISOString();
  const [program, site] = [`p${g % PROGRAMS}`, `s${Math.floor(g / PROGRAMS) % SITES}`];
  return n % 2 === 0
    ? `UPDATE bench.observations SET growth_index = growth_index + 1
       WHERE program_id = '${program}' AND site_id = '${site}' AND created_at = '${at}' AND observation_id = ${g}`
    : `INSERT INTO bench.observations VALUES ('${program}', '${site}', timestamptz '2025-12-30 00:00+00' + interval '1 ms' * ${n % 80_000_000}, ${10 ** 9 * (worker + 1) + n}, 1, 'new')`;
}

function partitionsBy(strategy: "copy" | "attach"): Way {
  return {
    name: `partitions by ${strategy}`,
    setup: plainTable(),
    run: async (sql) =>
      throughGates(sql, convertToPartitioned({ facts: await factsOf(sql), scheme, strategy })),
    statements: partitionWrites,
  };
}

/** As the window allows it: copied under a lock, then swapped by rename. */
function lockedCopy(): Way {
  return {
    name: "partitions under a lock",
    setup: plainTable(),
    statements: partitionWrites,
    run: async (sql) => {
      await sql.begin((transaction) =>
        transaction.unsafe(`LOCK TABLE bench.observations IN ACCESS EXCLUSIVE MODE;
          SET LOCAL timezone TO 'UTC';
          ${partitionsSql("made")};
          INSERT INTO bench.made SELECT * FROM bench.observations;
          ALTER TABLE bench.observations RENAME TO observations_before;
          ALTER TABLE bench.made RENAME TO observations`),
      );
    },
  };
}

/** Milliseconds of the copy alone: the partitions are there, and nobody writes. */
async function physicalLimit(sql: postgres.Sql, say: Say): Promise<number> {
  await sql.unsafe(`DROP SCHEMA IF EXISTS bench CASCADE; CREATE SCHEMA bench`);
  await sql.unsafe(plainTable());
  await sql.begin((transaction) =>
    transaction.unsafe(`SET LOCAL timezone TO 'UTC'; ${partitionsSql("made")}`),
  );
  await sql.unsafe("VACUUM ANALYZE bench.observations");
  await sql.unsafe("CHECKPOINT");
  const began = performance.now();
  await sql.unsafe("INSERT INTO bench.made SELECT * FROM bench.observations");
  const ms = performance.now() - began;
  say(`INSERT … SELECT into ${LEAVES} partitions, nobody writing: ${Math.round(ms)} ms`);
  return ms;
}

/** All rows by turns, each connection at another place. */
function spread(n: number, worker: number, of: number): number {
  return 1 + ((n * 104_729 + worker * 7_919) % of);
}

function count(rows: number): string {
  return rows.toLocaleString("en-US");
}

function rest(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
