import { btree_gist } from "@electric-sql/pglite/contrib/btree_gist";
import { pg_trgm } from "@electric-sql/pglite/contrib/pg_trgm";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Definition } from "../../src/definition/definition.ts";
import { planInstall } from "../../src/install/plan-install.ts";
import { proveIsolation, type ProofOptions } from "../../src/rls/prove-isolation.ts";
import type { Proof } from "../../src/rls/proof/proof.ts";
import { apply } from "../../src/run/apply.ts";
import { definition as observations } from "../../src/schema/observations/index.ts";
import { definition as progressCard } from "../../src/schema/progress-card/index.ts";
import { definition as projectReports } from "../../src/schema/project-reports/index.ts";
import { definition as reporting } from "../../src/schema/reporting/index.ts";
import { GIVEN_OUT } from "../../src/schema/test-cycles/keys.ts";
import { definition as testCycles } from "../../src/schema/test-cycles/index.ts";
import { ident } from "../../src/sql/quote.ts";
import { onEngines } from "../support/server.ts";
import { progressCardRows } from "./progress-card-rows.ts";

const DOMAINS: readonly (readonly [Definition, ProofOptions])[] = [
  [progressCard, { generate: progressCardRows }],
  [testCycles, {}],
  [reporting, {}],
  [projectReports, {}],
  [observations, {}],
];

for (const [definition, options] of DOMAINS)
  onEngines(
    `the isolation of ${definition.name}`,
    (engine) => {
      let proof: Proof;
      beforeAll(async () => {
        const report = await apply(engine.db(), planInstall(definition));
        expect(report.outcome, JSON.stringify(report)).toBe("applied");
        proof = await proveIsolation(engine.db(), definition, options);
      });
      afterAll(async () => {
        if (engine.server === undefined) return;
        for (const { roles, readerRole, migratorRole } of definition.access)
          for (const role of new Set([...Object.values(roles), readerRole, migratorRole]))
            await engine.executor().query(`DROP OWNED BY ${ident(role)} CASCADE`);
      });

      it("is proven: every cell holds and has its positive control", () => {
        expect(proof.problems).toEqual([]);
        const accepted = new Set(
          proof.cells.flatMap((cell) => (cell.status === "accepted" ? [cell.reason] : [])),
        );
        expect(
          proof.cells.filter(({ status }) => status === "broken" || status === "vacuous"),
        ).toEqual([]);
        // The keys of test cycles are as they came: of their own, and not of a line of business.
        expect([...accepted]).toEqual(definition === testCycles ? [GIVEN_OUT] : []);
      });

      it("is shown by every mutation", () => {
        expect(proof.mutations.filter(({ status }) => status !== "shown")).toEqual([]);
        expect(proof.score.total).toBeGreaterThan(200);
        expect(proof.ok).toBe(true);
      });
    },
    { extensions: { pg_trgm, btree_gist } },
  );
