import postgres from "postgres";
import { provision } from "../src/partitioning/provision.ts";
import type { Bench } from "./bench.ts";
import { figure } from "./figure.ts";
import { measureAlone, sample } from "./measure.ts";
import {
  COMPANY,
  installLeaves,
  lockSetting,
  PROGRAMS,
  SITES,
  sitesOf,
  SUBMISSION,
  YEAR,
} from "./observation-leaves.ts";

/** Makes a program ready beside 4,800 leaves of the observations, while others read and write. */
export const bench: Bench = async ({ url, say }) => {
  const sql = postgres(url, { onnotice: () => undefined });
  try {
    const petri = await installLeaves(sql, say);
    const provisioned = async (program: number) => {
      const began = performance.now();
      const report = await provision(sql, petri, sitesOf(program), YEAR);
      if (report.outcome !== "applied") throw new Error(JSON.stringify(report.failure));
      return performance.now() - began;
    };
    say(`programs of ${SITES} sites`);
    const times: number[] = [];
    for (let round = 0; round < 5; round += 1) times.push(await provisioned(PROGRAMS + round));
    const nothing = await measureAlone(() => provisioned(1));
    say("the same beside a reader and a writer who never rest");
    const waits = { reader: 0, writer: 0 };
    let running = true;
    const beside = async (who: keyof typeof waits, statement: string) => {
      const own = postgres(url, { max: 1, onnotice: () => undefined });
      await own.unsafe(statement);
      while (running) {
        const began = performance.now();
        await own.unsafe(statement);
        waits[who] = Math.max(waits[who], performance.now() - began);
      }
      await own.end();
    };
    const others = [
      beside(
        "reader",
        `SELECT count(*) FROM field.petri_observations WHERE program_id = 'p1' AND site_id = 'p1s1' AND created_at >= '2025-03-01' AND created_at < '2025-04-01'`,
      ),
      beside(
        "writer",
        `INSERT INTO field.petri_observations (company_id, program_id, site_id, created_at, observation_id, submission_id, dish_code, growth_index)
         VALUES ('${COMPANY}', 'p1', 'p1s1', '2025-03-02', gen_random_uuid(), '${SUBMISSION}', 'A1', 12.5)`,
      ),
    ];
    await new Promise((resolve) => setTimeout(resolve, 500));
    for (let round = 0; round < 3; round += 1) await provisioned(PROGRAMS + 5 + round);
    running = false;
    await Promise.all(others);
    // PostgreSQL looks through all constraints for keys that point to the parent, once for each partition: no index leads there.
    const scan = await measureAlone(
      () =>
        sql`SELECT count(*) FROM pg_constraint WHERE confrelid = 'field.companies'::regclass AND contype = 'f'`,
    );
    return [
      figure({
        what: "one program: 4 sites × 12 months",
        ours: sample(times),
        target: { of: "ours", atMost: 1000 },
      }),
      figure({
        what: "of it PostgreSQL's own reading of pg_constraint, 53 times",
        ours: 53 * scan.median,
      }),
      figure({ what: "nothing missing of 4 sites", ours: nothing }),
      figure({ what: "longest wait of a reader", ours: waits.reader, unit: "ms" }),
      figure({ what: "longest wait of a writer", ours: waits.writer, unit: "ms" }),
      figure({
        what: "max_locks_per_transaction",
        ours: await lockSetting(sql),
        unit: "",
      }),
    ];
  } finally {
    await sql.end();
  }
};
