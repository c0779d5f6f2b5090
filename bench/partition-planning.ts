import postgres from "postgres";
import { figure, type Figure } from "./figure.ts";
import { sample } from "./measure.ts";

const SITES = 5;
const MONTHS = 20;
const LEAVES_OF_PROGRAM = SITES * MONTHS;
const ROUNDS = 9;
const ONE_DAY =
  "program_id = 'p0' AND site_id = 's1' AND created_at >= '2024-03-05 00:00+00' AND created_at < '2024-03-06 00:00+00'";
const ANY_DAY = "program_id = $1 AND site_id = $2 AND created_at >= $3 AND created_at < $4";

interface Planned {
  /** In a connection that has planned nothing before: it reads each relation's entry of the catalog. */
  readonly firstMs: number;
  readonly laterMs: readonly number[];
  /** Of the transaction that planned it. */
  readonly locks: number;
}

/**
 * How long the planner takes with 100, 1,000 and 10,000 partitions, for a query that prunes to one leaf and for one that visits all of them,
 * and the lock table that the latter needs.
 */
export async function planningAsPartitionsGrow(
  url: string,
  {
    most,
    major,
    say,
  }: { readonly most: number; readonly major: number; readonly say: (line: string) => void },
): Promise<readonly Figure[]> {
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  try {
    await sql.unsafe(`CREATE TABLE bench.grown (program_id text NOT NULL, site_id text NOT NULL, created_at timestamptz NOT NULL,
      observation_id bigint NOT NULL, growth_index numeric(5,2) NOT NULL,
      PRIMARY KEY (program_id, site_id, created_at, observation_id)) PARTITION BY LIST (program_id)`);
    const [server] = await sql<{ connections: number }[]>`
      SELECT current_setting('max_connections')::int + current_setting('max_prepared_transactions')::int AS connections`;
    const figures: Figure[] = [];
    let programs = 0;
    for (const leaves of [100, 1_000, 10_000].filter((count) => count <= most)) {
      for (; programs * LEAVES_OF_PROGRAM < leaves; programs += 1) await grow(sql, programs);
      const name = `${leaves.toLocaleString("en-US")} leaves`;
      say(`planning with ${name}`);
      const pruned = await plan(url, ONE_DAY);
      const all = await plan(url, "growth_index > 50");
      figures.push(...planningFigures(name, "pruned to one", pruned));
      if (all === undefined)
        say(`${name}: a query that visits all of them does not fit the lock table (53200)`);
      figures.push(...planningFigures(name, "all visited", all));
      if (all !== undefined) {
        // The server tries such a plan at the sixth execution of a prepared statement, and then keeps to plans for values.
        const any = major < 16 ? undefined : await plan(url, ANY_DAY, "GENERIC_PLAN, ");
        figures.push(...planningFigures(name, "for any values, pruned when it runs", any));
        figures.push(
          figure({ what: `${name}: locks of a query that visits all`, ours: all.locks, unit: "" }),
          figure({
            what: `${name}: max_locks_per_transaction for one such query, ${server?.connections ?? 0} connections`,
            ours: Math.ceil(all.locks / (server?.connections ?? 1)),
            unit: "",
          }),
          figure({
            what: `${name}: the same, 100 connections`,
            ours: Math.ceil(all.locks / 100),
            unit: "",
          }),
        );
      }
    }
    return figures;
  } finally {
    await sql.end();
  }
}

function planningFigures(name: string, which: string, planned: Planned | undefined): Figure[] {
  if (planned === undefined) return [];
  return [
    figure({ what: `${name}: planning, ${which}`, ours: sample(planned.laterMs) }),
    figure({
      what: `${name}: planning, ${which}, first in its connection`,
      ours: planned.firstMs,
    }),
  ];
}

/** Undefined where the lock table is too small. */
async function plan(url: string, where: string, options = ""): Promise<Planned | undefined> {
  const own = postgres(url, { max: 1, onnotice: () => undefined });
  try {
    const taken: number[] = [];
    for (let round = 0; round <= ROUNDS; round += 1)
      taken.push(await planningMs(own, where, options));
    const [firstMs = 0, ...laterMs] = taken;
    const locks = await own.begin(async (transaction) => {
      await planningMs(transaction, where, options);
      const [row] = await transaction<{ locks: number }[]>`
        SELECT count(*)::int AS locks FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation' AND relation >= 16384`;
      return row?.locks ?? 0;
    });
    return { firstMs, laterMs, locks };
  } catch (error) {
    if (error instanceof postgres.PostgresError && error.code === "53200") return undefined;
    throw error;
  } finally {
    await own.end();
  }
}

async function planningMs(
  sql: Pick<postgres.Sql, "unsafe">,
  where: string,
  options: string,
): Promise<number> {
  const [row] = await sql.unsafe<{ "QUERY PLAN": readonly { "Planning Time": number }[] }[]>(
    `EXPLAIN (${options}SUMMARY, FORMAT JSON) SELECT count(*), avg(growth_index) FROM bench.grown WHERE ${where}`,
  );
  const ms = row?.["QUERY PLAN"][0]?.["Planning Time"];
  if (ms === undefined) throw new Error("EXPLAIN said no planning time");
  return ms;
}

/** The partitions of one program more, empty: planning never looks at rows. */
async function grow(sql: postgres.Sql, program: number): Promise<void> {
  await sql.unsafe(`DO $$
    DECLARE at timestamptz;
    BEGIN
      CREATE TABLE bench.grown_${program} PARTITION OF bench.grown FOR VALUES IN ('p${program}') PARTITION BY LIST (site_id);
      FOR site IN 0 .. ${SITES - 1} LOOP
        EXECUTE format('CREATE TABLE bench.grown_${program}_%1$s PARTITION OF bench.grown_${program} FOR VALUES IN (%2$L) PARTITION BY RANGE (created_at)',
          site, 's' || site);
        FOR month IN 0 .. ${MONTHS - 1} LOOP
          at := timestamptz '2024-01-01 00:00+00' + month * interval '1 month';
          EXECUTE format('CREATE TABLE bench.grown_${program}_%1$s_%2$s PARTITION OF bench.grown_${program}_%1$s FOR VALUES FROM (%3$L) TO (%4$L)',
            site, month, at, at + interval '1 month');
        END LOOP;
      END LOOP;
    END $$`);
}
