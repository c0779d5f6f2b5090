import { pgTable, uuid } from "drizzle-orm/pg-core";
import { expect, it } from "vitest";
import { canonical } from "../../src/catalog/canonical.ts";
import { compareCatalogs } from "../../src/catalog/compare.ts";
import { readFacts } from "../../src/catalog/read-facts.ts";
import { defineDatabase, pgGrant } from "../../src/index.ts";
import { planInstall } from "../../src/install/plan-install.ts";
import { planUninstall } from "../../src/install/plan-uninstall.ts";
import { verify } from "../../src/install/verify.ts";
import type { DatabaseLike } from "../../src/executor/connect.ts";
import type { Plan } from "../../src/plan/step.ts";
import { apply } from "../../src/run/apply.ts";
import type { Report } from "../../src/run/report.ts";
import { undo } from "../../src/run/undo.ts";
import { onEngines, type TestEngine } from "../support/server.ts";
import { shop } from "./shop.ts";

onEngines("a definition with one of each kind", (engine) => {
  for (const [what, schema, roles] of [
    ["a plain schema", "shop", "install_shop"],
    ['a schema named we"ird Schema', 'we"ird Schema', 'install_we"ird'],
  ] as const) {
    it(`installs, is verified without a finding, and is uninstalled without a trace in ${what}`, async () => {
      const definition = shop(schema, roles);
      const db = engine.db();
      const before = await look(db);
      const install = planInstall(definition);
      expect(await applied(db, install)).toBe("applied");
      expect(await verify(db, definition)).toEqual([]);
      expect(await applied(db, planUninstall(definition))).toBe("applied");
      expect(compareCatalogs(before, await look(db))).toEqual([]);
    });
  }

  it("is verified where a role of the cluster is granted something that nobody declared", async () => {
    const role = await hostRole(engine);
    const notes = pgTable("host_notes", { id: uuid("id").primaryKey() });
    const definition = defineDatabase({
      name: "host roles",
      tables: { notes },
      objects: [pgGrant({ table: notes, to: role, privileges: ["select"] })],
    });
    const db = engine.db();
    expect(await applied(db, planInstall(definition))).toBe("applied");
    expect(await verify(db, definition)).toEqual([]);
    expect(await applied(db, planUninstall(definition))).toBe("applied");
  });

  it("is taken back by the undo of its own plan", async () => {
    const definition = shop("undone", "install_undone");
    const db = engine.db();
    const before = await look(db);
    const install = planInstall(definition);
    expect(await applied(db, install)).toBe("applied");
    expect(outcomeOf(await undo(db, install))).toBe("undone");
    expect(compareCatalogs(before, await look(db))).toEqual([]);
  });
});

async function look(db: DatabaseLike) {
  return canonical(await readFacts(db), { leaveOut: ["underpin"] });
}

async function applied(db: DatabaseLike, plan: Plan): Promise<string> {
  return outcomeOf(await apply(db, plan));
}

/** The outcome, with what went wrong. */
function outcomeOf({ outcome, failure }: Report): string {
  return failure === undefined
    ? outcome
    : `${outcome}: ${failure.message}\n${JSON.stringify(failure)}`;
}

/** A role that is there before, as `authenticated` is on Supabase. */
async function hostRole(engine: TestEngine): Promise<string> {
  if (engine.server !== undefined) return engine.server.role("host", { login: false });
  await engine.executor().query("CREATE ROLE underpin_test_host NOLOGIN");
  return "underpin_test_host";
}
