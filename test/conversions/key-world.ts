import { planInstall } from "../../src/install/plan-install.ts";
import { apply } from "../../src/run/apply.ts";
import { testCycles } from "../../src/schema/test-cycles/index.ts";
import { ident } from "../../src/sql/quote.ts";
import { fill } from "../schema/test-cycles-world.ts";
import type { TestServer } from "../support/server.ts";
import { openKeyApplication, type KeyApplication } from "./key-application.ts";

/** The schema of the domain. */
export const SCHEMA = 'we"ird Schema';
/** What was there before the application began: so many rows of each kind. */
const BEFORE = 600;

/** The domain in the form with integers. */
export const domain = testCycles({
  keys: "integer",
  schema: SCHEMA,
  rolePrefix: "keys_world",
  migratorRole: "keys_world_migrator",
});

/** Installs the domain, fills it, and returns an application that works on it once it is started. */
export async function openKeyWorld(server: TestServer, seed: number): Promise<KeyApplication> {
  const sql = server.sql();
  const { outcome, failure } = await apply(sql, planInstall(domain.definition));
  if (outcome !== "applied") throw new Error(`the domain was not installed: ${failure?.message}`);
  await sql.begin(async (transaction) => {
    await transaction.unsafe(`SET LOCAL search_path TO ${ident(SCHEMA)}`);
    await transaction.unsafe("CREATE TABLE ids (lob text, name text, id integer)");
    for (const code of ["here", "there"]) await transaction.unsafe(fill("integer", code));
    await transaction.unsafe(FILL);
    await transaction.unsafe("DROP TABLE ids");
  });
  return openKeyApplication({
    ...{ url: server.url(), schema: SCHEMA, lob: "here", report: "first", seed },
  });
}

/** Names for the phases of one report, and enough rows for some batches. */
const FILL = `
  UPDATE workflow_phases AS p SET notes = 'phase-' || named.number
    FROM (SELECT w.phase_id, row_number() OVER (ORDER BY w.phase_id) AS number FROM workflow_phases AS w
      JOIN ids ON ids.lob = 'here' AND ids.name = 'cycle' AND ids.id = w.cycle_id
      JOIN ids AS r ON r.lob = 'here' AND r.name = 'report' AND r.id = w.report_id) AS named
    WHERE named.phase_id = p.phase_id;
  INSERT INTO users (lob_id, email, first_name, last_name, manager_id)
    SELECT l.lob_id, 'before-' || g || '@' || l.code || '.example', 'f', 'l', CASE WHEN g % 2 = 0 THEN m.id END
    FROM lobs AS l JOIN ids AS m ON m.lob = l.code AND m.name = 'manager', generate_series(1, ${BEFORE}) AS g;
  INSERT INTO samples (lob_id, phase_id, identifier)
    SELECT p.lob_id, p.phase_id, 'before-' || g FROM workflow_phases AS p, generate_series(1, ${BEFORE}) AS g
    WHERE p.notes = 'phase-1';
  INSERT INTO test_executions (lob_id, phase_id, sample_id, planning_attribute_id, attempt)
    SELECT s.lob_id, s.phase_id, s.sample_id, a.id, 1 FROM samples AS s
    JOIN cycle_report_planning_attributes AS a ON a.lob_id = s.lob_id AND a.phase_id = s.phase_id
    WHERE s.identifier LIKE 'before-%';
  INSERT INTO observations (lob_id, phase_id, execution_id, title, description)
    SELECT e.lob_id, e.phase_id, e.execution_id, 'before', 'before' FROM test_executions AS e;
  UPDATE observations AS o SET parent_observation_id = above.observation_id
    FROM observations AS above WHERE above.lob_id = o.lob_id AND above.observation_id = o.observation_id - 1
      AND o.observation_id % 3 = 0`;
