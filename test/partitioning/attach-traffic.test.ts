import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { readFacts } from "../../src/catalog/read-facts.ts";
import { sqlStateOf } from "../../src/errors.ts";
import { attachPlan } from "../../src/partitioning/attach/attach-plan.ts";
import { apply } from "../../src/run/apply.ts";
import { undo } from "../../src/run/undo.ts";
import { onServers } from "../support/server.ts";
import { SCHEMA, schema, scheme, SETUP, TABLE } from "./attach-fixture.ts";

/** Rows that are there before; more of them by the environment. */
const ROWS = Number(process.env["UNDERPIN_ATTACH_ROWS"] ?? 20_000);
/** Above a lock timeout with the time of a statement on a busy machine. */
const LONGEST_WAIT_MS = 4_000;

onServers("A table that is attached at full speed", (server) => {
  it("refuses no new program at any moment, loses no row, and reads none in the swap", async () => {
    const sql = server.sql();
    await sql.unsafe(SETUP);
    await sql.unsafe(`DELETE FROM ${TABLE}; DROP TRIGGER tells ON ${TABLE};
      INSERT INTO ${schema}.programs SELECT 'p' || g FROM generate_series(10, 2000) g;
      INSERT INTO ${TABLE} (program_id, site_id, created_at, value)
      SELECT 'p' || 1 + g % 4, 's1', '2026-01-01'::timestamptz + g * interval '1 second', g % 900000 FROM generate_series(1, ${ROWS}) g`);
    let stop = false;
    let longest = 0;
    let written = 0;
    let program = 5;
    const refused: unknown[] = [];
    const insert = (of: string, value: number) =>
      sql.unsafe(
        `INSERT INTO ${TABLE} (program_id, site_id, created_at, value) VALUES ('${of}', 's1', '2026-01-15', ${value})`,
      );
    const timed = async (work: () => Promise<unknown>) => {
      const began = performance.now();
      await work();
      longest = Math.max(longest, performance.now() - began);
    };
    let swapped = false;
    // A row of a program that nobody has seen, now and then; one that has no partition yet asks for it, as an application does.
    const writer = async (which: number) => {
      for (let n = 0; !stop; n++) {
        const of = n % 20 === 0 && program < 180 ? `p${program++}` : `p${1 + (n % 4)}`;
        // Its partitions may go between the two, with the undo: then the row has a place without them.
        for (let done = false; !done && !stop; ) {
          try {
            await timed(() => insert(of, 900_000 + which * 30_000 + n));
            done = true;
            written++;
          } catch (error) {
            if (sqlStateOf(error) !== "23514" || !swapped) refused.push(error);
            await sql
              .unsafe(
                `SELECT ${schema}.provision_readings('${of}', 's1', '2026-01-15', '2026-01-15')`,
              )
              .catch(() => sleep(50));
          }
        }
        await sleep(2);
      }
    };
    const reader = async () => {
      while (!stop) {
        await timed(async () => {
          const [row] = await sql.unsafe<{ n: string }[]>(
            `SELECT count(*)::text AS n FROM ${TABLE} WHERE value < 900000`,
          );
          if (row?.n !== String(ROWS)) refused.push(row?.n);
        });
        await sleep(50);
      }
    };
    const facts = await readFacts(sql, { schemas: [SCHEMA, "elsewhere"] });
    const plan = attachPlan({ facts, scheme });
    const traffic = Promise.all([writer(1), writer(2), writer(3), reader()]);
    const scans = async (of: string) => {
      const [row] = await sql.unsafe<{ n: number }[]>(
        `SELECT pg_relation_filenode('${schema}.${of}')::int AS n`,
      );
      return row?.n;
    };
    const file = await scans("readings");
    let swapMs = 0;
    try {
      const report = await apply(sql, plan, {
        onEvent: (event) => {
          if (event.type === "stepStarted" && event.step === "swap") swapped = true;
          if (event.type === "stepApplied" && event.step === "swap") swapMs = event.elapsedMs;
        },
      });
      expect(report.failure).toBeUndefined();
      expect(await scans("readings_legacy")).toBe(file);
      await sleep(1_000);
      const back = await undo(sql, plan);
      expect(back.failure).toBeUndefined();
      swapped = false;
      expect(await scans("readings")).toBe(file);
      await sleep(200);
    } finally {
      stop = true;
      await traffic;
    }
    console.log(
      `PostgreSQL ${server.major}: ${ROWS} rows, ${written} written, ${program - 5} programs born, swap ${swapMs.toFixed(0)} ms, longest statement ${longest.toFixed(0)} ms`,
    );
    expect(refused).toEqual([]);
    const [row] = await sql.unsafe<{ n: string; kind: string }[]>(
      `SELECT count(*)::text AS n, (SELECT relkind::text FROM pg_class WHERE oid = '${TABLE}'::regclass) AS kind FROM ${TABLE}`,
    );
    expect(row).toEqual({ n: String(ROWS + written), kind: "r" });
    expect(program).toBeGreaterThan(10);
    expect(longest).toBeLessThan(LONGEST_WAIT_MS);
  }, 180_000);
});
