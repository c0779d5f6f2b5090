import postgres from "postgres";
import { literal } from "../src/sql/quote.ts";
import type { Bench } from "./bench.ts";
import { figure, type Figure } from "./figure.ts";
import { measure, sample } from "./measure.ts";
import { installPair, partmanVersion, type Pair } from "./partman-tables.ts";
import { besideTraffic, type Statements, type Traffic } from "./partman-traffic.ts";

/** `UNDERPIN_BENCH_ROWS` makes it smaller. */
const ROWS = Number(process.env["UNDERPIN_BENCH_ROWS"] ?? 1_000_000);
const ROUNDS = 3;
/** Of a drain that fails. */
const TRIES = 20;
const FAILED = `  how often it failed and was called again, at most ${TRIES} times`;
const DAY_MS = 24 * 60 * 60 * 1000;

const NOT_INSTALLED = `pg_partman is not installed: apt-get install postgresql-15-partman, and then
  pg_virtualenv -v 15 -o fsync=off -o shared_buffers=512MB sh -c 'npm run bench -- partman --server "postgres://$PGUSER:$PGPASSWORD@$PGHOST:$PGPORT/postgres"'`;

/** Daily partitions with a default one, by us and by pg_partman: making them, making more, dropping old ones, and emptying the default. */
export const bench: Bench = async ({ url, say }) => {
  const sql = connect(url, 4);
  try {
    const version = await partmanVersion(sql);
    if (version === undefined) {
      say(NOT_INSTALLED);
      return [];
    }
    say(`pg_partman ${version}`);
    // Its clock is the server's alone: so all days count from today.
    const [row] = await sql<{ today: Date }[]>`SELECT date_trunc('day', now()) AS today`;
    const day = (offset: number) => new Date((row?.today.getTime() ?? 0) + offset * DAY_MS);
    return [
      ...(await creation(sql, say, version, day)),
      ...(await retention(url, sql, say, day)),
      ...(await drain(url, sql, say, day)),
      ...(await drainOfComing(url, sql, say, day)),
    ];
  } finally {
    await sql.end();
  }
};

type Day = (offset: number) => Date;
type Say = (line: string) => void;

function connect(url: string, max: number): postgres.Sql {
  return postgres(url, { max, onnotice: () => undefined, connection: { TimeZone: "UTC" } });
}

async function creation(
  sql: postgres.Sql,
  say: Say,
  version: string,
  day: Day,
): Promise<readonly Figure[]> {
  const [made, more] = [emptyTimes(), emptyTimes()];
  let last: Pair | undefined;
  for (let round = 0; round < ROUNDS; round += 1) {
    say(`creation, round ${round + 1}`);
    const pair = await installPair(sql, `created_${round}`, { premake: 30 });
    made.ours.push(await timed(() => pair.ours.create(day(0), day(30))));
    made.theirs.push(await timed(() => pair.theirs.create(day(0), 30)));
    await pair.mustBeEqual(31);
    // It makes no more than it has rows for, unless there are rows.
    await pair.both((table) => `INSERT INTO ${table} VALUES (now(), 1, 'x')`);
    await pair.theirs.set("premake = 40");
    more.ours.push(await timed(() => pair.ours.maintain({ premake: 40 })));
    more.theirs.push(await timed(() => pair.theirs.maintain()));
    await pair.mustBeEqual(41);
    last = pair;
  }
  if (last === undefined) throw new Error("there was no round");
  const { ours, theirs } = last;
  const idle = await measure({
    ours: () => ours.maintain({ premake: 40 }),
    theirs: () => theirs.maintain(),
  });
  return [
    figure({
      what: `31 partitions for a new table (against pg_partman ${version})`,
      ours: sample(made.ours),
      theirs: sample(made.theirs),
    }),
    figure({
      what: "10 more by maintenance",
      ours: sample(more.ours),
      theirs: sample(more.theirs),
    }),
    figure({ what: "maintenance with nothing to do", ...idle }),
  ];
}

/** Thirty of sixty old days leave, with their rows, while a writer goes on with today. */
async function retention(url: string, sql: postgres.Sql, say: Say, day: Day) {
  const pair = await installPair(sql, "retained", { premake: 4 });
  await pair.ours.create(day(-60), day(4));
  await pair.theirs.create(day(-60), 4);
  await pair.mustBeEqual(65);
  await pair.both(
    (table) =>
      `INSERT INTO ${table} SELECT ${literal(day(-60).toISOString())}::timestamptz + n * interval '1 minute', n, 'x' FROM generate_series(1, 60 * 1440) AS n`,
  );
  await pair.theirs.set("retention = '30 days', retention_keep_table = false");
  const write = (table: string) => ({
    insert: (n: number) => `INSERT INTO ${table} VALUES (now(), ${n + 1_000_000}, 'x')`,
    read: `SELECT count(*)::int AS rows FROM ${table} WHERE at >= ${literal(day(0).toISOString())} AND n < 1000000`,
  });
  say("retention");
  const ours = await besideTraffic(
    () => connect(url, 1),
    write(pair.ours.name),
    () => pair.ours.maintain({ premake: 4, retain: "30 days" }),
  );
  const theirs = await besideTraffic(
    () => connect(url, 1),
    write(pair.theirs.name),
    () => pair.theirs.maintain(),
  );
  // Both keep the day in which the thirty days end.
  await pair.mustBeEqual(35, 1);
  return waitFigures("30 old partitions dropped", ours, theirs);
}

