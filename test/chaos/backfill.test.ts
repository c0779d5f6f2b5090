import { afterAll, beforeAll, expect, it } from "vitest";
import { plan } from "../../src/plan/plan.ts";
import type { BackfillStep, Plan } from "../../src/plan/step.ts";
import { onServers } from "../support/server.ts";
import { openProcesses, type Processes } from "./processes.ts";
import { randomFrom } from "./random.ts";
import { startWriters, type ModelRow, type Rounds } from "./writers.ts";

/** `npm run test:chaos` takes more of both. */
const seconds = Number(process.env.UNDERPIN_CHAOS_SECONDS ?? 6);
const seeds = Number(process.env.UNDERPIN_CHAOS_SEEDS ?? 1);
const first = Number(process.env.UNDERPIN_CHAOS_FIRST_SEED ?? 1);

const ROWS = 3_000;
const HELPERS = 3;
const WRITERS = 3;

const common = {
  kind: "backfill",
  table: { schema: "app", name: "t" },
  key: [
    { name: "shard", type: "integer" },
    { name: "code", type: "text" },
  ],
  batchSize: 40,
  pauseMs: 4,
  workers: 2,
  undo: { kind: "nothing" },
} as const;

/** A change that must be made once, one whose result depends on what a writer may change, and one beside the table. */
function roundOf(round: number): Plan {
  const steps: readonly BackfillStep[] = [
    { ...common, id: "add", title: "Add", where: "true", set: "v = target.v + 1" },
    {
      ...{ ...common, id: "measure", title: "Measure", where: "target.name_length IS NULL" },
      transform: {
        ...{ handler: "lengths", version: 1, reads: ["name"] },
        writes: [{ name: "name_length", type: "integer" }],
      },
    },
    {
      ...{ ...common, id: "copy", title: "Copy", where: "true" },
      sql: `INSERT INTO app.copies SELECT ${round}, code FROM batch`,
      rows: [{ schema: "app", name: "copies", access: "insert" }],
    },
  ];
  return plan(`chaos-${round}`, steps);
}

/** Each row that is not as the model says it must be, with what is wrong. */
const FAULTS = `WITH model AS (
  SELECT * FROM json_to_recordset($1::text::json) AS m (shard int, code text, seq bigint, hundreds bigint, name text, renamed bool, "from" int, "to" int)
), copied AS (
  SELECT code, count(*) AS copies, count(DISTINCT round) AS rounds FROM app.copies GROUP BY code
)
SELECT coalesce(m.code, t.code) AS code, to_json(m)::text AS model, to_json(t)::text AS row, c.copies, c.rounds
FROM model AS m FULL JOIN app.t AS t ON t.shard = m.shard AND t.code = m.code
LEFT JOIN copied AS c ON c.code = coalesce(m.code, t.code)
WHERE m.code IS NULL OR t.code IS NULL
  OR t.seq <> m.seq OR t.name <> m.name
  OR t.v - 100 * m.hundreds NOT BETWEEN m."from" AND m."to"
  OR t.name_length <> length(t.name) OR (t.name_length IS NULL AND NOT m.renamed)
  OR c.copies <> c.rounds OR coalesce(c.copies, 0) NOT BETWEEN m."from" AND m."to"
LIMIT 5`;

onServers(
  "a backfill whose processes are killed at random beside writers at full speed",
  (server) => {
    let processes: Processes | undefined;
    beforeAll(async () => {
      processes = await openProcesses();
    });
    afterAll(() => processes?.close());

    it.each(Array.from({ length: seeds }, (_, at) => first + at))(
      "changes each row once, overwrites no writer and loses nothing (seed %i)",
      async (seed) => {
        if (processes === undefined) throw new Error("the program was not bundled");
        const started = processes;
        const sql = server.sql();
        await sql.unsafe(`DROP SCHEMA IF EXISTS app, underpin CASCADE; CREATE SCHEMA app;
        CREATE TABLE app.t (shard int, code text, name text NOT NULL, name_length int, v bigint NOT NULL DEFAULT 0,
          seq bigint NOT NULL DEFAULT 0, PRIMARY KEY (shard, code)) WITH (fillfactor = 70);
        CREATE TABLE app.copies (round int, code text);
        INSERT INTO app.t SELECT g % 4, md5((g * ${seed})::text), 'row ' || g FROM generate_series(1, ${ROWS}) g; ANALYZE app.t`);
        const there = await sql<Pick<ModelRow, "shard" | "code" | "name">[]>`
        SELECT shard, code, name FROM app.t ORDER BY code`;
        const connections = Array.from({ length: WRITERS }, () => server.connect({ max: 1 }));
        const rounds: Rounds = { begun: 0, ended: 0 };
        const writers = startWriters(connections, there, rounds, seed);
        const random = randomFrom(seed);
        const until = performance.now() + seconds * 1_000;
        let kills = 0;
        const killing = (async () => {
          while (performance.now() < until) {
            await new Promise((resolve) => setTimeout(resolve, 60 + random() * 400));
            if (started.killOne(random)) kills++;
          }
        })();
        while (performance.now() < until) {
          const round = ++rounds.begun;
          const job = { url: server.url(), plan: roundOf(round), options: { leaseMs: 1_000 } };
          const helpers = Array.from({ length: HELPERS }, () => ({
            ...job,
            task: "work" as const,
          }));
          await started.keep([{ ...job, task: "apply" }, ...helpers]);
          rounds.ended = round;
        }
        await killing;
        const { rows, writes } = await writers.stop();
        const { ended } = rounds;
        // Inserted between the ends and beginnings of rounds, a row is come to by those that began after it, and perhaps by the one under way.
        const model = rows.map((row) => ({ ...row, from: ended - row.from, to: ended - row.to }));
        const faults = await sql.unsafe(FAULTS, [JSON.stringify(model)]);
        const [done] = await sql<{ batches: string; failed: string; changed: string }[]>`
        SELECT sum(batches) AS batches, sum(failed_batches) AS failed, sum(rows_changed) AS changed FROM underpin.backfill_ranges`;
        console.log(
          `PostgreSQL ${server.major}, seed ${seed}: ${kills} kills, ${ended} rounds of 3 backfills, ${done?.batches} batches, ${done?.changed} rows changed, ${writes} writes, ${rows.length} rows`,
        );
        expect([...faults]).toEqual([]);
        expect(Number(done?.failed)).toBe(0);
        expect(kills).toBeGreaterThan(seconds);
        expect(writes).toBeGreaterThan(100);
        const left = await sql`SELECT FROM underpin.backfill_failures`;
        expect(left).toHaveLength(0);
      },
      (seconds + 120) * 1_000,
    );
  },
);
