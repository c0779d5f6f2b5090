import { beforeEach, expect, it } from "vitest";
import { readFacts } from "../../src/catalog/read-facts.ts";
import { toExecutor } from "../../src/executor/connect.ts";
import type { Plan } from "../../src/plan/step.ts";
import { addForeignKey } from "../../src/recipes/add-foreign-key.ts";
import { apply } from "../../src/run/apply.ts";
import { undo } from "../../src/run/undo.ts";
import { onEngines, type TestEngine } from "../support/server.ts";

const setup = `
  DROP SCHEMA IF EXISTS app, underpin CASCADE; CREATE SCHEMA app;
  CREATE TABLE app.sites (id int PRIMARY KEY);
  INSERT INTO app.sites SELECT generate_series(1, 3);
  CREATE TABLE app.logs (id int, at int) PARTITION BY LIST (id);
  CREATE TABLE app.logs_1 PARTITION OF app.logs FOR VALUES IN (1) PARTITION BY RANGE (at);
  CREATE TABLE app.logs_1_a PARTITION OF app.logs_1 FOR VALUES FROM (0) TO (10);
  CREATE TABLE app.logs_2 PARTITION OF app.logs DEFAULT;
  INSERT INTO app.logs SELECT 1 + g % 2, g FROM generate_series(1, 9) g`;

const keys = async (engine: TestEngine) => {
  const rows = await toExecutor(engine.db()).query<{ key: string }>(
    `SELECT r.relname || ' ' || k.convalidated AS key FROM pg_constraint k JOIN pg_class r ON r.oid = k.conrelid
     WHERE k.contype = 'f' AND k.connamespace = 'app'::regnamespace ORDER BY 1`,
  );
  return rows.map(({ key }) => key);
};
const ALL = ["logs true", "logs_1 true", "logs_1_a true", "logs_2 true"];

onEngines("A foreign key of a partitioned table", (engine) => {
  const query = (text: string) => toExecutor(engine.db()).query(text);
  const applySome = (plan: Plan, steps: number) => {
    const stop = new AbortController();
    let applied = 0;
    const onEvent = ({ type }: { readonly type: string }) => {
      if (type === "stepApplied" && ++applied === steps) stop.abort();
    };
    return apply(engine.db(), plan, { signal: stop.signal, onEvent });
  };
  let plan: Plan;
  beforeEach(async () => {
    await query(setup);
    const references = { schema: "app", table: "sites", columns: ["id"] } as const;
    const facts = await readFacts(engine.db(), { schemas: ["app"] });
    plan = addForeignKey({ facts, schema: "app", table: "logs", columns: ["id"], references });
  });

  it("finds a row without a target, and goes on once it is mended", async () => {
    await query("INSERT INTO app.logs VALUES (9, 9)");
    const report = await apply(engine.db(), plan);
    expect(report).toMatchObject({ outcome: "failed", failure: { sqlState: "23503" } });
    await query("DELETE FROM app.logs WHERE id = 9");
    expect(await apply(engine.db(), plan)).toMatchObject({ outcome: "applied" });
    expect(await keys(engine)).toEqual(ALL);
    await expect(query("INSERT INTO app.logs VALUES (9, 9)")).rejects.toThrow();
  });

  it("is whole, or gone, from wherever it was stopped", async () => {
    for (let steps = 1; steps < plan.steps.length; steps++) {
      await applySome(plan, steps);
      expect(await undo(engine.db(), plan)).toMatchObject({ outcome: "undone" });
      expect(await keys(engine)).toEqual([]);
      await applySome(plan, steps);
      expect(await apply(engine.db(), plan)).toMatchObject({ outcome: "applied" });
      expect(await keys(engine)).toEqual(ALL);
      expect(await undo(engine.db(), plan)).toMatchObject({ outcome: "undone" });
      expect(await keys(engine)).toEqual([]);
    }
  });

  it("binds a partition that comes meanwhile, and its rows", async () => {
    await applySome(plan, 2);
    await query(
      `CREATE TABLE app.logs_1_b PARTITION OF app.logs_1 FOR VALUES FROM (10) TO (20);
       INSERT INTO app.logs VALUES (1, 15)`,
    );
    expect(await apply(engine.db(), plan)).toMatchObject({ outcome: "applied" });
    expect(await keys(engine)).toContain("logs_1_b true");
  });

  it("is not taken for its own when it was there before", async () => {
    await query(
      "ALTER TABLE app.logs_2 ADD CONSTRAINT logs_id_fkey FOREIGN KEY (id) REFERENCES app.sites",
    );
    expect(await apply(engine.db(), plan)).toMatchObject({ outcome: "failed" });
    expect(await undo(engine.db(), plan)).toMatchObject({ outcome: "undone" });
    expect(await keys(engine)).toEqual(["logs_2 true"]);
  });
});