/** Rows of ten days lie in the default partition; one writer adds rows of today, and one changes rows of those days. */
async function drain(url: string, sql: postgres.Sql, say: Say, day: Day) {
  const { pair, at } = await filledDefault(sql, "drained", day, ROWS);
  say(`drain of ${ROWS} rows`);
  const traffic = (table: string) => ({
    insert: (n: number) => `INSERT INTO ${table} VALUES (now(), ${ROWS + n}, 'new')`,
    update: (n: number) => {
      const changed = (n * 104_729) % ROWS;
      return `UPDATE ${table} SET value = value || '+' WHERE at = ${at(changed)} AND n = ${changed}`;
    },
    read: `SELECT count(*)::int AS rows FROM ${table} WHERE n < ${ROWS}`,
  });
  const { ours, theirs, failures } = await drainBoth(url, pair, traffic, say);
  say(
    `beside ours ${ours.writes} writes and ${ours.reads} reads, beside theirs ${theirs.writes} and ${theirs.reads}`,
  );
  const left = await rowsLeft(sql, pair);
  const none = { of: "ours", atMost: 0 } as const;
  return [
    ...waitFigures(`${ROWS.toLocaleString("en-US")} rows drained`, ours, theirs),
    figure({
      what: "  rows that a reader missed, at most",
      ours: ROWS - ours.fewest,
      theirs: ROWS - theirs.fewest,
      unit: "rows",
      target: none,
    }),
    figure({
      what: "  rows that a reader saw twice, at most",
      ours: ours.most - ROWS,
      theirs: theirs.most - ROWS,
      unit: "rows",
      target: none,
    }),
    figure({
      what: "  updates that found no row, or failed",
      ours: ours.lost,
      theirs: theirs.lost,
      unit: "",
      target: none,
    }),
    figure({ what: FAILED, ...failures, unit: "", target: none }),
    figure({ what: "  rows left in the default partition", ...left, unit: "rows", target: none }),
  ];
}

/** The same while rows of those days keep coming. */
async function drainOfComing(url: string, sql: postgres.Sql, say: Say, day: Day) {
  const rows = ROWS / 10;
  const { pair, at } = await filledDefault(sql, "coming", day, rows);
  say(`drain of ${rows} rows while more of the same days come`);
  const { ours, theirs, failures } = await drainBoth(
    url,
    pair,
    (table) => ({
      insert: (n: number) =>
        `INSERT INTO ${table} VALUES (${at((n * 7919) % rows)}, ${rows + n}, 'new')`,
      read: `SELECT count(*)::int AS rows FROM ${table} WHERE n < ${rows}`,
    }),
    say,
  );
  const target = { of: "ours", atMost: 0 } as const;
  return [
    ...waitFigures(
      `${rows.toLocaleString("en-US")} rows drained while others of their days come`,
      ours,
      theirs,
    ),
    figure({ what: FAILED, ...failures, unit: "", target }),
    figure({
      what: "  rows left in the default partition",
      ...(await rowsLeft(sql, pair)),
      unit: "rows",
      target,
    }),
  ];
}

/** Drains each beside its traffic. What fails is called again, as a person would. */
async function drainBoth(
  url: string,
  pair: Pair,
  traffic: (table: string) => Statements,
  say: Say,
) {
  const failures = { ours: 0, theirs: 0 };
  const drained = (side: keyof typeof failures, work: () => Promise<void>) =>
    besideTraffic(
      () => connect(url, 1),
      traffic(pair[side].name),
      async () => {
        while (failures[side] < TRIES)
          try {
            return await work();
          } catch (error) {
            const [message = ""] = (error as Error).message.split("\n");
            if (failures[side] === 0) say(`${side} failed: ${message}`);
            failures[side] += 1;
          }
      },
    );
  const ours = await drained("ours", () => pair.ours.maintain({ premake: 4 }));
  const theirs = await drained("theirs", () => pair.theirs.drain());
  return { ours, theirs, failures };
}

/** Both tables with partitions from today on, and rows of the ten days before in their default partitions. */
async function filledDefault(sql: postgres.Sql, name: string, day: Day, rows: number) {
  const pair = await installPair(sql, name, { premake: 4 });
  await pair.ours.create(day(0), day(4));
  await pair.theirs.create(day(0), 4);
  const begins = `${literal(day(-10).toISOString())}::timestamptz`;
  const at = (n: number | "n") => `${begins} + ${n} * (interval '10 days' / ${rows})`;
  await pair.both(
    (table) =>
      `INSERT INTO ${table} SELECT ${at("n")}, n, md5(n::text) FROM generate_series(0, ${rows - 1}) AS n`,
  );
  await pair.both((table) => `VACUUM ANALYZE ${table}_default`);
  return { pair, at };
}

async function rowsLeft(sql: postgres.Sql, { ours, theirs }: Pair) {
  const [row] = await sql.unsafe<{ ours: number; theirs: number }[]>(
    `SELECT (SELECT count(*)::int FROM ${ours.name}_default) AS ours, (SELECT count(*)::int FROM ${theirs.name}_default) AS theirs`,
  );
  return { ours: row?.ours ?? 0, theirs: row?.theirs ?? 0 };
}

function waitFigures(what: string, ours: Traffic, theirs: Traffic): readonly Figure[] {
  const pairOf = (key: "tookMs" | "longestWriteMs" | "longestReadMs") => ({
    ours: ours[key],
    theirs: theirs[key],
  });
  return [
    figure({ what, ...pairOf("tookMs") }),
    figure({ what: "  longest wait of a writer", ...pairOf("longestWriteMs") }),
    figure({ what: "  longest wait of a reader", ...pairOf("longestReadMs") }),
  ];
}

function emptyTimes() {
  return { ours: [] as number[], theirs: [] as number[] };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}
