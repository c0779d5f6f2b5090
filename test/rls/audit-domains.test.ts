import { btree_gist } from "@electric-sql/pglite/contrib/btree_gist";
import { pg_trgm } from "@electric-sql/pglite/contrib/pg_trgm";
import { afterAll, beforeAll, expect, it } from "vitest";
import { combine } from "../../src/definition/combine.ts";
import { planInstall } from "../../src/install/plan-install.ts";
import type { Findings } from "../../src/rls/audit/finding.ts";
import { auditRls, type Accepted, type AuditOptions } from "../../src/rls/audit-rls.ts";
import { apply } from "../../src/run/apply.ts";
import { definition as observations } from "../../src/schema/observations/index.ts";
import { definition as progressCard } from "../../src/schema/progress-card/index.ts";
import { definition as projectReports } from "../../src/schema/project-reports/index.ts";
import { definition as reporting } from "../../src/schema/reporting/index.ts";
import { testCycles } from "../../src/schema/test-cycles/index.ts";
import { ident } from "../../src/sql/quote.ts";
import { onEngines } from "../support/server.ts";

const whole = combine(
  observations,
  progressCard,
  projectReports,
  reporting,
  testCycles().definition,
  testCycles({ keys: "integer", schema: "test_cycles_before" }).definition,
);

/** What is found and stays. */
const STATED: readonly Accepted[] = [
  {
    check: "filter_not_leakproof",
    object: `index "reporting"."reports_parameters_idx"`,
    reason:
      "find_report_ids() searches it as the reader, whose policy is no condition, and looks at the organization itself",
  },
];

onEngines(
  "an audit of all five domains, the last in both forms",
  (engine) => {
    beforeAll(async () => {
      const report = await apply(engine.db(), planInstall(whole));
      expect(report.outcome, JSON.stringify(report)).toBe("applied");
    });
    afterAll(async () => {
      if (engine.server === undefined) return;
      for (const { roles, readerRole, migratorRole } of whole.access)
        for (const role of new Set([...Object.values(roles), readerRole, migratorRole]))
          await engine.executor().query(`DROP OWNED BY ${ident(role)} CASCADE`);
    });

    const audit = async (options: AuditOptions = {}): Promise<Findings> => {
      const found = await auditRls(engine.db(), options);
      // Other files make logins on the same server.
      return found.filter(({ object }) => !object.startsWith("role "));
    };

    it("finds what is stated here, and nothing else", async () => {
      const found = await audit({ definition: whole });
      expect(found.map(({ check, object }) => ({ check, object }))).toEqual(
        STATED.map(({ check, object }) => ({ check, object })),
      );
      expect(await audit({ definition: whole, accept: STATED })).toEqual([]);
    });

    it("finds the keys across tenants where no definition gives their reasons", async () => {
      const found = (await audit()).filter(({ check }) => check === "unique_oracle");
      const objects = found.map(({ object }) => object);
      expect(objects).toContain(`index "reporting"."organizations_slug_key"`);
      expect(objects).toContain(`index "test_cycles"."cycle_reports_pkey"`);
      expect(objects).toContain(`index "test_cycles_before"."cycle_reports_pkey"`);
    });
  },
  { extensions: { pg_trgm, btree_gist } },
);
