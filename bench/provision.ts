import postgres from "postgres";
import { planInstall } from "../src/install/plan-install.ts";
import { provision } from "../src/partitioning/provision.ts";
import { apply } from "../src/run/apply.ts";
import { observations } from "../src/schema/observations/index.ts";
import type { Bench } from "./bench.ts";
import { figure } from "./figure.ts";

const PROGRAMS = 100;
const SITES = 4;
const YEAR = { from: new Date("2025-01-01T00:00:00Z"), until: new Date("2025-12-31T00:00:00Z") };
const COMPANY = "00000001-0000-4000-8000-000000000001";
const USER = "00000002-0000-4000-8000-000000000001";
const SUBMISSION = "00000003-0000-4000-8000-000000000001";

/** Makes a program ready beside 4,800 leaves of the observations, while others read and write. */
export const bench: Bench = async ({ url, say }) => {
  const sql = postgres(url, { onnotice: () => undefined });
  const {
    definition,
    schemes: [petri],
  } = observations({ schema: "field", managementSchema: "field_mgmt" });
  const sitesOf = (program: number) =>
    Array.from({ length: SITES }, (_, site) => ({
      programId: `p${program}`,
      siteId: `p${program}s${site}`,
    }));
  try {
    const installed = await apply(sql, planInstall(definition));
    if (installed.outcome !== "applied") throw new Error(JSON.stringify(installed.failure));
    say(`${PROGRAMS * SITES * 12} leaves`);
    for (let program = 0; program < PROGRAMS; program += 1)
      for (const { programId, siteId } of sitesOf(program))
        await sql`SELECT field.provision_petri_observations(${programId}, ${siteId}, ${YEAR.from}, ${YEAR.until})`;
    await sql.unsafe(`
      INSERT INTO field.companies (company_id, name) VALUES ('${COMPANY}', 'One');
      INSERT INTO field.users (company_id, id, email, display_name, role) VALUES ('${COMPANY}', '${USER}', 'a@example.com', 'Ada', 'admin');
      INSERT INTO field.pilot_programs (company_id, program_id, name, status, start_date) VALUES ('${COMPANY}', 'p1', 'One', 'active', '2024-01-01');
      INSERT INTO field.sites (company_id, program_id, site_id, name) VALUES ('${COMPANY}', 'p1', 'p1s1', 'North');
      INSERT INTO field.submissions (company_id, submission_id, program_id, site_id, submitted_by) VALUES ('${COMPANY}', '${SUBMISSION}', 'p1', 'p1s1', '${USER}')`);
    const [settings] = await sql<{ locks: string }[]>`SHOW max_locks_per_transaction`.values();
    say(`a program of ${SITES} sites beside a reader and a writer`);
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
    const times: number[] = [];
    for (let round = 0; round < 5; round += 1) {
      const began = performance.now();
      const report = await provision(sql, petri, sitesOf(PROGRAMS + round), YEAR);
      times.push(performance.now() - began);
      say(`${Math.round(performance.now() - began)} ms`);
      if (report.outcome !== "applied") throw new Error(JSON.stringify(report.failure));
    }
    const began = performance.now();
    await provision(sql, petri, sitesOf(1), YEAR);
    const nothing = performance.now() - began;
    running = false;
    await Promise.all(others);
    times.sort((a, b) => a - b);
    return [
      figure({ what: "one program: 4 sites × 12 months", ours: times[2] ?? 0, unit: "ms" }),
      figure({ what: "the slowest of five programs", ours: times[4] ?? 0, unit: "ms" }),
      figure({ what: "nothing missing of 4 sites", ours: nothing, unit: "ms" }),
      figure({ what: "longest wait of a reader", ours: waits.reader, unit: "ms" }),
      figure({ what: "longest wait of a writer", ours: waits.writer, unit: "ms" }),
      figure({
        what: "max_locks_per_transaction",
        ours: Number(Object.values(settings ?? {})[0]),
        unit: "",
      }),
    ];
  } finally {
    await sql.end();
  }
};
