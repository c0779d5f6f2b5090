import type postgres from "postgres";
import { planInstall } from "../src/install/plan-install.ts";
import { apply } from "../src/run/apply.ts";
import { observations } from "../src/schema/observations/index.ts";

/** How many programs there are, and sites of each. */
export const PROGRAMS = 100;
export const SITES = 4;
/** Twelve months of each site. */
export const YEAR = {
  from: new Date("2025-01-01T00:00:00Z"),
  until: new Date("2025-12-31T00:00:00Z"),
};
export const COMPANY = "00000001-0000-4000-8000-000000000001";
export const SUBMISSION = "00000003-0000-4000-8000-000000000001";
const USER = "00000002-0000-4000-8000-000000000001";

/** The values of the sites of a program. */
export function sitesOf(program: number) {
  return Array.from({ length: SITES }, (_, site) => ({
    programId: `p${program}`,
    siteId: `p${program}s${site}`,
  }));
}

/** Installs the observations, with 4,800 leaves, and one submission of one site. */
export async function installLeaves(sql: postgres.Sql, say: (line: string) => void, year = YEAR) {
  const {
    definition,
    schemes: [petri],
  } = observations({ schema: "field", managementSchema: "field_mgmt" });
  const installed = await apply(sql, planInstall(definition));
  if (installed.outcome !== "applied") throw new Error(JSON.stringify(installed.failure));
  say(`${PROGRAMS * SITES * 12} leaves`);
  for (let program = 0; program < PROGRAMS; program += 1)
    for (const { programId, siteId } of sitesOf(program))
      await sql`SELECT field.provision_petri_observations(${programId}, ${siteId}, ${year.from}, ${year.until})`;
  await sql.unsafe(`
    INSERT INTO field.companies (company_id, name) VALUES ('${COMPANY}', 'One');
    INSERT INTO field.users (company_id, id, email, display_name, role) VALUES ('${COMPANY}', '${USER}', 'a@example.com', 'Ada', 'admin');
    INSERT INTO field.pilot_programs (company_id, program_id, name, status, start_date) VALUES ('${COMPANY}', 'p1', 'One', 'active', '2024-01-01');
    INSERT INTO field.sites (company_id, program_id, site_id, name) VALUES ('${COMPANY}', 'p1', 'p1s1', 'North');
    INSERT INTO field.submissions (company_id, submission_id, program_id, site_id, submitted_by) VALUES ('${COMPANY}', '${SUBMISSION}', 'p1', 'p1s1', '${USER}')`);
  return petri;
}

/** The server's setting, for the table of figures. */
export async function lockSetting(sql: postgres.Sql): Promise<number> {
  const [row] = await sql<{ locks: string }[]>`
    SELECT current_setting('max_locks_per_transaction') AS locks`;
  return Number(row?.locks);
}
