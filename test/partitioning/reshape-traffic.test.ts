import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { readFacts } from "../../src/catalog/read-facts.ts";
import { mergePartitions } from "../../src/partitioning/merge-partitions.ts";
import { splitPartition } from "../../src/partitioning/split-partition.ts";
import { apply } from "../../src/run/apply.ts";
import { undo } from "../../src/run/undo.ts";
import { onServers } from "../support/server.ts";
import { nested, schema, setup } from "./scheme-fixture.ts";

const NAME = `we"ird Schema`;
const JANUARY = "read_prog_p1_site_s1_2026_01";
const FEBRUARY = "read_prog_p1_site_s1_2026_02";
/** Above a lock timeout with the time of a statement on a busy machine. */
const LONGEST_WAIT_MS = 4_000;

onServers("Partitions at full speed", (server) => {
  it("lose no row and double none while they are split, taken back, merged and taken back", async () => {
    const sql = server.sql();
    await sql.unsafe(`${setup()};
      INSERT INTO ${schema}.programs VALUES ('p1');
      SELECT ${schema}.provision_readings('p1', 's1', '2026-01-01', '2026-02-01');
      INSERT INTO ${schema}.readings (program_id, site_id, created_at, value)
      SELECT 'p1', 's1', '2026-01-01'::timestamptz + g * interval '4 minutes', g FROM generate_series(1, 20000) g`);
    let stop = false;
    let longest = 0;
    let written = 0;
    const timed = async (work: () => Promise<unknown>) => {
      const began = performance.now();
      await work();
      longest = Math.max(longest, performance.now() - began);
    };
    // What must be there at the end, by value: a row is inserted, changed twice, one of three moves in time, one of three goes.
    const expected = new Map<number, number>();
    const writer = async (first: number) => {
      for (let n = first; !stop; n += 4) {
        const day = `2026-01-${String((n % 31) + 1).padStart(2, "0")}`;
        await timed(() =>
          sql.unsafe(
            `INSERT INTO ${schema}.readings (program_id, site_id, created_at, value) VALUES ('p1', 's1', '${day}', ${n})`,
          ),
        );
        const where = `WHERE program_id = 'p1' AND site_id = 's1' AND value = ${n}`;
        if (n % 3 === 0) await timed(() => sql.unsafe(`DELETE FROM ${schema}.readings ${where}`));
        else
          await timed(() =>
            sql.unsafe(
              `UPDATE ${schema}.readings SET value = -value${n % 3 === 1 ? ", created_at = '2026-02-10'" : ""} ${where}`,
            ),
          );
        expected.set(-n, n % 3 === 0 ? 0 : 1);
        written++;
      }
    };
    // A reader never sees fewer or more of the rows that nobody touches.
    const reader = async () => {
      while (!stop) {
        await timed(async () => {
          const [row] = await sql.unsafe<{ n: string }[]>(
            `SELECT count(*)::text AS n FROM ${schema}.readings WHERE value BETWEEN 1 AND 20000`,
          );
          expect(row?.n).toBe("20000");
        });
        await sleep(20);
      }
    };
    const traffic = Promise.all([...[1, 2, 3, 4].map((n) => writer(1_000_000 + n)), reader()]);
    try {
      const facts = await readFacts(sql, { schemas: [NAME] });
      const plans = [
        splitPartition({
          facts,
          scheme: nested,
          partition: JANUARY,
          at: ["2026-01-16 00:00:00+00"],
        }),
        mergePartitions({ facts, scheme: nested, partitions: [JANUARY, FEBRUARY] }),
      ];
      for (const plan of plans) {
        const report = await apply(sql, plan);
        expect(report.failure).toBeUndefined();
        await sleep(200);
        expect((await undo(sql, plan)).failure).toBeUndefined();
      }
    } finally {
      stop = true;
      await traffic;
    }
    const rows = await sql.unsafe<{ value: number; n: string }[]>(
      `SELECT value, count(*)::text AS n FROM ${schema}.readings WHERE abs(value) > 20000 GROUP BY value`,
    );
    const found = new Map(rows.map(({ value, n }) => [value, Number(n)]));
    for (const [value, n] of expected) expect([value, found.get(value) ?? 0]).toEqual([value, n]);
    expect(found.size).toBe([...expected.values()].filter((n) => n === 1).length);
    console.info(
      `PostgreSQL ${server.major}: ${written} rows written, longest wait ${Math.round(longest)} ms`,
    );
    expect(longest).toBeLessThan(LONGEST_WAIT_MS);
  }, 120_000);
});
