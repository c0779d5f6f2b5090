import { beforeAll, beforeEach, expect, it } from "vitest";
import type { Executor } from "../../src/executor/executor.ts";
import { maintain } from "../../src/partitioning/maintenance/maintain.ts";
import { provision } from "../../src/partitioning/provision.ts";
import { plan } from "../../src/plan/plan.ts";
import { apply } from "../../src/run/apply.ts";
import { undo } from "../../src/run/undo.ts";
import { onEngines } from "../support/server.ts";
import { byProgram, programs, readings, schema, setup } from "./maintain-fixture.ts";

onEngines("old runs", (engine) => {
  let db: Executor;
  const now = "2025-02-10T12:00:00Z";
  const site = { programId: "p1", siteId: "s" };

  beforeAll(async () => {
    db = engine.executor();
    await db.query(setup([programs, readings], [byProgram]));
    await db.query(`INSERT INTO ${schema}.programs VALUES ('p1')`);
  }, 60_000);

  beforeEach(async () => {
    await db.query("DROP SCHEMA IF EXISTS underpin CASCADE");
    await db.query(`DROP TABLE IF EXISTS ${schema}.readings_program_p1`);
  });

  const kept = async () =>
    (
      await db.query<{ kind: string }>(
        "SELECT pg_catalog.substring(name, '^[a-z]+') AS kind FROM underpin.runs ORDER BY id",
      )
    ).map(({ kind }) => kind);
  const aged = (days: number) =>
    db.query(
      `UPDATE underpin.runs SET changed_at = pg_catalog.clock_timestamp() - ${days} * interval '1 day'`,
    );

  it("go with their journal and leases when they are maintenance or provisioning, and stay when a person may take them back", async () => {
    await apply(engine.db(), plan("comment on programs", [comment("programs")]));
    // Looks like it, and is none: the name has no minute and no hash.
    await apply(engine.db(), plan("maintain-programs-by-hand", [comment("readings")]));
    const { plan: first } = await provision(engine.db(), byProgram, site, { now: new Date(now) });
    await maintain(engine.db(), [byProgram], { now: "2025-03-10T12:00:00Z" });
    expect(await kept()).toEqual(["comment", "maintain", "provision", "maintain"]);
    await aged(29);
    await maintain(engine.db(), [byProgram], { now: "2025-03-10T12:00:00Z" });
    expect(await kept()).toHaveLength(4);
    await aged(31);
    await maintain(engine.db(), [byProgram], { now: "2025-03-10T12:00:00Z" });
    expect(await kept()).toEqual(["comment", "maintain"]);
    const rows = await db.query(
      `SELECT (SELECT pg_catalog.count(*)::int FROM underpin.steps) AS steps,
              (SELECT pg_catalog.count(*)::int FROM underpin.leases WHERE name = '${first.replaceAll("'", "''")}') AS leases`,
    );
    expect(rows).toEqual([{ steps: 2, leases: 0 }]);
    expect(await undo(engine.db(), "comment on programs")).toMatchObject({ outcome: "undone" });
  });

  it("stay while they did not end, and for as long as the host says", async () => {
    await provision(engine.db(), byProgram, site, { now: new Date(now) });
    await db.query("UPDATE underpin.runs SET state = 'failed'");
    await aged(400);
    await maintain(engine.db(), [byProgram], { now });
    expect(await kept()).toEqual(["provision"]);
    await db.query("UPDATE underpin.runs SET state = 'applied'");
    await aged(3);
    await maintain(engine.db(), [byProgram], { now, keepRunsDays: 2 });
    expect(await kept()).toEqual([]);
    await expect(maintain(engine.db(), [byProgram], { keepRunsDays: -1 })).rejects.toThrow(
      "keepRunsDays is -1",
    );
  });

  it("go fifty at a time", async () => {
    await provision(engine.db(), byProgram, site, { now: new Date(now) });
    await db.query(
      `INSERT INTO underpin.runs (name, hash, plan, state, server_version_num)
       SELECT name || '-' || g, hash, plan, state, server_version_num FROM underpin.runs, pg_catalog.generate_series(2, 70) AS g`,
    );
    await aged(31);
    const left: number[] = [];
    for (let call = 0; call < 2; call += 1) {
      await maintain(engine.db(), [byProgram], { now });
      left.push((await kept()).length);
    }
    expect(left).toEqual([20, 0]);
  });
});

function comment(table: string) {
  return {
    kind: "sql",
    id: "comment",
    title: "Comment",
    sql: `COMMENT ON TABLE ${schema}.${table} IS 'seen'`,
    locks: [{ schema: `we"ird Schema`, name: table, mode: "shareUpdateExclusive" }],
    transaction: "commitAfter",
    undo: { kind: "nothing" },
  } as const;
}
