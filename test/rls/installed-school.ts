import { randomBytes } from "node:crypto";
import { afterAll, beforeAll } from "vitest";
import { planInstall } from "../../src/install/plan-install.ts";
import { apply } from "../../src/run/apply.ts";
import { ident } from "../../src/sql/quote.ts";
import type { TestEngine } from "../support/server.ts";
import { school, schoolRows } from "./school.ts";

/** The school in a schema with a hostile name, installed with its rows; its roles go with the block. */
export function installedSchool(
  engine: TestEngine,
  schema = 'we"ird Schema',
  target: "postgres" | "citus" = "postgres",
) {
  const prefix = `rls_${randomBytes(4).toString("hex")}`;
  const made = school(schema, prefix, target);
  const { access } = made;
  beforeAll(async () => {
    const report = await apply(engine.db(), planInstall(made.definition));
    if (report.outcome !== "applied") throw new Error(JSON.stringify(report, null, 2));
    await engine.executor().query(schoolRows(schema));
  });
  afterAll(async () => {
    if (engine.server === undefined) return;
    const roles = [...Object.values(access.roles), access.readerRole, access.migratorRole];
    for (const role of roles.map(ident))
      await engine.executor().query(`DROP OWNED BY ${role} CASCADE; DROP ROLE ${role}`);
  });
  return { ...made, schema, prefix };
}
