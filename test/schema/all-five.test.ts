import { btree_gist } from "@electric-sql/pglite/contrib/btree_gist";
import { citext } from "@electric-sql/pglite/contrib/citext";
import { pg_trgm } from "@electric-sql/pglite/contrib/pg_trgm";
import { expect, it } from "vitest";
import { canonical } from "../../src/catalog/canonical.ts";
import { compareCatalogs } from "../../src/catalog/compare.ts";
import { readFacts } from "../../src/catalog/read-facts.ts";
import { combine, planInstall, planUninstall, verify, type Plan } from "../../src/index.ts";
import { apply } from "../../src/run/apply.ts";
import * as observations from "../../src/schema/observations/index.ts";
import * as progressCard from "../../src/schema/progress-card/index.ts";
import * as projectReports from "../../src/schema/project-reports/index.ts";
import * as reporting from "../../src/schema/reporting/index.ts";
import * as testCycles from "../../src/schema/test-cycles/index.ts";
import { onEngines, type TestEngine } from "../support/server.ts";

const all = combine(
  reporting.definition,
  progressCard.definition,
  observations.definition,
  testCycles.definition,
  projectReports.definition,
);

onEngines(
  "all five domains in one database, where `users` and `audit_logs` are several",
  (engine) => {
    it("install as one plan, verify without a finding, and leave no trace", async () => {
      const look = async () => canonical(await readFacts(engine.db()), { leaveOut: ["underpin"] });
      const before = await look();
      await applied(engine, planInstall(all));
      expect(await verify(engine.db(), all)).toEqual([]);
      await applied(engine, planUninstall(all));
      const left = compareCatalogs(before, await look());
      // An extension stays, with its schema: others may use it.
      expect(left.map(({ path }) => path).filter((path) => !/extension/.test(path))).toEqual([]);
    });

    it("leave and come back one by one, while the others stay as they were", async () => {
      await applied(engine, planInstall(reporting.definition));
      await applied(engine, planInstall(observations.definition));
      await applied(engine, planUninstall(reporting.definition));
      expect(await verify(engine.db(), observations.definition)).toEqual([]);
      await applied(engine, planInstall(reporting.definition));
      expect(await verify(engine.db(), reporting.definition)).toEqual([]);
    });
  },
  { extensions: { pg_trgm, citext, btree_gist } },
);

async function applied(engine: TestEngine, plan: Plan): Promise<void> {
  const { outcome, failure } = await apply(engine.db(), plan);
  expect(outcome, JSON.stringify(failure)).toBe("applied");
}
