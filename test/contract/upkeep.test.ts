import type { Scheme } from "../../src/definition/scheme.ts";
import type { Executor } from "../../src/executor/executor.ts";
import { planMaintenance } from "../../src/partitioning/maintenance/plan-maintenance.ts";
import { readMaintenance } from "../../src/partitioning/maintenance/read-maintenance.ts";
import { planProvision } from "../../src/partitioning/plan-provision.ts";
import { readSurveys } from "../../src/partitioning/survey.ts";
import type { Plan } from "../../src/plan/step.ts";
import { qualified } from "../../src/sql/quote.ts";
import { contract, type ContractNames } from "./contract.ts";
import { monthlyOf, visitsSql, visitSql } from "./partitions-fixture.ts";

const at = (day: string) => new Date(`${day}T00:00:00Z`);

const newSite = ({ schema }: ContractNames) =>
  `INSERT INTO ${qualified(schema, "sites")} VALUES ('s3')`;

for (const others of [false, true]) {
  const beside = others ? " beside default partitions" : "";

  contract({
    name: `provision of a new and a known site${beside}`,
    setup: (names) => `${visitsSql(names, others)}; ${newSite(names)}`,
    plan: async (names, _, db) => {
      const scheme = monthlyOf(names, "1 month", others);
      const window = { from: at("2026-03-15"), until: at("2026-05-15") };
      return planProvision(
        scheme,
        await readSurveys(
          db,
          scheme,
          ["s3", "s1"].map((site) => [{ site }, window]),
        ),
      );
    },
    // Of a partition that was there: one that was made and has rows by then stays, as test/partitioning/provision shows.
    insert: visitSql,
  });

  contract({
    name: `premaking by maintain${beside}`,
    setup: (names) => visitsSql(names, others),
    plan: (names, _, db) => upkeep(db, monthlyOf(names, "1 month", others), "2026-05-10"),
    insert: visitSql,
  });
}

async function upkeep(db: Executor, scheme: Scheme, day: string): Promise<Plan> {
  const { plan } = planMaintenance([await readMaintenance(db, scheme, { now: at(day) })]);
  if (plan === undefined) throw new Error("there was nothing to do");
  return plan;
}
